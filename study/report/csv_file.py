"""Reads tables in CSV as spreadsheets and survey tools write them."""

import csv
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError

DELIMITERS = ",;\t"
# A first line by which a spreadsheet is told the delimiter.
SEP_LINE = re.compile(r'"?sep=(.)"?[,;\t]*', re.IGNORECASE)
# Beginning of a field in the last of the three header lines that Qualtrics writes.
IMPORT_ID = '{"ImportId"'
WORKBOOK = b"PK\x03\x04"


@dataclass(frozen=True)
class CsvTable:
    """A table as text.

    Attributes:
        rows: the fields; the index is the line number less 2, as `check_ratings` counts.
        header_lines: number of further lines of names, which are left out.
    """

    rows: pd.DataFrame
    header_lines: int


def read_table(file: Path, names: Collection[str]) -> CsvTable:
    """The table in a file with commas, semicolons or tabs between the fields.

    The delimiter is the one that a line "sep=" tells, else the one that finds most of `names` in
    the header. Empty lines are passed over; so are second header lines: those that repeat the
    first, and those of survey tools that end with a line of import IDs.

    Raises:
        StudyError: the file cannot be read or is no such table; the sentence names the line.
    """
    text = _text(file)
    first = next((line for line in text.splitlines() if line.strip()), "")
    told = SEP_LINE.fullmatch(first)
    lines, rows = _records(file, text, told[1] if told else _delimiter(first, names))
    if told:
        lines, rows = lines[1:], rows[1:]
    header = [name.strip() for name in rows[0]] if rows else []
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            counts = f"{len(row)} fields where the header has {len(header)}"
            raise StudyError(f"{file}: Line {line}: {counts}.")
    ids = [n for n, row in enumerate(rows[:3]) if any(f.startswith(IMPORT_ID) for f in row)]
    last = ids[0] if ids else 0
    repeated = {n for n, row in enumerate(rows) if folded(row) == folded(header)}
    data = [n for n in range(len(rows)) if n > last and n not in repeated]
    table = pd.DataFrame(
        [rows[n] for n in data],
        columns=header,
        index=np.array([lines[n] for n in data], dtype=int) - 2,
        dtype=str,
    )
    return CsvTable(table, max(0, len(rows) - len(data) - 1))


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StudyError(f"{file}: {error.strerror}.") from error
    if content.startswith(WORKBOOK):
        raise StudyError(f"{file} is a workbook, not a CSV file; save the sheet as CSV UTF-8.")
    wide = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise StudyError(f"{file} is not a CSV file in UTF-8 text; save it as CSV UTF-8.")
    return text


def _delimiter(header: str, names: Collection[str]) -> str:
    """The one that finds most of `names`, then most fields; a comma where all find as many."""
    wanted = set(folded(names))

    def found(delimiter: str) -> tuple[int, int]:
        fields = next(csv.reader([header], delimiter=delimiter), [])
        return len(wanted & set(folded(fields))), len(fields)

    return max(DELIMITERS, key=found)


def _records(file: Path, text: str, delimiter: str) -> tuple[list[int], list[list[str]]]:
    """The numbers of the lines that are not empty, and their fields."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, rows = [], []
    try:
        for row in reader:
            if any(field.strip() for field in row):
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise StudyError(f"{file}: Line {reader.line_num}: {error}.") from error
    return lines, rows


def folded(names: Collection[str]) -> list[str]:
    """`names` as they are compared: without capitals and outer blanks."""
    return [name.strip().casefold() for name in names]
