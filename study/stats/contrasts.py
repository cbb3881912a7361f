"""Tests of the difference between two conditions, such as true and generated colours.

Raters and pictures are both samples, and which of them a test counts decides what it speaks for
(Clark 1973; Judd, Westfall & Kenny 2012): the by-participant test takes the pictures as given, the
by-item test the raters, and the quasi-F test neither. In the counterbalanced design the lists
differ in the pictures that are their controls, which moves every rater's difference up in one list
and down in the other; all three tests take that out by comparing within lists (or within the sets
of pictures that the lists swap). How often each errs is in results/study-design/README.md.

There is one estimate of the difference: the mean of the lists' means of the raters' differences, as
in a two-period crossover (Hills & Armitage 1979), whose sequences are here the lists and whose
periods are the sets of pictures that the lists swap. The plain mean over raters would be biased by
the pictures of the larger list. Each function takes the cells of two conditions, as `Ratings.cells`
gives them.
"""

import math
from dataclasses import dataclass

import numpy as np

from study.stats.moments import (
    Moments,
    crossed,
    half_width,
    p_values,
    picture_differences,
    rater_differences,
    stratified,
    tost,
)
from study.stats.ratings import DIGITS, Cells

OTHER_RATERS = "other raters"
OTHER_PICTURES = "other pictures"
OTHER_BOTH = "other raters and pictures"


@dataclass(frozen=True)
class Contrast:
    """A mean difference in points with its 95% t interval and two-sided t test.

    NaN where undefined, and `note` says why. `n` counts raters, pictures or ratings.
    """

    method: str
    speaks_for: str
    n: int
    mean: float
    se: float = math.nan
    df: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    t: float = math.nan
    p: float = math.nan
    note: str = ""

    @property
    def statistic(self) -> str:
        """The test statistic in words, or nothing."""
        return "" if self.note else f"t({f'{self.df:.1f}'.removesuffix('.0')}) = {self.t:z.2f}"


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


def by_participant(cells: Cells) -> Contrast:
    """By-participant t test, within lists: does it hold for other raters of these pictures?

    Each rater gives one difference of means; its mean is that of the lists' means, and the spread
    within lists is what counts, with one degree of freedom less for every list. With one list it is
    the paired t test, with two Student's t test between the lists (of the differences, the sign of
    one list turned).

    >>> sleep = [[1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],  # Student 1908
    ...          [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]]
    >>> one_list = np.zeros(10, int)
    >>> result = by_participant(Cells(np.array(sleep)[..., None], one_list))
    >>> print(f"{result.mean:.2f}, {result.statistic}, p = {result.p:.5f}")
    1.58, t(9) = 4.06, p = 0.00283
    """
    differences, lists = rater_differences(cells.y, cells.lists)
    n, result = len(differences), stratified(differences, lists)
    return contrast("by-participant t test", OTHER_RATERS, n, result, why_not(n, result, "rater"))


def by_item(cells: Cells) -> Contrast:
    """By-item t test: does it hold for other pictures, rated by these raters?

    Where pictures were shown in both conditions each gives one difference, compared within the sets
    that the lists swap. In the paper's design, where a picture is always control or always
    generated, it is Student's t test between the two groups of picture means. Where ratings are
    missing its mean, that of pictures, differs from that of raters.

    >>> nan = np.nan
    >>> control = [[9, 7, nan, nan], [8, 8, nan, nan]]  # (raters, pictures)
    >>> model = [[nan, nan, 3, 2], [nan, nan, 4, 3]]
    >>> result = by_item(Cells(np.array([control, model]), np.zeros(2, int)))
    >>> print(f"{result.mean:g}, {result.statistic}, p = {result.p:.3f}")
    5, t(2) = 7.07, p = 0.019
    """
    values, sets = picture_differences(cells.y, cells.lists)
    n, result = len(values), stratified(values, sets)
    return contrast("by-item t test", OTHER_PICTURES, n, result, why_not(n, result, "picture"))


def quasi_f(cells: Cells) -> Contrast:
    """Quasi-F test as a t test: does it hold for other raters and other pictures?

    The variance of the mean difference is that over raters, plus that over pictures, less the
    noise of single ratings that both contain, with Satterthwaite's degrees of freedom (Winer 1971;
    Clark 1973). Westfall, Kenny & Judd (2014) give it for crossed and counterbalanced designs.
    Where either of the two is below the noise, the larger one counts with its own degrees of
    freedom, which errs on the safe side. The mean is that of `by_participant`.

    >>> nan = np.nan
    >>> control = [[9, 8, nan, nan], [8, 9, nan, nan], [nan, nan, 9, 7], [nan, nan, 8, 6]]
    >>> model = [[nan, nan, 3, 2], [nan, nan, 4, 4], [5, 3, nan, nan], [3, 4, nan, nan]]
    >>> result = quasi_f(Cells(np.array([control, model]), np.array([0, 0, 1, 1])))
    >>> print(f"{result.mean:.3f}, {result.statistic}, p = {result.p:.3f}")
    4.500, t(2) = 11.38, p = 0.008
    """
    n, over_raters = int(np.isfinite(cells.y).sum()), by_participant(cells)
    note = over_raters.note or by_item(cells).note
    result = Moments(over_raters.mean, np.nan, 0) if note else crossed(cells.y, cells.lists)
    return contrast("quasi-F test", OTHER_BOTH, n, result, note)


def equivalence(tested: Contrast, margin: float) -> Equivalence:
    """Two one-sided tests: is the difference within `margin` points either way?

    `p` is the larger of both; the 90% interval lies within the margin exactly when p is below .05.
    It speaks for what `tested` speaks for.

    >>> ratings = np.array([[8, 7, 9, 8, 7, 8.5], [8, 7.5, 8.5, 8, 7, 8]])
    >>> tested = by_participant(Cells(ratings[..., None], np.zeros(6, int)))
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


def why_not(n: int, result: Moments, unit: str) -> str:
    """Why there is no interval and no test over raters or pictures (`unit`), or nothing."""
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


def contrast(method: str, speaks_for: str, n: int, result: Moments, note: str) -> Contrast:
    """The test of `result`, or only its mean where `note` says why there is none."""
    mean = round(float(result.mean), DIGITS)
    if note:
        return Contrast(method, speaks_for, n, mean, note=note)
    se, half = math.sqrt(result.variance), float(half_width(result))
    df, p = float(result.df), float(p_values(result))
    return Contrast(method, speaks_for, n, mean, se, df, mean - half, mean + half, mean / se, p)
