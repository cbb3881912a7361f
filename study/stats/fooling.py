"""The fooling rate of the real-or-fake protocol (Zhang et al. 2016), against chance."""

import math

import numpy as np
import pandas as pd
from scipy import stats

from study.stats.analysis import condition_means
from study.stats.moments import p_values, rater_values, stratified
from study.stats.ratings import as_cells, conditions_of

CHANCE = 0.5
COLUMNS = [
    *("condition", "raters", "trials", "fooled", "rate", "ci_low", "ci_high"),
    *("boot_low", "boot_high", "wilson_low", "wilson_high", "t", "df", "p", "note"),
]


def fooling_rates(table: pd.DataFrame) -> pd.DataFrame:
    """How often each model's colours were taken for the true ones; rating is 1 (fooled) or 0.

    `rate` is the mean of the lists' means of the raters' rates, with the intervals of
    `study.stats.analysis.condition_means`. Wilson's interval of all trials is for reference: it
    takes
    them for independent and so is too narrow. t, df and p compare the rate with chance, over raters
    within lists. Intervals may leave 0 to 1. NaN where undefined, and `note` says why.

    >>> table = pd.DataFrame({
    ...     "rater": np.repeat([*"ABCD"], 5),
    ...     "picture": ["plum", "pear", "fig", "lime", "kiwi"] * 4,
    ...     "condition": "colornet",
    ...     "rating": [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0],
    ... })
    >>> columns = ["condition", "trials", "fooled", "rate", "ci_low", "ci_high", "wilson_low"]
    >>> fooling_rates(table)[columns].round(3)
      condition  trials  fooled  rate  ci_low  ci_high  wilson_low
    0  colornet      20       6   0.3   0.116    0.484       0.145
    """
    conditions = conditions_of(table)
    cells = as_cells(table, conditions)
    rows = condition_means(cells, conditions).rename(columns={"mean": "rate"}).to_dict("records")
    for row, y in zip(rows, cells.y, strict=True):
        single = y[np.isfinite(y)]
        row["trials"], row["fooled"] = len(single), int(single.sum())
        wilson = stats.binomtest(row["fooled"], row["trials"]).proportion_ci(method="wilson")
        row["wilson_low"], row["wilson_high"] = wilson.low, wilson.high
        result = stratified(*rater_values(y, cells.lists))
        if result.variance > 0:
            against = result._replace(mean=result.mean - CHANCE)
            t = float(against.mean / math.sqrt(result.variance))
            row |= {"t": t, "df": result.df, "p": float(p_values(against))}
    return pd.DataFrame(rows, columns=COLUMNS)
