"""The fooling rate of the real-or-fake protocol (Zhang et al. 2016), against chance."""

import math

import numpy as np
import pandas as pd
from scipy import stats

from study.bootstrap import bootstrap_means
from study.moments import Moments, p_values, stratified
from study.ratings import DIGITS, as_cells, conditions_of, lists_of

COLUMNS = [
    *("condition", "raters", "trials", "fooled", "rate", "ci_low", "ci_high"),
    *("boot_low", "boot_high", "wilson_low", "wilson_high", "t", "df", "p", "note"),
]


def fooling_rates(table: pd.DataFrame, *, chance: float = 0.5) -> pd.DataFrame:
    """How often each model's colours were taken for the true ones; rating is 1 (fooled) or 0.

    `rate` is the mean of the raters' rates; `ci_low` to `ci_high` is its 95% t interval over
    raters within lists (other raters, these pictures), `boot_low` to `boot_high` has raters and
    pictures resampled (others of both). Wilson's interval of all trials is for reference: it takes
    them for independent and so is too narrow. t, df and p compare the raters' rates with `chance`.
    Intervals may leave 0 to 1. NaN where undefined, and `note` says why.

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
    table = table.assign(list=lists_of(table))
    rows = []
    for condition in conditions_of(table):
        shown = table[table["condition"] == condition]
        cells = as_cells(shown, [condition])
        rates = np.nanmean(cells.y[0], axis=1)
        trials, fooled = len(shown), int(shown["rating"].sum())
        result, n = stratified(rates, cells.lists), len(rates)
        boot = bootstrap_means(shown).iloc[0]
        wilson = stats.binomtest(fooled, trials).proportion_ci(method="wilson")
        row = {
            "condition": condition,
            "raters": n,
            "trials": trials,
            "fooled": fooled,
            "rate": round(float(rates.mean()), DIGITS),
            "boot_low": boot["low"],
            "boot_high": boot["high"],
            "wilson_low": wilson.low,
            "wilson_high": wilson.high,
            "note": _why_not(n, result),
        }
        if not row["note"]:
            se = math.sqrt(result.variance)
            half = stats.t.ppf(0.975, result.df) * se
            against = result._replace(mean=row["rate"] - chance)
            row |= {"ci_low": row["rate"] - half, "ci_high": row["rate"] + half}
            row |= {"t": against.mean / se, "df": result.df, "p": float(p_values(against))}
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _why_not(n: int, result: Moments) -> str:
    if n == 1:
        return "There is only one rater, so there is no interval over raters and no test."
    if result.df == 0:
        return f"With {n} raters in {n} lists there is no spread within lists to test by."
    if result.variance == 0:
        return "All raters have the same rate, so it has no interval over raters and no test."
    return ""
