"""What serves the page, and guards it."""
