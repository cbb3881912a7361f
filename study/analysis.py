"""What the report is made of: means, the paired difference, and what they cannot show.

Pure functions on a table of ratings (study/ratings.py). Ratings are averaged by rater and condition
first, so each rater counts once however much they rated. The tests that take the design into
account are in study/contrasts.py.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from study.bootstrap import bootstrap_means
from study.contrasts import is_nested
from study.moments import rounded_mean, stratified
from study.ratings import (
    COLUMNS,
    CONDITIONS,
    CONTROL,
    DIGITS,
    check_ratings,
    conditions_of,
    lists_of,
    rater_means,
)

__all__ = [
    "COLUMNS",
    "CONDITIONS",
    "PAPER_MEANS",
    "PairedDifference",
    "caveats",
    "check_ratings",
    "condition_summary",
    "paired_difference",
]

# Leisher & Martin: four raters, five control and five generated pictures, ratings from 0 to 10.
PAPER_MEANS = {"control": 8.55, "generated": 3.225}

EXACT_RATERS = 15  # up to here all 2**n sign flips are counted, beyond it as many are sampled
SMALL = 30  # with fewer raters than this the t interval leans on normally distributed means


@dataclass(frozen=True)
class PairedDifference:
    """Control minus model over the `n` raters who rated both; NaN where undefined, see `note`."""

    n: int
    mean: float
    sd: float
    dz: float  # mean / sd
    ci_low: float
    ci_high: float
    t: float
    df: float
    p: float
    p_signflip: float
    note: str = ""

    @property
    def exact(self) -> bool:
        """Whether `p_signflip` counts every sign flip rather than a sample of them."""
        return self.n <= EXACT_RATERS


def condition_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each condition: the mean of the rater means, its 95% intervals, the paper's.

    `ci_low` to `ci_high` is the t interval over raters, from their spread within lists: other
    raters of these pictures. `boot_low` to `boot_high` has raters and pictures resampled: other
    raters of other pictures. `sd` is that of the single ratings. The intervals are not clipped to
    the scale, and NaN with fewer than two raters (pictures) or no spread.

    >>> ratings = pd.DataFrame({
    ...     "rater": list("AABBCC"),
    ...     "picture": ["plum", "pear"] * 3,
    ...     "condition": ["control", "generated"] * 3,
    ...     "rating": [9, 3, 8, 4, 10, 3.5],
    ... })
    >>> condition_summary(ratings).drop(columns=["boot_low", "boot_high"]).round(3)
       condition  raters  ratings  mean   sd  ci_low  ci_high  paper
    0    control       3        3   9.0  1.0   6.516   11.484  8.550
    1  generated       3        3   3.5  0.5   2.258    4.742  3.225
    """
    boot = bootstrap_means(table).set_index("condition")[["low", "high"]]
    summary = _means(table)
    boot = boot.reindex(summary["condition"]).to_numpy()
    summary.insert(7, "boot_low", boot[:, 0])
    summary.insert(8, "boot_high", boot[:, 1])
    return summary


