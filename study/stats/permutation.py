"""Tests of raters' differences that assume no distribution: sign flips, randomization, ranks.

To the sign-flip test, as to the paired t test and Wilcoxon's test, the difference between the
counterbalancing lists' pictures is noise, which errs on the safe side. Where the lists have
different numbers of raters, the latter two would take a part of it for a difference of the
conditions, so that there are none then. Each function takes the cells of two conditions.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import stats

from study.stats.contrasts import OTHER_RATERS, Contrast, contrast, why_not
from study.stats.moments import Moments, rater_differences, rounded_mean, stratified
from study.stats.ratings import DIGITS, Cells

# Number of permutations up to which all are counted; beyond it as many are drawn.
RESAMPLES = 2**15
SIGN_FLIPS, EXCHANGE = "sign-flip test", "randomization test"
UNEQUAL = (
    "The lists have different numbers of raters, so the paired t test and Wilcoxon's test, which"
    " ignore the lists, would take a part of the difference between the lists' pictures for one"
    " between the conditions; they are left out."
)


@dataclass(frozen=True)
class Permutation:
    """p over all permutations or a sample of them; `smallest` is what so few raters allow."""

    n: int
    p: float
    smallest: float
    exact: bool
    note: str = ""
    kind: str = SIGN_FLIPS

    speaks_for: ClassVar[str] = OTHER_RATERS
    ci_low: ClassVar[float] = math.nan
    ci_high: ClassVar[float] = math.nan
    statistic: ClassVar[str] = ""

    @property
    def method(self) -> str:
        return f"{'exact' if self.exact else 'sampled'} {self.kind}"


@dataclass(frozen=True)
class PairedDifference(Contrast):
    """The paired t test and the sign flips; sd and dz are of the differences within lists.

    `dz` is Cohen's: the mean difference / sd. `exact` tells whether `p_signflip` counts every sign
    flip rather than a sample of them.
    """

    sd: float = math.nan
    dz: float = math.nan
    p_signflip: float = math.nan
    exact: bool = True

    @property
    def sign_flips(self) -> Permutation:
        smallest = min(1.0, 2 / 2**self.n)
        return Permutation(self.n, self.p_signflip, smallest, self.exact)


@dataclass(frozen=True)
class Wilcoxon:
    """The signed-rank test over the `n` raters whose difference is not zero."""

    n: int
    w: float
    p: float
    rank_biserial: float
    exact: bool
    note: str = ""

    method: ClassVar[str] = "Wilcoxon signed-rank test"
    speaks_for: ClassVar[str] = OTHER_RATERS
    ci_low: ClassVar[float] = math.nan
    ci_high: ClassVar[float] = math.nan

    @property
    def statistic(self) -> str:
        return "" if self.note else f"W = {self.w:g}, r = {self.rank_biserial:z.2f}"


def paired_difference(cells: Cells) -> PairedDifference:
    """The paired t test and the sign flips, and the spread of the raters' differences.

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
    n, together, sizes = len(differences), np.zeros_like(lists), _sizes(lists)
    within, plain = stratified(differences, lists), stratified(differences, together)
    note = why_not(n, plain, "rater") if _alike(sizes) else UNEQUAL
    tested = vars(contrast("paired t test", OTHER_RATERS, n, within if note else plain, note))
    if n < 2:
        return PairedDifference(**tested)
    sd = math.sqrt(within.variance * len(sizes) / (1 / sizes).mean())
    dz = float(within.mean) / sd if sd else math.nan
    p = float(permuted_p(list_weighted(differences, lists), together))
    return PairedDifference(**tested, sd=sd, dz=dz, p_signflip=p, exact=2**n <= RESAMPLES)


def permutation(cells: Cells) -> Permutation:
    """The randomization test: raters exchanged between the lists they were drawn into.

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
    n, sizes = len(differences), _sizes(lists)
    kind, count, note = SIGN_FLIPS, 2**n, ""
    if n < 2:
        note = why_not(n, Moments(np.nan, np.nan, 0), "rater")
    elif len(sizes) == 2:
        kind, count, note = EXCHANGE, math.comb(n, sizes[0]), ""
        if sizes.min() == 1:
            note = "A list has only one rater, so raters cannot be exchanged between lists."
    if note:
        return Permutation(n, math.nan, math.nan, True, note, kind)
    if kind == SIGN_FLIPS:
        differences = list_weighted(differences, lists)
    p = float(permuted_p(differences, lists))
    smallest = min(1.0, 2 / count)
    if smallest > 0.05:
        note = (
            f"With {n} raters the smallest possible p of the {kind} is {smallest:.2g}, "
            "so by it no result can be below .05."
        )
    return Permutation(n, p, smallest, count <= RESAMPLES, note, kind)


def wilcoxon(cells: Cells) -> Wilcoxon:
    """Wilcoxon's signed-rank test of the raters' differences; those of zero are left out.

    Exact, also with ties, for up to 15 raters. `rank_biserial` is from -1 to 1: the share of the
    rank sum that is positive minus the negative share (Kerby 2014).

    >>> before = [125, 115, 130, 140, 140, 115, 140, 125, 140, 135]
    >>> after = [110, 122, 125, 120, 140, 124, 123, 137, 135, 145]
    >>> result = wilcoxon(Cells(np.array([before, after])[..., None], np.zeros(10, int)))
    >>> print(f"n = {result.n}, {result.statistic}")
    n = 9, W = 18, r = 0.20
    """
    differences, lists = rater_differences(cells.y, cells.lists)
    n, note = np.count_nonzero(differences), "" if _alike(_sizes(lists)) else UNEQUAL
    if n == 0:
        said = "All differences are zero" if len(differences) else "No rater rated both conditions"
        note = f"{said}, so there is no signed-rank test."
    if note:
        return Wilcoxon(n, math.nan, math.nan, math.nan, True, note)
    differences = differences[differences != 0]
    signed = np.sign(differences) * stats.rankdata(np.abs(differences))
    balance, exact = float(signed.sum() / np.abs(signed).sum()), 2**n <= RESAMPLES
    w = float(min(signed[signed > 0].sum(), abs(signed[signed < 0].sum())))
    if n == 1:
        p = 1.0
    elif exact:
        p = float(permuted_p(signed, np.zeros(n)))
    else:
        p = float(stats.wilcoxon(differences, method="approx").pvalue)
    return Wilcoxon(n, w, p, balance, exact)


def list_weighted(differences: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """(..., n) differences weighted so that their mean is the mean of the means of the lists (n,).

    >>> weighted = list_weighted(np.array([1.0, 2.0, 6.0]), np.array([0, 0, 1]))
    >>> print(weighted.mean())  # of 1.5 and 6
    3.75
    """
    _, of, sizes = np.unique(lists, return_inverse=True, return_counts=True)
    return differences * (len(lists) / (len(sizes) * sizes[of]))


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


def _sizes(lists: np.ndarray) -> np.ndarray:
    """(lists,) raters in each."""
    return np.unique(lists, return_counts=True)[1]


def _alike(sizes: np.ndarray) -> bool:
    return len(set(sizes.tolist())) < 2
