"""Tests of the difference between true and generated colours: control minus model.

Raters and pictures are both samples, and which of them a test counts decides what it speaks for.
`by_raters` treats the pictures as given, `by_pictures` the raters, `by_both` neither. In the
counterbalanced design the lists differ in the pictures that are their controls, which moves every
rater's difference up in one list and down in the other; all three take that out by comparing
within lists (or within the sets of pictures that the lists swap). How often each errs is in
results/study-design/README.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from study.moments import (
    Moments,
    crossed,
    p_values,
    picture_differences,
    rater_differences,
    rounded_mean,
    stratified,
)
from study.ratings import CONTROL, DIGITS, as_cells

OTHER_RATERS = "other raters, these pictures"
OTHER_PICTURES = "other pictures, these raters"
OTHER_BOTH = "other raters and other pictures"
RESAMPLES = 2**15  # permutations are counted up to here, beyond it as many are sampled


@dataclass(frozen=True)
class Contrast:
    """A mean difference with its 95% t interval; NaN where undefined, and `note` says why."""

    method: str
    speaks_for: str
    n: int  # raters, pictures, or ratings
    mean: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    t: float
    p: float
    note: str = ""


@dataclass(frozen=True)
class Permutation:
    """p over all permutations or a sample of them; `smallest` is what so few raters allow."""

    n: int
    p: float
    smallest: float
    exact: bool
    note: str = ""


@dataclass(frozen=True)
class Wilcoxon:
    """The signed-rank test over the `n` raters whose difference is not zero."""

    n: int
    w: float
    p: float
    rank_biserial: float
    exact: bool
    note: str = ""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against `margin`; `equivalent` is None where there is no test."""

    margin: float
    mean: float
    ci_low: float
    ci_high: float
    df: float
    p_lower: float
    p_upper: float
    p: float
    equivalent: bool | None
    note: str = ""


