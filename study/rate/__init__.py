"""A rater's way through a study, and the page over it."""
