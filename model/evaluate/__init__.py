"""Networks measured, rated and compared."""
