"""The tab "Colorize"."""
