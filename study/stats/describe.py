"""What was rated, counted and averaged: lists, pictures, response times and failed checks."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.stats.ratings import CONTROL, DIGITS, Ratings


@dataclass(frozen=True)
class ListCount:
    """How many ratings a list has of a condition.

    `expected` is what its raters would give if each rated every picture that anybody in the list
    rated in that condition.
    """

    list: str
    condition: str
    raters: int
    pictures: int
    ratings: int
    expected: int
    missing: int


def count_lists(ratings: Ratings) -> list[ListCount]:
    """One for each list and condition that has ratings, control first within a list.

    >>> ratings = Ratings(pd.DataFrame({
    ...     "rater": ["A", "A", "B"],
    ...     "picture": ["plum", "pear", "plum"],
    ...     "condition": ["control", "generated", "control"],
    ...     "rating": [9, 3, 8],
    ... }))
    >>> for count in count_lists(ratings):
    ...     print(f"{count.condition}: {count.ratings} of {count.expected}")
    control: 2 of 2
    generated: 1 of 2
    """
    grid = ratings.cells(*ratings.conditions)
    names = sorted(set(ratings.lists))
    found = []
    for number, name in enumerate(names):
        of_list = np.isfinite(grid.y[:, grid.lists == number])
        for condition, seen in zip(ratings.conditions, of_list, strict=True):
            raters, pictures = (int(seen.any(axis=axis).sum()) for axis in (1, 0))
            given, expected = int(seen.sum()), pictures * of_list.shape[1]
            if given:
                counts = raters, pictures, given, expected, expected - given
                found.append(ListCount(name, condition, *counts))
    return found


@dataclass(frozen=True)
class Score:
    """The ratings of a picture in one condition: raters, mean and standard deviation.

    `difference` is control minus this condition; NaN where either has no ratings.
    """

    raters: int
    mean: float
    sd: float
    difference: float


NOT_RATED = Score(0, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class PictureScores:
    """A picture with its scores by condition; `kind` is None where the table has none."""

    picture: str
    kind: str | None
    scores: dict[str, Score]

    def score(self, condition: str) -> Score:
        """That in a condition, of no raters where it has none."""
        return self.scores.get(condition, NOT_RATED)


def score_pictures(ratings: Ratings) -> list[PictureScores]:
    """One for each picture, in sorted order.

    >>> ratings = Ratings(pd.DataFrame({
    ...     "rater": list("ABCD"),
    ...     "picture": ["plum"] * 4,
    ...     "condition": ["control", "control", "generated", "generated"],
    ...     "rating": [9, 8, 3, 4],
    ... }))
    >>> score_pictures(ratings)[0].scores["generated"]
    Score(raters=2, mean=3.5, sd=0.7071067811865476, difference=5.0)
    """
    table = ratings.table
    groups = table["rating"].astype(float).groupby([table["picture"], table["condition"]])
    figures = groups.agg(["count", "mean", "std"]).to_dict("index")
    kinds = table.groupby("picture")["kind"].first() if "kind" in table else {}
    found = []
    for picture in sorted(table["picture"].unique()):
        of = {name: figures.get((picture, name)) for name in ratings.conditions}
        control = of[CONTROL]["mean"] if of.get(CONTROL) else math.nan
        scores = {name: _score(each, control, name) for name, each in of.items()}
        kind = kinds.get(picture)
        found.append(PictureScores(picture, None if pd.isna(kind) else kind, scores))
    return found


def _score(figures: dict | None, control: float, condition: str) -> Score:
    if figures is None:
        return NOT_RATED
    mean = figures["mean"]
    difference = math.nan if condition == CONTROL else round(control - mean, DIGITS)
    return Score(int(figures["count"]), round(mean, DIGITS), figures["std"], difference)


@dataclass(frozen=True)
class ResponseTimes:
    """Seconds from the pair in sight to its rating: median, quartiles and the fastest."""

    condition: str
    ratings: int
    median_s: float
    q25_s: float
    q75_s: float
    fastest_s: float


def response_times(ratings: Ratings) -> list[ResponseTimes]:
    """One for each condition and one for "all"; ratings without a time are left out.

    >>> ratings = Ratings(pd.DataFrame({
    ...     "condition": ["control", "generated"], "response_ms": [4000, 2500]
    ... }))
    >>> [(each.condition, each.median_s) for each in response_times(ratings)]
    [('control', 4.0), ('generated', 2.5), ('all', 3.25)]
    """
    if "response_ms" not in ratings.table:
        return []
    seconds = pd.to_numeric(ratings.table["response_ms"], errors="coerce") / 1000
    conditions = ratings.table["condition"][seconds >= 0]
    seconds = seconds[seconds >= 0]
    found = []
    for name in [*ratings.conditions, "all"]:
        of = seconds[(conditions == name) | (name == "all")]
        if len(of):
            low, median, high = of.quantile([0.25, 0.5, 0.75]).round(2).tolist()
            fastest = round(float(of.min()), 2)
            found.append(ResponseTimes(name, len(of), median, low, high, fastest))
    return found


@dataclass(frozen=True)
class Exclusion:
    """A rater who failed quality checks, and which."""

    rater: object
    reasons: str


def exclusions(checks: pd.DataFrame) -> list[Exclusion]:
    """Raters who failed a check: from rows of rater, name, outcome, detail.

    A check that could not be run excludes nobody.

    >>> checks = pd.DataFrame(
    ...     [(7, "attention", "failed", ""), (7, "too fast", "failed", "6 of 10 under 0.7 s"),
    ...      (8, "attention", "passed", ""), (9, "color vision", "could not run", "")],
    ...     columns=["rater", "name", "outcome", "detail"],
    ... )
    >>> exclusions(checks)
    [Exclusion(rater=7, reasons='attention; too fast: 6 of 10 under 0.7 s')]
    """
    reasons: dict[object, list[str]] = {}
    for check in checks[checks["outcome"] == "failed"].itertuples():
        detail = "" if pd.isna(check.detail) else str(check.detail).strip()
        reasons.setdefault(check.rater, []).append(f"{check.name}: {detail}".removesuffix(": "))
    return [Exclusion(rater, "; ".join(texts)) for rater, texts in reasons.items()]
