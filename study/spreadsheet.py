"""Tables as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

# Beginnings of a text that a spreadsheet takes for a formula.
FORMULA = (*"=+-@\t\r\n", *"＝＋－＠")


def as_csv(header: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """The rows' values in the order of the header; what a row lacks, or None, is empty.

    Texts that would be formulas have an apostrophe before them.

    >>> rows = [{"comment": "=1+1", "rating": -1}, {"comment": "fine"}]
    >>> print(as_csv(["comment", "rating"], rows), end="")
    comment,rating
    '=1+1,-1
    fine,
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(row.get(name)) for name in header] for row in rows)
    return buffer.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else value
