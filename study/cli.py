"""What all commands of the study share: options, error sentences and exit codes."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from model.version import VERSION
from study.db.engine import closing
from study.errors import StudyError


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for `python -m command`, with `--version`."""
    made = argparse.ArgumentParser(
        prog=f"python -m {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return made


def add_database(to: argparse._ActionsContainer) -> None:
    """Add `--db`, which `study.db.engine.connect` takes."""
    to.add_argument(
        "--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)"
    )


def add_study(
    to: argparse._ActionsContainer,
    about: str = "which study in the database (default: the newest)",
) -> None:
    """Add `--study`, which `study.db.queries.find_study` takes."""
    to.add_argument("--study", metavar="NAME", help=about)


def run(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None = None,
    *,
    errors: tuple[type[Exception], ...] = (StudyError,),
) -> int:
    """Do a command's work and return its exit code.

    Args:
        parser: as `parser` makes it.
        work: takes the parsed arguments; returns an exit code, or None for 0.
        argv: the arguments; None: those of the shell.
        errors: exceptions whose message is for people, a sentence a line.

    Returns:
        what `work` returns; 2 after sentences on standard error; 0 where a reader such as `head`
        has read enough.
    """
    arguments = parser.parse_args(argv)
    try:
        with closing():
            code = work(arguments) or 0
        sys.stdout.flush()
    except errors as error:
        command = parser.prog.removeprefix("python -m ")
        for sentence in str(error).splitlines():
            print(f"{command}: {sentence}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
        return 0
    return code
