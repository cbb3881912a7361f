"""The ratings of a study: a checked table, its counterbalancing lists, and its cells as an array.

A table has the columns rater, picture, condition ("control" shows the true colours, any other name
is a model's: "generated") and rating, and optionally list (the counterbalancing list of the
session), kind (of fruit) and response_ms. Other columns are ignored.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

CONTROL = "control"
CONDITIONS = [CONTROL, "generated"]
COLUMNS = ["rater", "picture", "condition", "rating"]
# Decimals that means are rounded to, so that binary fractions neither show nor break ties.
DIGITS = 12


@dataclass(frozen=True)
class Cells:
    """Ratings as an array, without raters and pictures that have none.

    Attributes:
        y: (conditions, raters, pictures), NaN where nothing was rated.
        lists: (raters,) the number of each rater's counterbalancing list.
    """

    y: np.ndarray
    lists: np.ndarray


@dataclass(frozen=True)
class Ratings:
    """A table of ratings and what every statistic needs of it, each computed once.

    A rater rates a picture once in a condition, as `check_ratings` and the database make sure.

    >>> ratings = Ratings(pd.DataFrame({
    ...     "rater": ["A", "A", "B"],
    ...     "picture": ["plum", "pear", "plum"],
    ...     "condition": ["control", "generated", "control"],
    ...     "rating": [9, 3, 8],
    ... }))
    >>> ratings.conditions
    ['control', 'generated']
    >>> ratings.cells("control").y
    array([[[9.],
            [8.]]])
    """

    table: pd.DataFrame

    @cached_property
    def conditions(self) -> list[str]:
        """The conditions in the table, control first, the others as they first appear."""
        found = dict.fromkeys(self.table["condition"])
        return sorted(found, key=lambda name: name != CONTROL)

    @cached_property
    def lists(self) -> pd.Series:
        """{rater: name of the list}: the column, or found from who saw what as what.

        Without the column, raters who never saw a picture in different conditions share a list.

        >>> Ratings(pd.DataFrame({
        ...     "rater": [1, 1, 2, 2, 3, 3],
        ...     "picture": ["plum", "pear", "pear", "plum", "plum", "pear"],
        ...     "condition": ["control", "generated"] * 3,
        ... })).lists.tolist()
        ['A', 'B', 'A']
        """
        table = self.table
        if "list" in table and table["list"].notna().all():
            return table.drop_duplicates("rater").set_index("rater")["list"].astype(str)
        known: list[dict] = []  # conditions of each picture, by list
        found = {}
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
            found[rater] = _letters(number)
        return pd.Series(found, dtype=str)

    @cached_property
    def _grid(self) -> Cells:
        """The cells of all conditions.

        Raters and pictures are in sorted order. Raters who are numbers come in the order of
        numbers, also where they were read as text, so that what is drawn at random does not depend
        on where the table is from.
        """
        table = self.table
        raters = sorted(table["rater"].unique(), key=lambda rater: (len(str(rater)), str(rater)))
        axes = {"condition": self.conditions, "rater": raters}
        axes["picture"] = sorted(table["picture"].unique())
        y = np.full([len(names) for names in axes.values()], np.nan)
        places = [pd.Index(names).get_indexer(table[axis]) for axis, names in axes.items()]
        y[tuple(places)] = table["rating"].astype(float)
        return Cells(y, pd.factorize(self.lists.reindex(raters), sort=True)[0])

    def cells(self, *conditions: str) -> Cells:
        """The ratings of these conditions; one that is not in the table has no ratings."""
        grid = self._grid
        nothing = np.full(grid.y.shape[1:], np.nan)
        of = dict(zip(self.conditions, grid.y, strict=True))
        y = np.array([of.get(condition, nothing) for condition in conditions])
        y = y.reshape(len(conditions), *nothing.shape)
        seen = np.isfinite(y).any(axis=0)
        raters, pictures = seen.any(axis=1), seen.any(axis=0)
        return Cells(y[:, raters][:, :, pictures], grid.lists[raters])

    def without(self, raters: Iterable) -> "Ratings":
        """The ratings of all other raters."""
        return Ratings(self.table[~self.table["rater"].isin(list(raters))])

    def rater_means(self, *conditions: str) -> pd.DataFrame:
        """One row for each rater, one column for each condition; NaN where nothing was rated."""
        ratings = self.table["rating"].astype(float)
        means = ratings.groupby([self.table["rater"], self.table["condition"]]).mean()
        return means.unstack("condition").reindex(columns=list(conditions)).round(DIGITS)


def check_ratings(table: pd.DataFrame, conditions: list[str] | None = CONDITIONS) -> pd.DataFrame:
    """Return the columns of `COLUMNS`, cleaned; raise ValueError naming the first line at fault.

    Lines count as in the CSV file: the header is line 1, the row with index 0 is line 2. With
    `conditions` None every name is one, so that a study of several models can be read.

    >>> check_ratings(pd.DataFrame([("A", "plum", "control", "8.5")], columns=COLUMNS))
      rater picture condition  rating
    0     A    plum   control     8.5
    >>> check_ratings(pd.DataFrame([("A", "plum", "control", "8.4")], columns=COLUMNS))
    Traceback (most recent call last):
    ValueError: Line 2: the rating '8.4' is not in 0, 0.5, ... 10.
    """
    lines: dict[tuple[str, str, str], int] = {}  # the first line of each cell
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


def _letters(number: int) -> str:
    """A to Z, then A1, B1, ..."""
    return f"{chr(ord('A') + number % 26)}{number // 26 or ''}"


def _half_points(text: str) -> float | None:
    """The rating that a text stands for, with a decimal point or comma; None: it is none."""
    number = text.replace(",", ".")
    value = float(number) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", number) else math.nan
    return value if value <= 10 and (2 * value).is_integer() else None
