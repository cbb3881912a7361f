"""Collections of pictures and their splits, and fruit drawn by the program."""
