"""Report a study: python -m study.report [--db URL | --ratings FILE.csv] [--html FILE]

Prints a paragraph to quote (how true and generated colours were rated, the difference with one
test, and what these ratings cannot show), then the details; --html writes all of it as a page with
plots, pictures and a paragraph on methods. Only finished sessions count unless --unfinished is
given. Raters who failed a quality check count; the main figures are repeated without them.
"""

import argparse
import json
import sys
from pathlib import Path

from study import cli
from study.errors import StudyError
from study.report import plots
from study.report.findings import Report, as_json, findings
from study.report.page import as_html
from study.report.reading import load
from study.report.source import Source
from study.report.summary import summary_csv
from study.report.text import as_text
from study.stats.ratings import COLUMNS


def main(argv: list[str] | None = None) -> int:
    """Print the report and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _report, argv)


def _report(args: argparse.Namespace) -> None:
    source = load(
        args.ratings,
        url=args.db,
        study=args.study,
        unfinished=args.unfinished,
        pictures=bool(args.html),
        columns=_columns(args.map),
        control=args.control,
    )
    report = findings(source)
    _write(args, source, report)
    if args.json:
        print(json.dumps(as_json(report), indent=2, allow_nan=False))
    elif args.csv == "-" and report.ratings:
        print(summary_csv(report), end="")
    else:
        print(as_text(report))


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.report", __doc__)
    cli.add_database(parser)
    cli.add_study(parser)
    add = parser.add_argument
    add("--ratings", metavar="FILE.csv", type=Path, help="analyse this file, not the database")
    add(
        "--map",
        metavar="rater=NAME",
        nargs="+",
        action="extend",
        default=[],
        help="columns of that file by their names there; also picture=, condition=, rating=",
    )
    add("--control", metavar="NAME", help="that file's condition in true colours")
    add("--unfinished", action="store_true", help="count the ratings of unfinished sessions too")
    add("--html", metavar="FILE", type=Path, help="write the report as a page, in one file")
    add("--json", action="store_true", help="print the figures as JSON")
    add(
        "--csv",
        metavar="FILE",
        nargs="?",
        const="-",
        help="print the figures as a CSV table, or write it to this file",
    )
    add(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw the ratings into this file: .png, .pdf or .svg",
    )
    return parser


def _columns(told: list[str]) -> dict[str, str]:
    """{what a column is: its name}, of arguments such as "rater=Subject"."""
    columns: dict[str, str] = {}
    for each in told:
        what, _, name = each.partition("=")
        if what not in COLUMNS or not name.strip() or what in columns:
            raise StudyError(
                f"--map {each}: give each of {', '.join(COLUMNS)} once, as {COLUMNS[0]}=NAME."
            )
        columns[what] = name
    return columns


def _write(args: argparse.Namespace, source: Source, report: Report) -> None:
    """What was asked for as a file; without ratings only the page, which says so."""
    try:
        if path := args.html:
            path.write_text(as_html(source, report), encoding="utf-8")
        if source.table.empty:
            return
        if (path := args.csv) not in (None, "-"):
            Path(path).write_text(summary_csv(report), encoding="utf-8", newline="")
        if path := args.plot:
            (_, draw, caption), *_ = plots.drawings(report)
            plots.save(draw(source.ratings, report), caption, path)
    except (OSError, ValueError) as error:  # ValueError: no such image format
        raise StudyError(f"{path}: {getattr(error, 'strerror', None) or error}.") from error


if __name__ == "__main__":
    sys.exit(main())
