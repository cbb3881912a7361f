"""How far raters agree: intraclass correlation and Krippendorff's alpha."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.stats.ratings import Ratings

# Number of ratings that pingouin needs for an intraclass correlation.
MIN_RATINGS = 5


@dataclass(frozen=True)
class Agreement:
    """How far the raters of a condition agree, in one list or in "all".

    `icc_single` is ICC(2,1) of Shrout & Fleiss 1979 (two-way random, absolute agreement) with its
    95% interval, `icc_mean` is ICC(2,k): of single ratings and of the mean over the raters. Both
    need raters who rated the same pictures, so they are over those who rated all of them,
    `complete` of the `raters`, and "all" has none. `alpha` is Krippendorff's for interval data
    (Krippendorff 2011): over all raters, with gaps allowed, without an interval. NaN where
    undefined and where an estimate lies outside -1 to 1; `note` says why.
    """

    condition: str
    list: str
    raters: int
    complete: int | None
    pictures: int
    icc_single: float
    icc_low: float
    icc_high: float
    icc_mean: float
    alpha: float
    note: str


def agreement(ratings: Ratings) -> list[Agreement]:
    """One for each condition and list, and with several lists one for "all".

    Six wines and four judges of Shrout & Fleiss 1979:

    >>> wines = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9],
    ...          [6, 2, 4, 7]]
    >>> table = pd.DataFrame(
    ...     [(judge, wine, "control", wines[wine][judge]) for wine in range(6)
    ...      for judge in range(4)],
    ...     columns=["rater", "picture", "condition", "rating"],
    ... )
    >>> (found,) = agreement(Ratings(table))
    >>> print(f"{found.icc_single:.2f} {found.icc_mean:.2f}")
    0.29 0.62
    """
    names, found = sorted(set(ratings.lists)), []
    for condition in ratings.conditions:
        cells = ratings.cells(condition)
        here = np.unique(cells.lists)
        for number in [*here, None] if len(here) > 1 else here:
            of = cells.y[0] if number is None else cells.y[0, cells.lists == number]
            y = of[:, np.isfinite(of).any(axis=0)]
            name = "all" if number is None else names[number]
            found.append(_agreement(condition, name, y, single=number is not None))
    return found


def _agreement(condition: str, name: str, y: np.ndarray, *, single: bool) -> Agreement:
    """That of ratings y (raters, pictures); `single`: of one list, with intraclass correlations."""
    complete = y[np.isfinite(y).all(axis=1)]
    nothing = [math.nan] * 4
    figures, note = nothing, ""
    if len(y) < 2:
        note = "With only one rater there is no agreement to measure."
    elif np.isfinite(y).sum(axis=0).max() < 2:
        note = "No picture was rated by two raters, so there is no agreement to measure."
    elif np.nanmin(y) == np.nanmax(y):
        note = "All ratings are equal, so agreement beyond chance is undefined."
    elif single and y.shape[1] < 2:
        note = "There is only one picture, so there is no correlation over pictures."
    elif single and len(complete) < 2:
        note = "Fewer than two raters rated all pictures, so there is no intraclass correlation."
    elif single and complete.size < MIN_RATINGS:
        note = "There are too few ratings for an intraclass correlation."
    elif single and complete.min() == complete.max():
        note = "The raters who rated all pictures gave equal ratings: no intraclass correlation."
    elif single:
        figures = _icc(complete)
    raters, pictures = y.shape
    count = len(complete) if single else None
    figures = np.array([*figures, _alpha(y)], dtype=float)
    outside = np.abs(figures) > 1 + 1e-9
    if outside.any():
        figures[outside] = math.nan
        note = "An estimate outside its range of -1 to 1 is not shown, as there are too few data."
    return Agreement(condition, name, raters, count, pictures, *figures.tolist(), note)


def _icc(y: np.ndarray) -> list[float]:
    """ICC(2,1), its interval and ICC(2,k) of complete ratings."""
    import pingouin  # here: slow to import

    raters, pictures = y.shape
    long = pd.DataFrame(
        {
            "picture": np.tile(np.arange(pictures), raters),
            "rater": np.repeat(np.arange(raters), pictures),
            "rating": y.ravel(),
        }
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # no residual is left where raters agree perfectly
        found = pingouin.intraclass_corr(long, "picture", "rater", "rating").set_index("Type")
    low, high = found.loc["ICC(A,1)", "CI95"]
    return [found.loc["ICC(A,1)", "ICC"], low, high, found.loc["ICC(A,k)", "ICC"]]


def _alpha(y: np.ndarray) -> float:
    """Krippendorff's alpha for interval data; NaN without two different ratings to pair."""
    import krippendorff

    paired = y[:, np.isfinite(y).sum(axis=0) > 1]
    if not paired.size or np.nanmin(paired) == np.nanmax(paired):
        return math.nan
    return float(krippendorff.alpha(paired, level_of_measurement="interval"))
