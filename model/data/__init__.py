"""Where pictures are: collections and their splits, and fruit drawn by the program."""
