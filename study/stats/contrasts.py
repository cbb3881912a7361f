"""Tests of the difference between true and generated colours: control minus model.

Raters and pictures are both samples, and which of them a test counts decides what it speaks for.
`by_raters` treats the pictures as given, `by_pictures` the raters, `by_both` neither. In the
counterbalanced design the lists differ in the pictures that are their controls, which moves every
rater's difference up in one list and down in the other; all three take that out by comparing
within lists (or within the sets of pictures that the lists swap); `paired_difference` and
`wilcoxon` do not. How often each errs is in results/study-design/README.md. Each takes the ratings
of two conditions, as `study.stats.ratings.as_cells` gives them.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.stats.moments import (
    Moments,
    crossed,
    half_width,
    p_values,
    picture_differences,
    rater_differences,
    rounded_mean,
    stratified,
    tost,
)
from study.stats.ratings import DIGITS, Cells

OTHER_RATERS = "other raters"
OTHER_PICTURES = "other pictures"
OTHER_BOTH = "other raters and pictures"
RESAMPLES = 2**15  # permutations are counted up to here, beyond it as many are sampled


@dataclass(frozen=True)
class Contrast:
    """A mean difference with its 95% t interval; NaN where undefined, and `note` says why."""

    method: str
    speaks_for: str
    n: int  # raters, pictures, or ratings
    mean: float
    se: float = math.nan
    df: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    t: float = math.nan
    p: float = math.nan
    note: str = ""


@dataclass(frozen=True)
class PairedDifference(Contrast):
    """The paired t test and the sign flips; sd and dz are of the differences within lists."""

    sd: float = math.nan
    dz: float = math.nan  # the mean that `by_raters` tests / sd
    p_signflip: float = math.nan

    @property
    def exact(self) -> bool:
        """Whether `p_signflip` counts every sign flip rather than a sample of them."""
        return 2**self.n <= RESAMPLES


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
    ci_low: float = math.nan
    ci_high: float = math.nan
    df: float = math.nan
    p_lower: float = math.nan
    p_upper: float = math.nan
    p: float = math.nan
    equivalent: bool | None = None
    note: str = ""


def by_raters(cells: Cells) -> Contrast:
    """Test over raters, within lists: does it hold for other raters of these pictures?

    Each rater gives one difference of means; its mean is that of the lists' means, and the spread
    within lists is what counts, with one degree of freedom less for every list. With one list it is
    the paired t test, with two Student's t test between the lists (of the differences, the sign of
    one list turned).

    >>> sleep = [[1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],  # Student 1908
    ...          [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]]
    >>> one_list = np.zeros(10, int)
    >>> result = by_raters(Cells(np.array(sleep)[..., None], one_list))
    >>> print(f"{result.mean:.2f}, t({result.df:g}) = {result.t:.4f}, p = {result.p:.5f}")
    1.58, t(9) = 4.0621, p = 0.00283
    """
    differences, lists = rater_differences(cells.y, cells.lists)
    n, result = len(differences), stratified(differences, lists)
    return _contrast("t test over raters", OTHER_RATERS, n, result, _why_not(n, result, "rater"))


def by_pictures(cells: Cells) -> Contrast:
    """Test over pictures: does it hold for other pictures, rated by these raters?

    Where pictures were shown in both conditions each gives one difference, compared within the sets
    that the lists swap. In the paper's design, where a picture is always control or always
    generated, it is Student's t test between the two groups of picture means.

    >>> nan = np.nan
    >>> control = [[9, 7, nan, nan], [8, 8, nan, nan]]  # (raters, pictures)
    >>> model = [[nan, nan, 3, 2], [nan, nan, 4, 3]]
    >>> result = by_pictures(Cells(np.array([control, model]), np.zeros(2, int)))
    >>> print(f"{result.mean:g}, t({result.df:g}) = {result.t:.3f}, p = {result.p:.3f}")
    5, t(2) = 7.071, p = 0.019
    """
    values, sets = picture_differences(cells.y, cells.lists)
    n, result = len(values), stratified(values, sets)
    note = _why_not(n, result, "picture")
    return _contrast("t test over pictures", OTHER_PICTURES, n, result, note)


def by_both(cells: Cells) -> Contrast:
    """Test over raters and pictures: does it hold for other raters and other pictures?

    The variance of the mean difference is that over raters, plus that over pictures, less the
    noise of single ratings that both contain, with Satterthwaite's degrees of freedom: the quasi-F
    of Winer as a t test; Westfall, Kenny & Judd (2014) give it for crossed and counterbalanced
    designs. Where either of the two is below the noise, the larger one counts with its own degrees
    of freedom, which errs on the safe side. The mean is that of `by_raters`.

    >>> nan = np.nan
    >>> control = [[9, 8, nan, nan], [8, 9, nan, nan], [nan, nan, 9, 7], [nan, nan, 8, 6]]
    >>> model = [[nan, nan, 3, 2], [nan, nan, 4, 4], [5, 3, nan, nan], [3, 4, nan, nan]]
    >>> result = by_both(Cells(np.array([control, model]), np.array([0, 0, 1, 1])))
    >>> print(f"{result.mean:.3f}, t({result.df:.2f}) = {result.t:.3f}, p = {result.p:.3f}")
    4.500, t(2.00) = 11.384, p = 0.008
    """
    n, over_raters = int(np.isfinite(cells.y).sum()), by_raters(cells)
    note = over_raters.note or by_pictures(cells).note
    result = Moments(over_raters.mean, np.nan, 0) if note else crossed(cells.y, cells.lists)
    return _contrast("t test over raters and pictures", OTHER_BOTH, n, result, note)


def paired_difference(cells: Cells) -> PairedDifference:
    """The paired t test and the sign flips, which know nothing of lists.

    To them the difference between the lists' pictures is noise. That errs on the safe side as long
    as the lists are of about the same size; else it passes for a difference of the conditions.

    >>> sleep = [[1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],  # Student 1908
    ...          [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]]
    >>> one_list = np.zeros(10, int)
    >>> result = paired_difference(Cells(np.array(sleep)[..., None], one_list))
    >>> print(f"{result.mean:.2f} [{result.ci_low:.2f}, {result.ci_high:.2f}], dz {result.dz:.2f}")
    1.58 [0.70, 2.46], dz 1.28
    >>> print(result.p_signflip)  # 4 of 1024 flips are as extreme: one difference is zero
    0.00390625
    """
    differences, lists = rater_differences(cells.y, cells.lists)
    n, together = len(differences), np.zeros_like(lists)
    result = stratified(differences, together)
    tested = _contrast("paired t test", OTHER_RATERS, n, result, _why_not(n, result, "rater"))
    if n < 2:
        return PairedDifference(**vars(tested))
    within, sizes = stratified(differences, lists), np.unique(lists, return_counts=True)[1]
    sd = math.sqrt(within.variance * len(sizes) / (1 / sizes).mean())
    dz = float(within.mean) / sd if sd else math.nan
    p = float(permuted_p(differences, together))
    return PairedDifference(**vars(tested), sd=sd, dz=dz, p_signflip=p)


def permutation(cells: Cells) -> Permutation:
    """The exact test of the design: raters exchanged between the lists they were drawn into.

    With two lists, an exchanged rater's difference changes its sign, and so many others with it
    that each list keeps its size; the difference between the lists' pictures cancels. With one
    list, or more than two, the signs are flipped one by one. Beyond 2**15 permutations as many
    are drawn.

    >>> darwin = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    >>> maize = Cells(np.array([darwin, [0] * 15])[..., None], np.zeros(15, int))
    >>> permutation(maize).p == 2 * 863 / 32768  # Fisher 1935 counts 863 in each tail
    True
    """
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


def wilcoxon(cells: Cells) -> Wilcoxon:
    """Wilcoxon's signed-rank test of the raters' differences; equal ones are left out.

    Like the sign flips it knows nothing of lists. Exact, also with ties, for up to 15 raters.
    `rank_biserial` is from -1 to 1: the share of the rank sum that is positive minus the negative
    share.

    >>> before = [125, 115, 130, 140, 140, 115, 140, 125, 140, 135]
    >>> after = [110, 122, 125, 120, 140, 124, 123, 137, 135, 145]
    >>> result = wilcoxon(Cells(np.array([before, after])[..., None], np.zeros(10, int)))
    >>> print(f"n = {result.n}, W = {result.w:g}, r = {result.rank_biserial:.2f}")
    n = 9, W = 18, r = 0.20
    """
    differences = rater_differences(cells.y, cells.lists)[0]
    n = np.count_nonzero(differences)
    if n == 0:
        said = "All differences are zero" if len(differences) else "No rater rated both conditions"
        return Wilcoxon(0, math.nan, math.nan, math.nan, True, f"{said}: no signed-rank test.")
    differences = differences[differences != 0]
    ranks = stats.rankdata(np.abs(differences))
    balance = float((ranks * np.sign(differences)).sum() / ranks.sum())
    exact = 2**n <= RESAMPLES
    if n == 1:  # scipy wants two
        return Wilcoxon(n, 0.0, 1.0, balance, exact)
    method = stats.PermutationMethod(n_resamples=RESAMPLES) if exact else "approx"
    test = stats.wilcoxon(differences, method=method)
    return Wilcoxon(n, float(test.statistic), float(test.pvalue), balance, exact)


def equivalence(tested: Contrast, margin: float) -> Equivalence:
    """Two one-sided tests: is the difference within `margin` points either way?

    `p` is the larger of both; the 90% interval lies within the margin exactly when p is below .05.
    It speaks for what `tested` speaks for.

    >>> ratings = np.array([[8, 7, 9, 8, 7, 8.5], [8, 7.5, 8.5, 8, 7, 8]])
    >>> tested = by_raters(Cells(ratings[..., None], np.zeros(6, int)))
    >>> result = equivalence(tested, margin=1)
    >>> print(result.equivalent, round(result.p, 4))
    True 0.0009
    """
    if not margin > 0:
        raise ValueError(f"The margin of equivalence must be above 0, not {margin}.")
    if tested.note:
        return Equivalence(margin, tested.mean, note=tested.note)
    result = Moments(tested.mean, tested.se**2, tested.df)
    half = float(half_width(result, 0.90))
    lower, upper = (float(p) for p in tost(result, margin))
    low, high, p = tested.mean - half, tested.mean + half, max(lower, upper)
    return Equivalence(margin, tested.mean, low, high, tested.df, lower, upper, p, p < 0.05)


def is_nested(cells: Cells) -> bool:
    """Whether every picture was rated in one condition only, as in the paper.

    >>> is_nested(Cells(np.array([[[8, np.nan]], [[np.nan, 3]]]), np.zeros(1)))
    True
    """
    shown = np.isfinite(cells.y).any(axis=1)  # (conditions, pictures)
    return bool(shown.any() and shown.sum(axis=0).max() == 1)


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
        of = "" if n - result.df == 1 else " of each list" if unit == "rater" else " of each set"
        return f"All {unit}s{of} show the same difference, so it has no interval and no t test."
    return ""


def _contrast(method: str, speaks_for: str, n: int, result: Moments, note: str) -> Contrast:
    mean = round(float(result.mean), DIGITS)
    if note:
        return Contrast(method, speaks_for, n, mean, note=note)
    se, half = math.sqrt(result.variance), float(half_width(result))
    df, p = float(result.df), float(p_values(result))
    return Contrast(method, speaks_for, n, mean, se, df, mean - half, mean + half, mean / se, p)
