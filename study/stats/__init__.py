"""Statistics of ratings: pure functions on tables, no database and no page."""
