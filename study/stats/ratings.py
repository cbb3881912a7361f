"""The table of ratings: checked, counted and turned into arrays; pure functions.

A table has the columns rater, picture, condition ("control" shows the true colours, any other name
is a model's: "generated") and rating, and optionally list (the counterbalancing list of the
session), kind and response_ms. Other columns are ignored.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

CONTROL = "control"
CONDITIONS = [CONTROL, "generated"]
COLUMNS = ["rater", "picture", "condition", "rating"]
DIGITS = 12  # means are rounded here, so that binary fractions neither show nor break ties


@dataclass(frozen=True)
class Cells:
    """Ratings as an array: `y[condition, rater, picture]`, NaN where nothing was rated."""

    y: np.ndarray
    lists: np.ndarray  # (raters,) the number of each rater's list


def check_ratings(table: pd.DataFrame, conditions: list[str] | None = CONDITIONS) -> pd.DataFrame:
    """Return the four columns, cleaned; raise ValueError naming the first line at fault.

    Lines count as in the CSV file: the header is line 1, the row with index 0 is line 2.
    With `conditions` None every name is one, so that a study of several models can be read.

    >>> check_ratings(pd.DataFrame([("A", "plum", "control", "8.5")], columns=COLUMNS))
      rater picture condition  rating
    0     A    plum   control     8.5
    >>> check_ratings(pd.DataFrame([("A", "plum", "control", "8.4")], columns=COLUMNS))
    Traceback (most recent call last):
    ValueError: Line 2: the rating '8.4' is not in 0, 0.5, ... 10.
    """
    names = list(table.columns)
    if missing := [name for name in COLUMNS if name not in names]:
        needed = ", ".join(COLUMNS)
        raise ValueError(f"No column {', '.join(missing)}; needed, with commas between: {needed}.")
    if repeated := [name for name in COLUMNS if names.count(name) > 1]:
        raise ValueError(f"The column {', '.join(repeated)} occurs more than once.")

    lines: dict[tuple[str, str, str], int] = {}  # where each cell was first seen
    ratings = []
    for index, *fields in table[COLUMNS].itertuples(name=None):
        line = index + 2
        *cell, rating = ["" if pd.isna(field) else str(field).strip() for field in fields]
        rater, picture, condition = cell
        if not rater or not picture:
            raise ValueError(f"Line {line}: the {'picture' if rater else 'rater'} is empty ('').")
        if not condition or (conditions is not None and condition not in conditions):
            wanted = " or ".join(conditions or ["control or the name of a model"])
            raise ValueError(f"Line {line}: the condition {condition!r:.60} is not {wanted}.")
        if (score := _half_points(rating)) is None:
            raise ValueError(f"Line {line}: the rating {rating!r:.60} is not in 0, 0.5, ... 10.")
        if (first := lines.setdefault((rater, picture, condition), line)) != line:
            what = f"{rater!r:.60} has already rated {picture!r:.60} as {condition}"
            raise ValueError(f"Line {line}: {what}, on line {first}.")
        ratings.append(score)
    cells = pd.DataFrame(list(lines), columns=COLUMNS[:3], index=table.index, dtype=str)
    return cells.assign(rating=np.array(ratings, dtype=float))


def conditions_of(table: pd.DataFrame) -> list[str]:
    """The conditions in a table, control first, the others as they first appear.

    >>> conditions_of(pd.DataFrame({"condition": ["zhang", "control", "colornet", "zhang"]}))
    ['control', 'zhang', 'colornet']
    """
    found = list(dict.fromkeys(table["condition"]))
    return sorted(found, key=lambda name: name != CONTROL)


def lists_of(table: pd.DataFrame) -> pd.Series:
    """The counterbalancing list of each row: its column, or found from who saw what as what.

    Without the column, raters who never saw a picture in different conditions share a list.

    >>> table = pd.DataFrame({
    ...     "rater": [1, 1, 2, 2, 3, 3],
    ...     "picture": ["plum", "pear"] * 3,
    ...     "condition": ["control", "generated", "generated", "control", "control", "generated"],
    ... })
    >>> lists_of(table).tolist()
    ['A', 'A', 'B', 'B', 'A', 'A']
    """
    if "list" in table and table["list"].notna().all():
        return table["list"].astype(str)
    known: list[dict] = []  # for each list, the conditions in which a picture was seen
    of_rater = {}
    for rater, rows in table.groupby("rater", sort=False):
        seen = rows.groupby("picture", sort=False)["condition"].agg(set).to_dict()
        for number, pictures in enumerate(known):  # noqa: B007
            shared = seen.keys() & pictures.keys()
            if shared and all(seen[picture] & pictures[picture] for picture in shared):
                break
        else:
            number = len(known)
            known.append({})
        for picture, conditions in seen.items():
            known[number].setdefault(picture, set()).update(conditions)
        of_rater[rater] = _letters(number)
    return table["rater"].map(of_rater).astype(str)


def as_cells(table: pd.DataFrame, conditions: list[str] = CONDITIONS) -> Cells:
    """The ratings of `conditions` as an array; raters and pictures in sorted order.

    Raters who are numbers come in the order of numbers, also where they were read as text, so that
    what is drawn at random does not depend on where the table is from.

    >>> table = pd.DataFrame({
    ...     "rater": ["A", "A", "B"],
    ...     "picture": ["plum", "pear", "plum"],
    ...     "condition": ["control", "generated", "control"],
    ...     "rating": [9, 3, 8],
    ... })
    >>> as_cells(table).y[0]
    array([[nan,  9.],
           [nan,  8.]])
    """
    table = table.assign(list=lists_of(table))
    table = table[table["condition"].isin(conditions)]
    raters = sorted(table["rater"].unique(), key=lambda rater: (len(str(rater)), str(rater)))
    pictures = sorted(table["picture"].unique())
    means = (
        table["rating"]
        .astype(float)
        .groupby([table["condition"], table["rater"], table["picture"]])
        .mean()
    )
    y = np.full((len(conditions), len(raters), len(pictures)), np.nan)
    for number, condition in enumerate(conditions):
        if condition in means.index.get_level_values(0):
            grid = means[condition].unstack().reindex(index=raters, columns=pictures)
            y[number] = grid.to_numpy(dtype=float)
    of_rater = table.drop_duplicates("rater").set_index("rater")["list"].reindex(raters)
    return Cells(y, pd.factorize(of_rater, sort=True)[0])


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """How many ratings each list and condition has, and how many are missing.

    `expected` is what the raters of the list would give if each rated every picture that
    anybody in the list rated in that condition.

    >>> table = pd.DataFrame({
    ...     "rater": ["A", "A", "B"],
    ...     "picture": ["plum", "pear", "plum"],
    ...     "condition": ["control", "generated", "control"],
    ... })
    >>> cells(table)
      list  condition  raters  pictures  ratings  expected  missing
    0    A    control       2         1        2         2        0
    1    A  generated       1         1        1         2        1
    """
    table = table.assign(list=lists_of(table))
    size = table.groupby("list")["rater"].nunique()
    found = table.groupby(["list", "condition"], as_index=False, sort=False).agg(
        raters=("rater", "nunique"), pictures=("picture", "nunique"), ratings=("rater", "size")
    )
    found["expected"] = found["pictures"] * found["list"].map(size).astype(int)
    found["missing"] = (found["expected"] - found["ratings"]).clip(lower=0)
    rank = {name: number for number, name in enumerate(conditions_of(table))}
    order = found["condition"].map(rank)
    return (
        found.assign(order=order)
        .sort_values(["list", "order"], ignore_index=True)
        .drop(columns="order")
    )


def pictures(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each picture: raters, mean and sd in every condition, control minus model.

    >>> table = pd.DataFrame({
    ...     "rater": list("ABCD"),
    ...     "picture": ["plum"] * 4,
    ...     "condition": ["control", "control", "generated", "generated"],
    ...     "rating": [9, 8, 3, 4],
    ... })
    >>> pictures(table)[["picture", "control_mean", "generated_mean", "generated_difference"]]
      picture  control_mean  generated_mean  generated_difference
    0    plum           8.5             3.5                   5.0
    """
    kind = ["kind"] if "kind" in table else []
    found = table.groupby("picture")[kind].first()
    names = conditions_of(table)
    for condition in names:
        ratings = table[table["condition"] == condition].groupby("picture")["rating"]
        found[f"{condition}_raters"] = ratings.count().reindex(found.index, fill_value=0)
        found[f"{condition}_mean"] = ratings.mean().round(DIGITS)
        found[f"{condition}_sd"] = ratings.std()
    for condition in names:
        if CONTROL in names and condition != CONTROL:
            difference = found[f"{CONTROL}_mean"] - found[f"{condition}_mean"]
            found[f"{condition}_difference"] = difference.round(DIGITS)
    return found.reset_index()