def by_raters(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> Contrast:
    """Test over raters, within lists: does it hold for other raters of these pictures?

    Each rater gives one difference of means; its mean is that of the lists' means, and the spread
    within lists is what counts, with one degree of freedom less for every list. With one list it is
    the paired t test, with two Student's t test between the lists (of the differences, the sign of
    one list turned).

    >>> extra = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4,
    ...          0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    >>> sleep = pd.DataFrame({  # Student 1908
    ...     "rater": [*"abcdefghij"] * 2,
    ...     "picture": "none",
    ...     "condition": ["control"] * 10 + ["generated"] * 10,
    ...     "rating": extra,
    ... })
    >>> result = by_raters(sleep)
    >>> print(f"{result.mean:.2f}, t({result.df:g}) = {result.t:.4f}, p = {result.p:.5f}")
    1.58, t(9) = 4.0621, p = 0.00283
    """
    cells = as_cells(table, [reference, condition])
    differences, lists = rater_differences(cells.y, cells.lists)
    n, result = len(differences), stratified(differences, lists)
    return _contrast("t test over raters", OTHER_RATERS, n, result, _why_not(n, result, "rater"))


def by_pictures(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> Contrast:
    """Test over pictures: does it hold for other pictures, rated by these raters?

    Where pictures were shown in both conditions each gives one difference, compared within the sets
    that the lists swap. In the paper's design, where a picture is always control or always
    generated, it is Student's t test between the two groups of picture means.

    >>> paper = pd.DataFrame({
    ...     "rater": ["A", "B"] * 4,
    ...     "picture": ["plum", "plum", "pear", "pear", "fig", "fig", "lime", "lime"],
    ...     "condition": ["control"] * 4 + ["generated"] * 4,
    ...     "rating": [9, 8, 7, 8, 3, 4, 2, 3],
    ... })
    >>> result = by_pictures(paper)
    >>> print(f"{result.mean:g}, t({result.df:g}) = {result.t:.3f}, p = {result.p:.3f}")
    5, t(2) = 7.071, p = 0.019
    """
    cells = as_cells(table, [reference, condition])
    values, sets = picture_differences(cells.y, cells.lists)
    n, result = len(values), stratified(values, sets)
    note = _why_not(n, result, "picture")
    return _contrast("t test over pictures", OTHER_PICTURES, n, result, note)


def by_both(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> Contrast:
    """Test over raters and pictures: does it hold for other raters and other pictures?

    The variance of the mean difference is that over raters, plus that over pictures, less the
    noise of single ratings that both contain, with Satterthwaite's degrees of freedom: the quasi-F
    of Winer as a t test; Westfall, Kenny & Judd (2014) give it for crossed and counterbalanced
    designs. Where either of the two is below the noise, the larger one counts with its own degrees
    of freedom, which errs on the safe side.

    >>> table = pd.DataFrame({
    ...     "rater": np.repeat([*"ABCD"], 4),
    ...     "picture": ["plum", "pear", "fig", "lime"] * 4,
    ...     "condition": ["control", "control", "generated", "generated"] * 2
    ...     + ["generated", "generated", "control", "control"] * 2,
    ...     "rating": [9, 8, 3, 2, 8, 9, 4, 4, 5, 3, 9, 7, 3, 4, 8, 6],
    ... })
    >>> result = by_both(table)
    >>> print(f"{result.mean:.3f}, t({result.df:.2f}) = {result.t:.3f}, p = {result.p:.3f}")
    4.500, t(2.00) = 11.384, p = 0.008
    """
    cells = as_cells(table, [reference, condition])
    n = int(np.isfinite(cells.y).sum())
    note = by_raters(table, condition, reference).note
    note = note or by_pictures(table, condition, reference).note
    result = Moments(np.nan, np.nan, 0) if note else crossed(cells.y, cells.lists)
    return _contrast("t test over raters and pictures", OTHER_BOTH, n, result, note)


def permutation(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> Permutation:
    """The exact test of the design: raters exchanged between the lists they were drawn into.

    With two lists, an exchanged rater's difference changes its sign, and so many others with it
    that each list keeps its size; the difference between the lists' pictures cancels. With one
    list, or more than two, the signs are flipped one by one. Beyond 2**15 permutations as many
    are drawn.

    >>> darwin = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    >>> maize = pd.DataFrame({  # Fisher 1935 counts 863 of 32768 in each tail
    ...     "rater": [*range(15)] * 2,
    ...     "picture": "none",
    ...     "condition": ["control"] * 15 + ["generated"] * 15,
    ...     "rating": [*darwin, *[0] * 15],
    ... })
    >>> permutation(maize).p == 2 * 863 / 32768
    True
    """
    cells = as_cells(table, [reference, condition])
    differences, lists = rater_differences(cells.y, cells.lists)
    n, sizes = len(differences), np.unique(lists, return_counts=True)[1]
    if n < 2:
        note = _why_not(n, Moments(np.nan, np.nan, 0), "rater")
        return Permutation(n, math.nan, math.nan, True, note)
    if len(sizes) == 2 and sizes.min() == 1:
        note = "A list has only one rater, so raters cannot be exchanged between lists."
        return Permutation(n, math.nan, math.nan, True, note)
    count = math.comb(n, sizes[0]) if len(sizes) == 2 else 2**n
    p = float(permuted_p(differences, lists))
    smallest, note = min(1.0, 2 / count), ""
    if smallest > 0.05:
        note = (
            f"With {n} raters the smallest possible p of this test is {smallest:.2g}, "
            "so by it no result can be below .05."
        )
    return Permutation(n, p, smallest, count <= RESAMPLES, note)


def wilcoxon(
    table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL
) -> Wilcoxon:
    """Wilcoxon's signed-rank test of the raters' differences; equal ones are left out.

    With several lists the difference between their pictures counts as noise. `rank_biserial` is
    from -1 to 1: the share of the rank sum that is positive minus the negative share.

    >>> before = [125, 115, 130, 140, 140, 115, 140, 125, 140, 135]
    >>> after = [110, 122, 125, 120, 140, 124, 123, 137, 135, 145]
    >>> table = pd.DataFrame({
    ...     "rater": [*range(10)] * 2,
    ...     "picture": "none",
    ...     "condition": ["control"] * 10 + ["generated"] * 10,
    ...     "rating": [*before, *after],
    ... })
    >>> result = wilcoxon(table)
    >>> print(f"n = {result.n}, W = {result.w:g}, r = {result.rank_biserial:.2f}")
    n = 9, W = 18, r = 0.20
    """
    cells = as_cells(table, [reference, condition])
    differences = rater_differences(cells.y, cells.lists)[0]
    n = np.count_nonzero(differences)
    if n == 0:
        said = "All differences are zero" if len(differences) else "No rater rated both conditions"
        return Wilcoxon(0, math.nan, math.nan, math.nan, True, f"{said}: no signed-rank test.")
    differences = differences[differences != 0]
    ranks = stats.rankdata(np.abs(differences))
    balance = float((ranks * np.sign(differences)).sum() / ranks.sum())
    w, p = signed_rank(differences)
    return Wilcoxon(n, w, p, balance, 2**n <= RESAMPLES)


def equivalence(
    table: pd.DataFrame,
    margin: float,
    condition: str = "generated",
    reference: str = CONTROL,
    *,
    alpha: float = 0.05,
    contrast: Callable[..., Contrast] = by_raters,
) -> Equivalence:
    """Two one-sided tests: is the difference within `margin` points either way?

    `p` is the larger of both; the interval has the level 1 - 2 alpha and lies within the margin
    exactly when p is below alpha. It speaks for what `contrast` speaks for.

    >>> table = pd.DataFrame({
    ...     "rater": [*"ABCDEF"] * 2,
    ...     "picture": "plum",
    ...     "condition": ["control"] * 6 + ["generated"] * 6,
    ...     "rating": [8, 7, 9, 8, 7, 8.5, 8, 7.5, 8.5, 8, 7, 8],
    ... })
    >>> result = equivalence(table, margin=1)
    >>> print(result.equivalent, round(result.p, 4))
    True 0.0009
    """
    if not margin > 0:
        raise ValueError(f"The margin of equivalence must be above 0, not {margin}.")
    tested = contrast(table, condition, reference)
    if tested.note:
        nothing = [math.nan] * 6
        return Equivalence(margin, tested.mean, *nothing, None, tested.note)
    half = stats.t.ppf(1 - alpha, tested.df) * tested.se
    lower = float(stats.t.sf((tested.mean + margin) / tested.se, tested.df))
    upper = float(stats.t.cdf((tested.mean - margin) / tested.se, tested.df))
    p = max(lower, upper)
    low, high = tested.mean - float(half), tested.mean + float(half)
    return Equivalence(margin, tested.mean, low, high, tested.df, lower, upper, p, p < alpha)


def is_nested(table: pd.DataFrame, condition: str = "generated", reference: str = CONTROL) -> bool:
    """Whether every picture was rated in one condition only, as in the paper.

    >>> paper = {"picture": ["plum", "pear"], "condition": ["control", "generated"]}
    >>> is_nested(pd.DataFrame(paper))
    True
    """
    rows = table[table["condition"].isin([reference, condition])]
    return bool(len(rows) and rows.groupby("picture")["condition"].nunique().max() == 1)


def permuted_p(
    differences: np.ndarray, lists: np.ndarray, *, resamples: int = RESAMPLES
) -> np.ndarray:
    """Two-sided p of raters' differences (..., n) when raters are exchanged between lists (n,)."""
    if len(np.unique(lists)) == 2:
        first = lists == lists.min()
        samples, kind = (differences[..., first], -differences[..., ~first]), "independent"
    else:
        samples, kind = (differences,), "samples"
    return stats.permutation_test(
        samples,
        rounded_mean if kind == "samples" else _rounded_difference,
        permutation_type=kind,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 2**22 // differences.size),
        axis=-1,
        rng=np.random.default_rng(0),
    ).pvalue


def signed_rank(differences: np.ndarray) -> tuple[float, float]:
    """Wilcoxon's W and p of differences (n,) without zeros; exact, also with ties, up to n = 15."""
    if 2 ** len(differences) > RESAMPLES:
        test = stats.wilcoxon(differences, method="approx")
        return float(test.statistic), float(test.pvalue)
    if len(differences) == 1:
        return 0.0, 1.0
    signed = np.sign(differences) * stats.rankdata(np.abs(differences))
    w = min(signed[signed > 0].sum(), -signed[signed < 0].sum())
    return float(w), float(permuted_p(signed, np.zeros(len(signed))))  # sign flips of the ranks


def _rounded_difference(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    return (np.mean(first, axis=axis) - np.mean(second, axis=axis)).round(DIGITS)


def _why_not(n: int, result: Moments, unit: str) -> str:
    """Why there is no interval and no test, or nothing."""
    if n == 0:
        return f"No {unit} has ratings of both conditions, so they cannot be compared."
    if n == 1:
        return f"There is only one {unit}, so there is no interval and no test over {unit}s."
    if result.df == 0:
        groups = "lists" if unit == "rater" else "sets"
        return f"With {n} {unit}s in {n} {groups} there is no spread within {groups} to test by."
    if result.variance == 0:
        return f"All {unit}s show the same difference, so it has no interval and no t test."
    return ""


def _contrast(method: str, speaks_for: str, n: int, result: Moments, note: str) -> Contrast:
    mean = round(float(result.mean), DIGITS)
    if note:
        return Contrast(method, speaks_for, n, mean, *[math.nan] * 6, note)
    se, df = math.sqrt(result.variance), float(result.df)
    half = float(stats.t.ppf(0.975, df)) * se
    p = float(p_values(result))
    return Contrast(method, speaks_for, n, mean, se, df, mean - half, mean + half, mean / se, p)
