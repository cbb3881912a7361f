"""Report a study: python -m study.report [--db URL | --ratings FILE.csv] [--html FILE]

Prints how true and generated colours were rated, the difference with its tests, and what these
ratings cannot show; --html writes all of it as a page with plots, pictures and a paragraph on
methods. Only finished sessions count unless --unfinished is given. Raters who failed a quality
check count; the main figures are repeated without them.
"""

import argparse
import json
import sys
from pathlib import Path

from study.cli import run
from study.report import plots
from study.report.findings import findings
from study.report.page import as_html
from study.report.source import ReportError, Source, load
from study.report.tables import summary_csv
from study.report.text import as_text


def main(argv: list[str] | None = None) -> int:
    """Print the report; return 0, or 2 after one sentence on standard error."""
    args = _parser().parse_args(argv)
    try:
        source = load(
            args.ratings,
            url=args.db,
            study=args.study,
            unfinished=args.unfinished,
            pictures=bool(args.html),
        )
        report = findings(source)
        _write(args, source, report)
    except ReportError as error:
        print(f"study.report: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(report, indent=2, allow_nan=False))
    elif args.csv == "-" and report["ratings"]:
        print(summary_csv(report), end="")
    else:
        print(as_text(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m study.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)")
    add("--study", metavar="NAME", help="which study in the database (default: the newest)")
    add("--ratings", metavar="FILE.csv", type=Path, help="analyse this file, not the database")
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
    add("--plot", metavar="FILE.png", type=Path, help="draw the ratings into this file")
    return parser


def _write(args: argparse.Namespace, source: Source, report: dict) -> None:
    """What was asked for as a file; without ratings only the page, which says so."""
    try:
        if path := args.html:
            path.write_text(as_html(source, report), encoding="utf-8")
        if source.table.empty:
            return
        if (path := args.csv) not in (None, "-"):
            Path(path).write_text(summary_csv(report), encoding="utf-8", newline="")
        if path := args.plot:
            draw = plots.rates if source.real_or_fake else plots.ratings
            caption = plots.RATES if source.real_or_fake else plots.RATINGS
            plots.png(draw(source.table, report), caption, path)
    except (OSError, ValueError) as error:  # ValueError: no such image format
        raise ReportError(f"{path}: {getattr(error, 'strerror', None) or error}.") from error


if __name__ == "__main__":
    run(main)