def response_times(table: pd.DataFrame) -> pd.DataFrame:
    """Seconds from the pair to its rating, by condition and over all; ratings without are left out.

    >>> table = pd.DataFrame({"condition": ["control", "generated"], "response_ms": [4000, 2500]})
    >>> response_times(table)
       condition  ratings  median_s  q25_s  q75_s  fastest_s
    0    control        1      4.00   4.00   4.00        4.0
    1  generated        1      2.50   2.50   2.50        2.5
    2        all        2      3.25   2.88   3.62        2.5
    """
    columns = ["condition", "ratings", "median_s", "q25_s", "q75_s", "fastest_s"]
    if "response_ms" not in table:
        return pd.DataFrame(columns=columns)
    timed = table.assign(seconds=pd.to_numeric(table["response_ms"], errors="coerce") / 1000)
    timed = timed[timed["seconds"] >= 0]
    rows = []
    for name in [*conditions_of(timed), "all"] if len(timed) else []:
        seconds = timed.loc[(timed["condition"] == name) | (name == "all"), "seconds"]
        low, median, high = seconds.quantile([0.25, 0.5, 0.75]).round(2)
        rows.append((name, len(seconds), median, low, high, round(seconds.min(), 2)))
    return pd.DataFrame(rows, columns=columns)


