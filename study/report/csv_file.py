"""Reads the ratings of a report from a CSV file."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.plan.protocols import RATING, REAL_OR_FAKE
from study.report.source import Source, people_or_programs
from study.stats.ratings import CONDITIONS, CONTROL, check_ratings

YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


def read_csv(file: Path) -> Source:
    """The ratings in a file with the columns rater, picture, condition and rating.

    Used where they are there: finished, simulated, purpose (only "main" counts), arm (in the place
    of the condition where there are several models), choice (of real-or-fake), list, kind and
    response_ms.

    Raises:
        StudyError: naming the first line at fault.
    """
    raw = _rows(file)
    more = raw.loc[:, ~raw.columns.duplicated(keep=False)]  # what is there twice says nothing
    if "purpose" in more:
        main = more["purpose"].str.strip().isin(["main", ""])
        raw, more = raw[main], more[main]
    several = _has_several(more)
    try:
        named = raw.assign(condition=more["arm"]) if several else raw
        table = check_ratings(named, None if several else CONDITIONS)
    except ValueError as error:
        raise StudyError(f"{file}: {error}") from error
    if "study" in more and more["study"].nunique() > 1:
        names = ", ".join(repr(name)[:60] for name in more["study"].unique()[:5])
        raise StudyError(f"{file} holds several studies, {names}; give one of them.")
    for column in ("list", "kind"):
        if column in more:
            table[column] = more[column].str.strip().replace("", np.nan)
    if "response_ms" in more:
        table["response_ms"] = pd.to_numeric(more["response_ms"], errors="coerce")
    for column in ("finished", "simulated"):
        if column in more:
            table[column] = _yes_or_no(more[column], column, file)
    protocol = REAL_OR_FAKE if several and _has_choices(more) else RATING
    source = Source(str(file), table, protocol)
    if source.binary and not table["rating"].isin([0, 1]).all():
        raise StudyError(f"{file}: with a column choice every rating is 1 (fooled) or 0.")
    return people_or_programs(source) if "simulated" in table else source


def _rows(file: Path) -> pd.DataFrame:
    """The fields as text; the index is the line number less 2, as `check_ratings` counts."""
    lines, rows = [], []
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.reader(opened, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                if len(row) != len(header):
                    counts = f"{len(row)} fields where the header has {len(header)}"
                    raise StudyError(f"{file}: Line {reader.line_num}: {counts}.")
                lines.append(reader.line_num)
                rows.append(row)
    except OSError as error:
        raise StudyError(f"{file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{file} is not a CSV file in UTF-8 text.") from error
    except csv.Error as error:
        raise StudyError(f"{file}: Line {reader.line_num}: {error}.") from error
    return pd.DataFrame(rows, columns=header, index=np.array(lines, dtype=int) - 2, dtype=str)


def _has_several(raw: pd.DataFrame) -> bool:
    """Whether the arm says more than the condition: several models, or real-or-fake."""
    if "arm" not in raw:
        return False
    models = set(raw["arm"].str.strip()) - {CONTROL}
    return len(models) > 1 or _has_choices(raw)


def _has_choices(raw: pd.DataFrame) -> bool:
    return "choice" in raw and bool(raw["choice"].str.strip().any())


def _yes_or_no(column: pd.Series, name: str, file: Path) -> pd.Series:
    found = column.str.strip().str.lower().map(YES_OR_NO)
    if found.isna().any():
        line = found.index[found.isna()][0] + 2
        raise StudyError(f"{file}: Line {line}: {name} is neither true nor false.")
    return found.astype(bool)