def paired_difference(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> PairedDifference:
    """Compare two conditions within raters: paired t test and sign-flip permutation test.

    With fewer than two raters nothing but the mean is defined. When all differences are equal
    there is no t test and no interval, but the sign flips can still be counted. In a
    counterbalanced study the difference between the lists' pictures counts as noise here: both
    tests err on the safe side, where `study.contrasts.by_raters` is exact.

    Student's sleep data (1908), hours of extra sleep under two drugs:

    >>> extra = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4,
    ...          0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    >>> sleep = pd.DataFrame({
    ...     "rater": [*"abcdefghij"] * 2,
    ...     "picture": "none",
    ...     "condition": ["control"] * 10 + ["generated"] * 10,
    ...     "rating": extra,
    ... })
    >>> result = paired_difference(sleep)
    >>> print(f"{result.mean:.2f} [{result.ci_low:.2f}, {result.ci_high:.2f}], dz {result.dz:.2f}")
    1.58 [0.70, 2.46], dz 1.28
    >>> print(f"t({result.df:g}) = {result.t:.4f}, p = {result.p:.5f}")
    t(9) = 4.0621, p = 0.00283
    >>> print(result.p_signflip)  # 4 of 1024 flips are as extreme: one difference is zero
    0.00390625
    """
    means = rater_means(table, [reference, condition]).dropna()
    differences = (means[reference] - means[condition]).round(DIGITS)
    n, sd = len(differences), float(differences.std())
    low = high = t = p = dz = p_signflip = math.nan
    note = ""
    if n < 2:
        who = "Only one rater" if n else "No rater"
        note = f"{who} rated both conditions, so the paired difference cannot be tested."
    elif differences.nunique() == 1:
        note = "All raters show the same difference, so it has no interval and no t test."
    else:
        test = stats.ttest_rel(means[reference], means[condition])
        low, high = test.confidence_interval()
        t, p, dz = test.statistic, test.pvalue, differences.mean() / sd
    if n > 1:
        p_signflip = stats.permutation_test(
            (differences.to_numpy(),),
            rounded_mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=2**EXACT_RATERS,
            batch=2**10,
            rng=np.random.default_rng(0),
        ).pvalue
    return PairedDifference(
        n=n,
        mean=round(float(differences.mean()), DIGITS),
        sd=sd,
        dz=float(dz),
        ci_low=float(low),
        ci_high=float(high),
        t=float(t),
        df=float(n - 1) if n > 1 else math.nan,
        p=float(p),
        p_signflip=float(p_signflip),
        note=note,
    )


def caveats(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> list[str]:
    """Say in plain sentences what these ratings of two conditions cannot show.

    >>> one = pd.DataFrame([("A", "plum", "control", 8.5)], columns=COLUMNS)
    >>> for sentence in caveats(one):
    ...     print(sentence)
    There are no ratings of generated pictures, so the conditions cannot be compared.
    There is only one rater, so there is no interval and no test.
    The tests over raters speak for this 1 picture only, not for others.
    """
    pair = [reference, condition]
    table = table[table["condition"].isin(pair)]
    if table.empty:
        return ["There are no ratings, so nothing can be concluded."]
    return [
        *_on_coverage(table, pair),
        *_on_spread(table, pair),
        *_on_lists(table, pair),
        *_on_pictures(table, pair),
    ]


def _on_coverage(table: pd.DataFrame, pair: list[str]) -> list[str]:
    """Missing conditions and raters who left something out."""
    counts = table.groupby(["rater", "condition"]).size().unstack(fill_value=0)
    absent = [condition for condition in pair if condition not in counts]
    said = [
        f"There are no ratings of {condition} pictures, so the conditions cannot be compared."
        for condition in absent
    ]
    halves = int((counts == 0).any(axis=1).sum())
    if halves:
        said.append(
            f"{halves} of {len(counts)} raters rated one condition only and "
            f"{'is' if halves == 1 else 'are'} left out of the paired difference."
        )
    full = counts.max()
    if is_nested(table, *pair):  # then the pictures tell
        full = table.groupby("condition")["picture"].nunique()
    gaps = int((counts < full).any(axis=1).sum())
    if gaps:
        said.append(
            f"{gaps} of {len(counts)} raters did not rate every picture, so their means "
            "rest on different pictures or on fewer of them."
        )
    return said


def _on_spread(table: pd.DataFrame, pair: list[str]) -> list[str]:
    """What too few raters, or raters who all agree, leave undecided."""
    if table["rater"].nunique() == 1:
        return ["There is only one rater, so there is no interval and no test."]
    if table["rating"].nunique() == 1:
        return ["All ratings are equal, so there is no spread for an interval or a t test."]
    means = rater_means(table, pair)
    differences = (means[pair[0]] - means[pair[1]]).round(DIGITS).dropna()
    n = len(differences)
    said = []
    for condition in pair:
        if means[condition].count() == 1:
            said.append(f"Only one rater rated {condition} pictures: that mean has no interval.")
        elif means[condition].nunique() == 1:
            said.append(
                f"All raters have the same mean for {condition} pictures, so it has no interval."
            )
    if n < 2 and table["condition"].nunique() == 2:
        who = "Only one rater" if n else "No rater"
        said.append(f"{who} rated both conditions, so the paired difference cannot be tested.")
    if n > 1 and differences.nunique() == 1:
        said.append("All raters show the same difference, so it has no interval and no t test.")
    if 2 <= n < 6:
        said.append(
            f"With {n} raters the smallest possible p of the sign-flip test is {2 / 2**n:g} "
            f"(2 / 2^{n}), so by that test no result can be below .05."
        )
    intervals = _means(table).dropna(subset="ci_low")
    if (intervals["raters"] < SMALL).any():
        said.append(
            "The 95% intervals, like any t test, assume that the rater means are roughly "
            "normally distributed, which so few raters cannot confirm."
        )
    if (intervals["ci_low"] < 0).any() or (intervals["ci_high"] > 10).any():
        said.append(
            "An interval reaches beyond the scale of 0 to 10: that assumption fits poorly there."
        )
    return said


def _on_lists(table: pd.DataFrame, pair: list[str]) -> list[str]:
    """Lists of unequal size, and what the plain paired tests make of lists."""
    sizes = table.groupby(lists_of(table))["rater"].nunique()
    if len(sizes) < 2 or table["condition"].nunique() < 2:
        return []
    said = [
        "The paired t test, the sign flips and Wilcoxon's test count the difference between the "
        "lists' pictures as noise and err on the safe side; the test over raters within lists "
        "does not."
    ]
    if sizes.max() - sizes.min() > 1:
        counted = " and ".join(f"{size} in list {name}" for name, size in sizes.items())
        said.append(
            f"The lists have different numbers of raters ({counted}), so the plain means lean "
            "towards some pictures; the tests within lists weigh the lists equally."
        )
    return said


def _on_pictures(table: pd.DataFrame, pair: list[str]) -> list[str]:
    """The tests over raters count raters; what they leave open about the pictures."""
    conditions = table.groupby("picture")["condition"].nunique()
    total, single = len(conditions), int((conditions == 1).sum())
    these = "this 1 picture" if total == 1 else f"these {total} pictures"
    compared = table["condition"].nunique() > 1
    others = "not for others"
    if compared and total > 1:
        others = "however many raters there are; for others read the test over raters and pictures"
        if single == total:
            others = "however many raters there are; for others read the test over pictures"
    said = [f"The tests over raters speak for {these} only, {others}."]
    if single and compared:
        which = f"Each of the {total}" if single == total else f"{single} of the {total}"
        said.append(
            f"{which} pictures appeared in one condition only, so a difference between "
            "the conditions may also be a difference between the pictures."
        )
    return said


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """The summary without the bootstrap; rows for control and at least one model."""
    conditions = list(dict.fromkeys([CONTROL, *conditions_of(table)]))
    conditions = conditions if len(conditions) > 1 else CONDITIONS
    means = rater_means(table, conditions)
    lists = lists_of(table).groupby(table["rater"]).first().reindex(means.index)
    rows = []
    for condition in conditions:
        ratings = table.loc[table["condition"] == condition, "rating"].astype(float)
        by_rater = means[condition].dropna()
        low, high = _t_interval(by_rater, lists[by_rater.index])
        rows.append(
            {
                "condition": condition,
                "raters": len(by_rater),
                "ratings": len(ratings),
                "mean": round(by_rater.mean(), DIGITS),
                "sd": ratings.std(),
                "ci_low": low,
                "ci_high": high,
                "paper": PAPER_MEANS.get(condition, PAPER_MEANS["generated"]),
            }
        )
    return pd.DataFrame(rows)


def _t_interval(by_rater: pd.Series, lists: pd.Series) -> tuple[float, float]:
    """The 95% t interval of the mean, from the spread within lists."""
    spread = stratified(by_rater.to_numpy(float), lists.to_numpy())
    if not spread.variance > 0:
        return math.nan, math.nan
    mean, se = by_rater.mean(), math.sqrt(spread.variance)
    low, high = stats.t.interval(0.95, spread.df, mean, se)
    return float(low), float(high)
