"""Write a study's data as files: python -m study.export --to FOLDER [--db URL] [--study NAME]

Tidy tables as CSV and JSON (`--format`), a codebook that explains every column, and the manifest of
what was frozen. Raters are numbers; how the recruiting service calls them is only written with
`--with-participants`, into a file of its own. FOLDER is new or empty.
"""

import argparse
import sys
import textwrap
from pathlib import Path

from study import cli
from study.db.engine import connect
from study.export.files import export


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.export", __doc__)
    add = parser.add_argument
    add("--to", metavar="FOLDER", type=Path, required=True, help="a new or empty folder")
    add(
        "--format",
        choices=("csv", "json", "both"),
        default="both",
        help="format of the tables (default: both)",
    )
    add("--excel", action="store_true", help="write CSV files that spreadsheets open as UTF-8")
    add("--with-participants", action="store_true", help="also write who the raters are")
    cli.add_study(parser)
    cli.add_database(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Export a study and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _export, argv)


def _export(arguments: argparse.Namespace) -> None:
    written = export(
        connect(arguments.db, existing=True),
        arguments.to,
        arguments.study,
        formats=("csv", "json") if arguments.format == "both" else (arguments.format,),
        with_participants=arguments.with_participants,
        excel=arguments.excel,
    )
    names = ", ".join(file.name for file in written)
    print(textwrap.fill(f"{arguments.to}: {names}", 100, break_on_hyphens=False))


if __name__ == "__main__":
    sys.exit(main())
