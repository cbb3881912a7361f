"""Statistics of the rating study: pure functions on a tidy table of ratings.

A table has the columns rater, picture, condition ("control" shows the true colours, "generated"
the model's) and rating (0 to 10, half points allowed). The unit of analysis is the rater: ratings
are averaged by rater and condition first, so each rater counts once however much they rated.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

COLUMNS = ["rater", "picture", "condition", "rating"]
CONDITIONS = ["control", "generated"]

# Leisher & Martin: four raters, five control and five generated pictures, ratings from 0 to 10.
PAPER_MEANS = {"control": 8.55, "generated": 3.225}

EXACT_RATERS = 15  # up to here all 2**n sign flips are counted, beyond it as many are sampled
SMALL = 30  # with fewer raters than this the t interval leans on normally distributed means
DIGITS = 12  # means are rounded here, so that binary fractions neither show nor break ties


@dataclass(frozen=True)
class PairedDifference:
    """Control minus generated over the `n` raters who rated both; NaN where undefined."""

    n: int
    mean: float
    sd: float
    ci_low: float
    ci_high: float
    t: float
    df: float
    p: float
    p_signflip: float

    @property
    def exact(self) -> bool:
        """Whether `p_signflip` counts every sign flip rather than a sample of them."""
        return self.n <= EXACT_RATERS


def check_ratings(table: pd.DataFrame) -> pd.DataFrame:
    """Return the four columns, cleaned; raise ValueError naming the first line at fault.

    Lines count as in the CSV file: the header is line 1, the row with index 0 is line 2.

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
        if condition not in CONDITIONS:
            wanted = " or ".join(CONDITIONS)
            raise ValueError(f"Line {line}: the condition {condition!r:.60} is not {wanted}.")
        if (score := _half_points(rating)) is None:
            raise ValueError(f"Line {line}: the rating {rating!r:.60} is not in 0, 0.5, ... 10.")
        if (first := lines.setdefault((rater, picture, condition), line)) != line:
            what = f"{rater!r:.60} has already rated {picture!r:.60} as {condition}"
            raise ValueError(f"Line {line}: {what}, on line {first}.")
        ratings.append(score)
    cells = pd.DataFrame(list(lines), columns=COLUMNS[:3], index=table.index, dtype=str)
    return cells.assign(rating=np.array(ratings, dtype=float))


