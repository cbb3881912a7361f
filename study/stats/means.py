"""The mean of each condition and the fooling rate of each model, with their intervals.

Ratings are averaged by rater and condition first, so that each rater counts once however much they
rated, and the raters' means by counterbalancing list, so that the lists' pictures count equally
however many raters each list has. `study.stats.contrasts` estimates differences in the same way.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.stats.bootstrap import bootstrap_intervals
from study.stats.moments import Moments, half_width, p_values, rater_values, stratified
from study.stats.ratings import CONDITIONS, CONTROL, DIGITS, Ratings

# Fooling rate of raters who cannot tell generated from true colours.
CHANCE = 0.5


@dataclass(frozen=True)
class Mean:
    """The mean of the lists' means of rater means, with 95% intervals that end with the scale.

    `ci_low` to `ci_high` is the t interval over raters, from their spread within lists: it speaks
    for other raters of these pictures. `boot_low` to `boot_high` is the bootstrap interval, raters
    and pictures resampled: it speaks for other raters of other pictures. Where one is NaN, `note`
    says why.
    """

    condition: str
    raters: int
    mean: float
    ci_low: float
    ci_high: float
    boot_low: float
    boot_high: float
    note: str


@dataclass(frozen=True)
class ConditionMean:
    """The mean rating of a condition, in points, see `Mean`; `sd` is that of the single ratings.

    `published` is the mean that the paper gives, NaN where the study does not follow its protocol.
    """

    condition: str
    raters: int
    ratings: int
    mean: float
    sd: float
    ci_low: float
    ci_high: float
    boot_low: float
    boot_high: float
    note: str
    published: float = math.nan


@dataclass(frozen=True)
class FoolingRate:
    """The share of a model's pictures that were taken for the true ones, from 0 to 1.

    The measure is that of Zhang et al. 2016. `rate` and its intervals are as in `Mean`. Wilson's
    interval of all trials is for reference: it treats them as independent and so is too narrow.
    `t`, `df` and `p` compare the rate with chance by a by-participant t test within lists;
    `p_holm` is `p` adjusted by Holm's method for all tests of the study.
    """

    condition: str
    raters: int
    trials: int
    fooled: int
    rate: float
    ci_low: float
    ci_high: float
    boot_low: float
    boot_high: float
    wilson_low: float
    wilson_high: float
    t: float
    df: float
    p: float
    note: str
    p_holm: float = math.nan


def condition_means(ratings: Ratings) -> list[ConditionMean]:
    """One for each condition of ratings from 0 to 10; there are always two or more.

    >>> import pandas as pd
    >>> ratings = Ratings(pd.DataFrame({
    ...     "rater": list("AABBCC"),
    ...     "picture": ["plum", "pear"] * 3,
    ...     "condition": ["control", "generated"] * 3,
    ...     "rating": [8, 3, 7, 4, 9, 3.5],
    ... }))
    >>> for each in condition_means(ratings):
    ...     print(f"{each.condition} {each.mean} [{each.ci_low:.2f}, {each.ci_high:.2f}]")
    control 8.0 [5.52, 10.00]
    generated 3.5 [2.26, 4.74]
    """
    conditions = list(dict.fromkeys([CONTROL, *ratings.conditions]))
    conditions = conditions if len(conditions) > 1 else CONDITIONS
    single = ratings.table["rating"].astype(float).groupby(ratings.table["condition"])
    counts, sd = single.size(), single.std()
    return [
        ConditionMean(
            **vars(mean),
            ratings=int(counts.get(mean.condition, 0)),
            sd=float(sd.get(mean.condition, math.nan)),
        )
        for mean in _means(ratings, conditions, 10)
    ]


def fooling_rates(ratings: Ratings) -> list[FoolingRate]:
    """One for each model; a rating is 1 where the rater was fooled, else 0.

    >>> import pandas as pd
    >>> ratings = Ratings(pd.DataFrame({
    ...     "rater": np.repeat([*"ABCD"], 5),
    ...     "picture": ["plum", "pear", "fig", "lime", "kiwi"] * 4,
    ...     "condition": "colornet",
    ...     "rating": [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0],
    ... }))
    >>> for each in fooling_rates(ratings):
    ...     print(f"{each.fooled} of {each.trials}: {each.rate} [{each.ci_low:.3f}, ...")
    6 of 20: 0.3 [0.116, ...
    """
    found = []
    for mean in _means(ratings, ratings.conditions, 1):
        cells = ratings.cells(mean.condition)
        single = cells.y[np.isfinite(cells.y)]
        wilson = stats.binomtest(int(single.sum()), len(single)).proportion_ci(method="wilson")
        result = stratified(*rater_values(cells.y[0], cells.lists))
        t = df = p = math.nan
        if result.variance > 0:
            against = result._replace(mean=result.mean - CHANCE)
            t = float(against.mean / math.sqrt(result.variance))
            df, p = float(result.df), float(p_values(against))
        of_mean = vars(mean) | {"rate": mean.mean}
        del of_mean["mean"]
        found.append(
            FoolingRate(
                **of_mean,
                trials=len(single),
                fooled=int(single.sum()),
                wilson_low=wilson.low,
                wilson_high=wilson.high,
                t=t,
                df=df,
                p=p,
            )
        )
    return found


def _means(ratings: Ratings, conditions: list[str], highest: float) -> Iterator[Mean]:
    """The mean of each condition on a scale from 0 to `highest`."""
    cells = ratings.cells(*conditions)
    boots = bootstrap_intervals(cells)
    for name, y, (boot_low, boot_high) in zip(conditions, cells.y, boots, strict=True):
        values, lists = rater_values(y, cells.lists)
        result = stratified(values, lists)
        mean, half = round(float(result.mean), DIGITS), float(half_width(result))
        note = _why_not(name, len(values), result)
        if len(values) > 1 and np.isnan(boot_low) and np.ptp(y[np.isfinite(y)]) > 0:
            note += (
                f" There is no bootstrap interval for {name}: it takes two raters in each list and"
                " two pictures in each set that the lists swap."
            )
        low, high = np.clip([mean - half, mean + half], 0, highest).tolist()
        limits = low, high, float(boot_low), float(boot_high)
        yield Mean(name, len(values), mean, *limits, note.strip())


def _why_not(condition: str, n: int, result: Moments) -> str:
    """Why a mean has no interval over raters, or nothing."""
    if n == 0:
        return ""
    if n == 1:
        return f"Only one rater rated {condition} pictures, so that mean has no interval."
    if result.df == 0:
        return f"With {n} raters in {n} lists the mean of {condition} pictures has no interval."
    if result.variance == 0:
        who = "All raters" if n - result.df == 1 else "All raters of each list"
        return f"{who} have the same mean for {condition} pictures, so it has no interval."
    return ""
