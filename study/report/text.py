"""A report as plain text."""

import textwrap
from collections.abc import Iterator

from study.report.findings import Report
from study.report.lead import lead
from study.report.sections import DESIGNS, Section, sections
from study.report.tables import Row, Table
from study.wording import count, printable

# Width of the text, in characters.
WIDTH = 100
# Number of rows of a table beyond which only its ends are shown.
MANY = 12
SIMULATED = (
    "SIMULATED RATERS: these ratings come from programs. They test the study and say nothing about"
    " people."
)


def as_text(report: Report) -> str:
    """The report, its paragraph first; the hash of what was frozen comes last."""
    first = [*_wrapped(SIMULATED), ""] if report.simulated else []
    if not report.ratings:
        return "\n".join([*first, nothing(report)])
    lines = [*first, *_wrapped(lead(report)), "", *_wrapped(f"Details of {source(report)}")]
    for section in sections(report):
        lines += ["", *_section(section)]
    if report.manifest_sha256:
        lines += ["", f"SHA-256 of the study's manifest: {report.manifest_sha256}"]
    return "\n".join(lines)


def nothing(report: Report) -> str:
    """The sentence for a report without ratings."""
    sessions = report.sessions
    if sessions.unfinished_ratings:
        return (
            f"No finished session yet in {report.source}: "
            f"{count(sessions.unfinished_with_ratings, 'unfinished session')} with "
            f"{count(sessions.unfinished_ratings, 'rating')} left out; --unfinished counts them."
        )
    return " ".join([f"No ratings yet in {report.source}.", *report.notes])


def source(report: Report) -> str:
    """Where the ratings are from, and how they were asked for."""
    design = (
        f"{report.protocol}, {DESIGNS[report.design]}" if report.conditions else report.protocol
    )
    return f"{report.source} ({design})"


def _section(section: Section) -> Iterator[str]:
    yield printable(section.title, WIDTH)
    if section.text:
        yield from _wrapped(section.text)
    if section.table:
        yield from _table(section.table)
        if section.table.strong:
            yield f"*: {section.table.strong}"
        yield from _wrapped(section.table.caption)
    for point in section.points:
        yield from _wrapped(f"- {point}", hanging="  ")


def _wrapped(text: str, hanging: str = "") -> list[str]:
    clean = printable(text, 4000)
    style = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(clean, WIDTH, subsequent_indent=hanging, **style)


def _table(table: Table) -> Iterator[str]:
    rows = list(table.rows)
    if len(rows) > MANY:
        left_out = f"... {len(rows) - MANY} more, in --html and --json ..."
        rows = [*rows[: MANY // 2], left_out, *rows[-MANY // 2 :]]
    heads = tuple(column.head for column in table.columns)
    marks = any(row.strong for row in rows if isinstance(row, Row))
    widths = _widths([heads, *(row.cells for row in rows if isinstance(row, Row))], 2 * marks)
    for row in [Row(heads), *rows]:
        if isinstance(row, str):
            yield printable(f"{row}:" if row[0] != "." else row, WIDTH)
            continue
        cells = [
            f"{printable(cell, width):{'<' if column.left else '>'}{width}}"
            for cell, width, column in zip(row.cells, widths, table.columns, strict=True)
        ]
        mark = ("* " if row.strong else "  ") if marks else ""
        yield (mark + "  ".join(cells)).rstrip()


def _widths(rows: list[tuple[str, ...]], margin: int) -> list[int]:
    """Those of the columns; the widest give way where all do not fit."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while margin + sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths
