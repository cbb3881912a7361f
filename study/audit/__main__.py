"""Audit the blinding of a study: could anything but its colours tell a rater a picture's condition?

    python -m study.audit           the frozen pictures of the newest study
    python -m study.audit --page    and the page, in whole sessions rated in a browser

Prints every check with its figure; ends with 1 if one fails. With `--page` the page runs over a
copy of the study, without its raters, that is thrown away afterwards; the study itself is only
read. That takes some minutes, and Chromium with Playwright: `pip install playwright`.
"""

import argparse
import json
import sys
import textwrap

from study import cli
from study.audit.stored import audit_study, load
from study.db.engine import connect


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.audit", __doc__)
    cli.add_database(parser)
    cli.add_study(parser)
    add = parser.add_argument
    add("--page", action="store_true", help="also audit the page, on a copy of the study")
    add(
        "--sessions",
        type=_count,
        default=4,
        metavar="N",
        help="sessions to rate on the page (default: %(default)s)",
    )
    add("--json", action="store_true", help="print the findings as JSON")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Print the findings and return an exit code, as `study.cli.run` does; 1: a check failed."""
    return cli.run(_parser(), _audit, argv)


def _audit(arguments: argparse.Namespace) -> int:
    engine = connect(arguments.db, existing=True)
    study, pictures = load(engine, arguments.study)
    findings = audit_study(pictures, study)
    if arguments.page:
        from study.audit.page import audit_page

        findings += audit_page(engine, study, pictures, arguments.sessions)
    failed = sum(not finding.passed for finding in findings)
    if arguments.json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        print(f"Study {study.name}, {len(pictures)} stimuli")
        for finding in findings:
            said = f"{'passed' if finding.passed else 'FAILED'}  {finding.what}: {finding.figure}"
            print(textwrap.fill(said, 100, subsequent_indent=" " * 8))
        where = "the frozen pictures and the page" if arguments.page else "the frozen pictures only"
        print(f"{len(findings) - failed} of {len(findings)} checks passed, on {where}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
