"""How far raters agree: intraclass correlation and Krippendorff's alpha."""

import math
import warnings

import numpy as np
import pandas as pd

from study.stats.ratings import as_cells, conditions_of, lists_of

MIN_RATINGS = 5  # that pingouin takes
COLUMNS = [
    "condition",
    "list",
    "raters",
    "complete",
    "pictures",
    "icc_single",
    "icc_low",
    "icc_high",
    "icc_mean",
    "alpha",
    "note",
]


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each condition and list, and with several lists one for "all".

    `icc_single` is ICC(2,1) of Shrout & Fleiss (two-way random, absolute agreement) with its 95%
    interval, `icc_mean` is ICC(2,k): of single ratings and of the mean over the raters. Both need
    raters who rated the same pictures, so they are over those who rated all of them, `complete` of
    the `raters`, and the row "all" has none. `alpha` is Krippendorff's for interval data: over all
    raters, with gaps allowed, without an interval. NaN where undefined, and `note` says why; so
    are estimates outside -1 to 1, which are no correlations.

    Six wines and four judges of Shrout & Fleiss 1979:

    >>> ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9],
    ...            [6, 2, 4, 7]]
    >>> table = pd.DataFrame(
    ...     [(judge, wine, "control", ratings[wine][judge]) for wine in range(6)
    ...      for judge in range(4)],
    ...     columns=["rater", "picture", "condition", "rating"],
    ... )
    >>> print(agreement(table)[["list", "raters", "complete", "icc_single", "icc_mean"]].round(2))
      list  raters  complete  icc_single  icc_mean
    0    A       4         4        0.29      0.62
    """
    table = table.assign(list=lists_of(table))
    rows = []
    for condition in conditions_of(table):
        shown = table[table["condition"] == condition]
        names = sorted(shown["list"].unique())
        for name in [*names, "all"] if len(names) > 1 else names:
            part = shown if name == "all" else shown[shown["list"] == name]
            rows.append((condition, name, *_agreement(part, condition, single=name != "all")))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"complete": "Int64"})


def _agreement(part: pd.DataFrame, condition: str, *, single: bool) -> tuple:
    y = as_cells(part, [condition]).y[0]  # (raters, pictures)
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
    return (raters, count, pictures, *figures.tolist(), note)


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
