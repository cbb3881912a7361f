"""Runs a command of the study from a shell."""

import os
import sys
from collections.abc import Callable


def run(main: Callable[[], int]) -> None:
    """Exit with what `main` returns; quietly where a reader such as `head` has had enough."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
        code = 0
    sys.exit(code)
