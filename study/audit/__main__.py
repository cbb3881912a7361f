"""Audit the blinding of a study: could anything but its colours tell a rater a picture's condition?

    python -m study.audit                              the frozen pictures of the newest study
    python -m study.audit --url http://127.0.0.1:7860  and the page that serves it, in a browser

Prints every check with its figure; ends with 1 if one fails. With `--url` whole sessions are rated
in Chromium (Playwright is needed: `pip install playwright`), as raters of their own, and deleted
from the study afterwards.
"""

import argparse
import json
import sys
import textwrap

from study.audit.stored import audit_study, load
from study.cli import run
from study.db.engine import connect, is_missing
from study.errors import StudyError


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m study.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)")
    add("--study", metavar="NAME", help="which study in the database (default: the newest)")
    add("--url", help="of a running page that serves this study from this database")
    add("--sessions", type=_count, default=4, help="to rate there (default: %(default)s)")
    add("--json", action="store_true", help="print the findings as JSON")
    arguments = parser.parse_args(argv)
    try:
        if is_missing(arguments.db):
            raise StudyError(f"There is no database {arguments.db or 'yet'}.")
        engine = connect(arguments.db)
        study, pictures = load(engine, arguments.study)
        findings = audit_study(pictures, study)
        if arguments.url:
            from study.audit.page import audit_page

            findings += audit_page(engine, study, pictures, arguments.url, arguments.sessions)
    except StudyError as error:
        print(f"study.audit: {error}", file=sys.stderr)
        return 2
    failed = sum(not finding.passed for finding in findings)
    if arguments.json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        print(f"Study {study.name}, {len(pictures)} stimuli")
        for finding in findings:
            said = f"{'passed' if finding.passed else 'FAILED'}  {finding.what}: {finding.figure}"
            print(textwrap.fill(said, 100, subsequent_indent=" " * 8))
        where = "the frozen pictures and the page" if arguments.url else "the frozen pictures only"
        print(f"{len(findings) - failed} of {len(findings)} checks passed, on {where}.")
    return 1 if failed else 0


if __name__ == "__main__":
    run(main)
