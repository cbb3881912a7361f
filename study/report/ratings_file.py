"""Reads the ratings of a report from a file: a table from elsewhere, or a study's own export."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.plan.protocols import RATING, REAL_OR_FAKE
from study.report.csv_file import folded, read_table
from study.report.source import Source, people_or_programs
from study.stats.ratings import COLUMNS, CONDITIONS, CONTROL, check_ratings
from study.wording import count, printable

# The columns of an export that a report reads. A table with all of them is an export; in any other
# table only `COLUMNS` count, whatever else its columns are called.
EXPORT = (
    *COLUMNS,
    *("study", "simulated", "purpose", "arm", "choice", "list", "kind", "response_ms", "finished"),
)
YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}
# Largest number of conditions that a report compares, every two of them.
MOST_CONDITIONS = 12
# Largest number of names that a sentence lists.
LISTED = 12


def read_ratings(
    file: Path, columns: Mapping[str, str] | None = None, control: str | None = None
) -> Source:
    """The ratings in a CSV file with the columns rater, picture, condition and rating.

    Args:
        file: a table from elsewhere, or the ratings of an export.
        columns: {one of the four: its name in the file}, where that is another one.
        control: the condition in true colours; None: the one called control.

    Raises:
        StudyError: the file is no such table; the sentence names the first line at fault.
    """
    names = {name: name for name in COLUMNS} | dict(columns or {})
    table = read_table(file, names.values())
    try:
        if not {*EXPORT} <= {*table.rows.columns}:
            source = _foreign(str(file), table.rows, names, control)
        elif columns or control:
            raise ValueError("This is an export of a study; leave out --map and --control.")
        else:
            source = _export(str(file), table.rows)
    except ValueError as error:
        raise StudyError(f"{file}: {error}") from error
    if number := table.header_lines:
        left_out = f"{count(number, 'further header line')} left out."
        source = replace(source, notes=(left_out, *source.notes))
    return source


def _foreign(
    file: str, rows: pd.DataFrame, names: Mapping[str, str], control: str | None
) -> Source:
    """A table from elsewhere; raises ValueError where it cannot be used."""
    header = list(rows.columns)
    places = {name: _place(header, written) for name, written in names.items()}
    if missing := [names[name] for name, place in places.items() if place is None]:
        raise ValueError(
            f"No column {_listed(missing)}; needed are {', '.join(COLUMNS)}, or --map"
            f" {COLUMNS[0]}=NAME for another name. The columns are: {_listed(header)}."
        )
    if len({*places.values()}) < len(places):
        raise ValueError("--map gives one column two meanings.")
    table = rows.iloc[:, [*places.values()]].set_axis([*places], axis=1)
    for line, rating in table["rating"].head(1).items():
        if re.fullmatch(r"\D+", rating.strip()):
            said = f"the rating {rating.strip()!r:.60} is no number"
            raise ValueError(f"Line {line + 2}: {said}; delete the line if it is a second header.")
    unused = [
        name or "one without a name"
        for place, name in enumerate(header)
        if place not in places.values() and (name or rows.iloc[:, place].str.strip().any())
    ]
    table, notes = _with_control(check_ratings(table, None), control)
    return Source(file, table, notes=(*_not_used(unused), *notes))


def _place(header: list[str], name: str) -> int | None:
    """Where the column stands: the one so called, else the one so called but for capitals."""
    for alike in (header, folded(header)):
        wanted = name.strip() if alike is header else name.strip().casefold()
        if alike.count(wanted) > 1:
            raise ValueError(f"The column {name} occurs more than once.")
        if wanted in alike:
            return alike.index(wanted)
    return None


def _with_control(table: pd.DataFrame, control: str | None) -> tuple[pd.DataFrame, list[str]]:
    """The table, whose control is called "control" from here on, and what there is to say of it."""
    found = list(dict.fromkeys(table["condition"]))
    by_folded: dict[str, str] = {}
    for name in found:
        if (other := by_folded.setdefault(name.casefold(), name)) != name:
            raise ValueError(f"The conditions {other!r:.60} and {name!r:.60} differ in capitals.")
    if len(found) > MOST_CONDITIONS:
        raise ValueError(
            f"{len(found)} conditions, such as {_listed(found[:3])}; a report compares"
            f" {MOST_CONDITIONS} at most. Is it the column condition?"
        )
    wanted = (control or CONTROL).strip()
    true_colours = by_folded.get(wanted.casefold())
    if true_colours is None and (by_folded.keys() - {*CONDITIONS} or (control and found)):
        raise ValueError(
            f"No condition is called {wanted!r:.60}; --control NAME says which of these is in true"
            f" colours: {_listed(found)}."
        )
    if wanted.casefold() != CONTROL and CONTROL in by_folded:
        raise ValueError(f"{wanted!r:.60} cannot be the control beside {CONTROL!r}; rename one.")
    ours = {by_folded.get(name): name for name in CONDITIONS} | {true_colours: CONTROL}
    notes = [f"Its control is the condition {true_colours}."] if wanted != CONTROL else []
    return table.replace({"condition": ours}), notes


def _export(file: str, rows: pd.DataFrame) -> Source:
    """The ratings of an export; raises ValueError where they cannot be used."""
    header = list(rows.columns)
    if twice := [name for name in EXPORT if header.count(name) > 1]:
        raise ValueError(f"The column {', '.join(twice)} occurs more than once.")
    if (studies := rows["study"].unique()).size > 1:
        raise ValueError(f"It holds several studies, {_listed(studies)}; give one of them.")
    main = rows["purpose"].str.strip() == "main"
    notes = _not_used(name for name in header if name not in EXPORT)
    if number := int((~main).sum()):
        notes.append(f"{count(number, 'answer')} to practice and attention pairs left out.")
    rows = rows[main]
    fakes = bool(rows["choice"].str.strip().any())
    several = fakes or len({*rows["arm"].str.strip()} - {CONTROL}) > 1
    named = rows.assign(condition=rows["arm"]) if several else rows
    table = check_ratings(named, None if several else CONDITIONS)
    for column in ("list", "kind"):
        table[column] = rows[column].str.strip().replace("", np.nan)
    table["response_ms"] = pd.to_numeric(rows["response_ms"], errors="coerce")
    for column in ("finished", "simulated"):
        table[column] = _yes_or_no(rows[column])
    if fakes and not table["rating"].isin([0, 1]).all():
        raise ValueError("With choices every rating is 1 (fooled) or 0.")
    protocol = REAL_OR_FAKE if fakes else RATING
    return people_or_programs(Source(file, table, protocol, notes=tuple(notes)))


def _yes_or_no(column: pd.Series) -> pd.Series:
    found = column.str.strip().str.lower().map(YES_OR_NO)
    if found.isna().any():
        line = found.index[found.isna()][0] + 2
        raise ValueError(f"Line {line}: {column.name} is neither true nor false.")
    return found.astype(bool)


def _not_used(columns: Iterable[str]) -> list[str]:
    names = list(columns)
    return [f"{count(len(names), 'column')} not used: {_listed(names)}."] if names else []


def _listed(names: Iterable[str]) -> str:
    """The first of `names`, and how many more there are."""
    shown = [printable(name, 60) for name in names]
    if (more := len(shown) - LISTED) > 0:
        shown = [*shown[:LISTED], f"{more} more"]
    return ", ".join(shown)
