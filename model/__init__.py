"""Colorization: data, networks, training, evaluation and the one pipeline that uses them."""
