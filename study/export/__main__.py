"""Write a study's data as files: python -m study.export --to FOLDER [--db URL] [--study NAME]

Tidy tables as CSV and JSON (`--format`), a codebook that explains every column, and the manifest of
what was frozen. Raters are numbers; how the recruiting service calls them is only written with
`--with-participants`, into a file of its own. FOLDER is new or empty.
"""

import argparse
import sys
import textwrap
from pathlib import Path

from study.db.engine import connect, is_missing
from study.errors import StudyError
from study.export.files import export


def main(argv: list[str] | None = None) -> int:
    """Export a study; return 0, or 2 after one sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m study.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--to", metavar="FOLDER", type=Path, required=True, help="new or empty")
    add("--format", choices=("csv", "json", "both"), default="both", help="(default: both)")
    add("--with-participants", action="store_true", help="also who the raters are")
    add("--study", metavar="NAME", help="which study in the database (default: the newest)")
    add("--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)")
    arguments = parser.parse_args(argv)
    try:
        if is_missing(arguments.db):
            raise StudyError(f"There is no database {arguments.db or 'yet'}.")
        written = export(
            connect(arguments.db),
            arguments.to,
            arguments.study,
            formats=("csv", "json") if arguments.format == "both" else (arguments.format,),
            with_participants=arguments.with_participants,
        )
    except StudyError as error:
        print(f"study.export: {error}", file=sys.stderr)
        return 2
    names = ", ".join(file.name for file in written)
    print(textwrap.fill(f"{arguments.to}: {names}", 100, break_on_hyphens=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
