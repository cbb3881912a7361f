"""The web page: colorize a photo, take part in the rating study."""