def exclusions(checks: pd.DataFrame) -> pd.DataFrame:
    """The raters who failed a check, and why: from rows of rater, name, outcome, detail.

    A check that could not be run excludes nobody.

    >>> checks = pd.DataFrame(
    ...     [(7, "attention", "failed", ""), (7, "too fast", "failed", "6 of 10 under 0.7 s"),
    ...      (8, "attention", "passed", ""), (9, "color vision", "could not run", "")],
    ...     columns=["rater", "name", "outcome", "detail"],
    ... )
    >>> exclusions(checks).to_numpy().tolist()
    [[7, 'attention; too fast: 6 of 10 under 0.7 s']]
    """
    reasons: dict = {}
    for check in checks[checks["outcome"] == "failed"].itertuples():
        detail = "" if pd.isna(check.detail) else str(check.detail).strip()
        reasons.setdefault(check.rater, []).append(f"{check.name}: {detail}".removesuffix(": "))
    rows = [(rater, "; ".join(texts)) for rater, texts in reasons.items()]
    return pd.DataFrame(rows, columns=["rater", "reasons"])


def without(table: pd.DataFrame, excluded: pd.DataFrame) -> pd.DataFrame:
    """The ratings of the raters who are not in `excluded`."""
    return table[~table["rater"].isin(excluded["rater"])]


def rater_means(table: pd.DataFrame, conditions: list[str]) -> pd.DataFrame:
    """One row for each rater, one column for each condition; NaN where nothing was rated."""
    ratings = table["rating"].astype(float)
    means = ratings.groupby([table["rater"], table["condition"]]).mean()
    return means.unstack("condition").reindex(columns=conditions).round(DIGITS)


def _letters(number: int) -> str:
    """A to Z, then A1, B1, ..."""
    return f"{chr(ord('A') + number % 26)}{number // 26 or ''}"


def _half_points(text: str) -> float | None:
    """The rating a text stands for, or None when it is none."""
    value = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else math.nan
    return value if value <= 10 and (2 * value).is_integer() else None