def condition_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each condition: the mean of the rater means, its 95% t interval, the paper's.

    `sd` is that of the single ratings. The interval is not clipped to the scale, and it is NaN
    with fewer than two raters or when all rater means are equal: no spread, no interval.

    >>> ratings = pd.DataFrame({
    ...     "rater": list("AABBCC"),
    ...     "picture": ["plum", "pear"] * 3,
    ...     "condition": ["control", "generated"] * 3,
    ...     "rating": [9, 3, 8, 4, 10, 3.5],
    ... })
    >>> condition_summary(ratings).round(3)
       condition  raters  ratings  mean   sd  ci_low  ci_high  paper
    0    control       3        3   9.0  1.0   6.516   11.484  8.550
    1  generated       3        3   3.5  0.5   2.258    4.742  3.225
    """
    means = _rater_means(table)
    rows = []
    for condition in CONDITIONS:
        ratings = table.loc[table["condition"] == condition, "rating"].astype(float)
        by_rater = means[condition].dropna()
        low, high = _t_interval(by_rater)
        rows.append(
            {
                "condition": condition,
                "raters": len(by_rater),
                "ratings": len(ratings),
                "mean": round(by_rater.mean(), DIGITS),
                "sd": ratings.std(),
                "ci_low": low,
                "ci_high": high,
                "paper": PAPER_MEANS[condition],
            }
        )
    return pd.DataFrame(rows)


def paired_difference(table: pd.DataFrame) -> PairedDifference:
    """Compare the two conditions within raters: paired t test and sign-flip permutation test.

    With fewer than two raters nothing but the mean is defined. When all differences are equal
    there is no t test and no interval, but the sign flips can still be counted.

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
    >>> print(f"{result.mean:.2f} [{result.ci_low:.2f}, {result.ci_high:.2f}]")
    1.58 [0.70, 2.46]
    >>> print(f"t({result.df:g}) = {result.t:.4f}, p = {result.p:.5f}")
    t(9) = 4.0621, p = 0.00283
    >>> print(result.p_signflip)  # 4 of 1024 flips are as extreme: one difference is zero
    0.00390625
    """
    means = _rater_means(table).dropna()
    differences = means["difference"]
    n = len(differences)
    low = high = t = p = p_signflip = math.nan
    if differences.nunique() > 1:
        test = stats.ttest_rel(means["control"], means["generated"])
        low, high = test.confidence_interval()
        t, p = test.statistic, test.pvalue
    if n > 1:
        p_signflip = stats.permutation_test(
            (differences.to_numpy(),),
            _rounded_mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=2**EXACT_RATERS,
            batch=2**10,
            rng=np.random.default_rng(0),
        ).pvalue
    return PairedDifference(
        n=n,
        mean=round(float(differences.mean()), DIGITS),
        sd=float(differences.std()),
        ci_low=float(low),
        ci_high=float(high),
        t=float(t),
        df=float(n - 1) if n > 1 else math.nan,
        p=float(p),
        p_signflip=float(p_signflip),
    )


def caveats(table: pd.DataFrame) -> list[str]:
    """Say in plain sentences what these ratings cannot show.

    >>> one = pd.DataFrame([("A", "plum", "control", 8.5)], columns=COLUMNS)
    >>> for sentence in caveats(one):
    ...     print(sentence)
    There are no ratings of generated pictures, so the conditions cannot be compared.
    There is only one rater, so there is no interval and no test.
    The result speaks for this 1 picture only, not for others.
    """
    if table.empty:
        return ["There are no ratings, so nothing can be concluded."]
    return [*_on_coverage(table), *_on_spread(table), *_on_pictures(table)]


def _on_coverage(table: pd.DataFrame) -> list[str]:
    """Missing conditions and raters who left something out."""
    counts = table.groupby(["rater", "condition"]).size().unstack(fill_value=0)
    absent = [condition for condition in CONDITIONS if condition not in counts]
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
    if table.groupby("picture")["condition"].nunique().max() == 1:  # then the pictures tell
        full = table.groupby("condition")["picture"].nunique()
    gaps = int((counts < full).any(axis=1).sum())
    if gaps:
        said.append(
            f"{gaps} of {len(counts)} raters did not rate every picture, so their means "
            "rest on different pictures or on fewer of them."
        )
    return said


def _on_spread(table: pd.DataFrame) -> list[str]:
    """What too few raters, or raters who all agree, leave undecided."""
    if table["rater"].nunique() == 1:
        return ["There is only one rater, so there is no interval and no test."]
    if table["rating"].nunique() == 1:
        return ["All ratings are equal, so there is no spread for an interval or a t test."]
    means = _rater_means(table)
    differences = means["difference"].dropna()
    n = len(differences)
    said = []
    for condition in CONDITIONS:
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
    intervals = condition_summary(table).dropna()
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


def _on_pictures(table: pd.DataFrame) -> list[str]:
    """The test counts raters; what it leaves open about the pictures."""
    conditions = table.groupby("picture")["condition"].nunique()
    total, single = len(conditions), int((conditions == 1).sum())
    these = "this 1 picture" if total == 1 else f"these {total} pictures"
    said = [f"The result speaks for {these} only, not for others."]
    if single and table["condition"].nunique() > 1:
        which = f"Each of the {total}" if single == total else f"{single} of the {total}"
        said.append(
            f"{which} pictures appeared in one condition only, so a difference between "
            "the conditions may also be a difference between the pictures."
        )
    return said


def _rater_means(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each rater: control, generated, difference; NaN where nothing was rated."""
    ratings = table["rating"].astype(float)
    means = ratings.groupby([table["rater"], table["condition"]]).mean()
    means = means.unstack("condition").reindex(columns=CONDITIONS)
    return means.assign(difference=means["control"] - means["generated"]).round(DIGITS)


def _t_interval(values: pd.Series) -> tuple[float, float]:
    """The 95% t interval of a mean."""
    if values.nunique() < 2:
        return math.nan, math.nan
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), values.sem())
    return float(low), float(high)


def _rounded_mean(values: np.ndarray, axis: int) -> np.ndarray:
    return np.mean(values, axis=axis).round(DIGITS)


def _half_points(text: str) -> float | None:
    """The rating a text stands for, or None when it is none."""
    value = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else math.nan
    return value if value <= 10 and (2 * value).is_integer() else None
