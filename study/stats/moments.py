"""Means and their variances on arrays of ratings, for one study or for thousands at once.

y is (..., conditions, raters, pictures), the reference condition first, NaN where nothing was
rated; what is missing must be the same along the leading axes. lists is (raters,), the number of
each rater's list. `study.stats.contrasts` sends one study through here, `study.simulate` thousands.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse, stats

from study.stats.ratings import DIGITS


class Moments(NamedTuple):
    """A mean, its squared standard error and the degrees of freedom of that; arrays (...)."""

    mean: np.ndarray
    variance: np.ndarray
    df: np.ndarray | float


def rater_differences(y: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., raters) differences of the raters who rated both conditions, and their lists."""
    means = mean_of_seen(y, -1)
    differences = (means[..., 0, :] - means[..., 1, :]).round(DIGITS)
    both = _first(np.isfinite(differences), 1)
    return differences[..., both], lists[both]


def rater_values(y: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., raters) means of one condition's ratings, y (..., raters, pictures), and the lists.

    Of the raters who rated anything in it.
    """
    means = mean_of_seen(y, -1).round(DIGITS)
    rated = _first(np.isfinite(means), 1)
    return means[..., rated], lists[rated]


def picture_differences(y: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., pictures) differences of the pictures rated in both conditions, and their sets.

    Where there are none: the picture means, doubled, negative in the second condition, and the
    condition for a set. The mean over the two sets is then the difference, as it is elsewhere.
    """
    means = mean_of_seen(y, -2)
    rated = _first(np.isfinite(means), 2)  # (conditions, pictures)
    both = rated.all(axis=0)
    if not both.any():
        if not rated.any(axis=1).all():
            return means[..., 0, :0], np.zeros(0, int)
        signed = np.where(rated[0], means[..., 0, :], -means[..., 1, :])
        return 2 * signed.round(DIGITS), rated[1].astype(int)
    return (means[..., 0, :] - means[..., 1, :])[..., both].round(DIGITS), sets_of(y, lists)[both]


def sets_of(y: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """(pictures,) a number for pictures that all lists show in the same conditions."""
    seen = _first(np.isfinite(y), 3)
    shown = [seen[:, lists == number].any(axis=1) for number in np.unique(lists)]
    return np.unique(np.concatenate(shown), axis=1, return_inverse=True)[1].ravel()


def stratified(values: np.ndarray, strata: np.ndarray) -> Moments:
    """The mean of the strata's means of `values` (..., n), from the spread within strata."""
    names, sizes = np.unique(strata, return_counts=True)
    df = len(strata) - len(names)
    mean, squares = np.zeros(values.shape[:-1]), np.zeros(values.shape[:-1])
    for name in names:
        stratum = values[..., strata == name]
        mean += stratum.mean(axis=-1) / len(names)
        squares += np.square(stratum - stratum.mean(axis=-1, keepdims=True)).sum(axis=-1)
    if not len(names):
        mean += np.nan
    variance = (squares / df if df else squares + np.nan).round(DIGITS)
    return Moments(mean, variance * (1 / sizes).sum() / max(1, len(names)) ** 2, df)


def crossed(y: np.ndarray, lists: np.ndarray) -> Moments:
    """The mean difference with its quasi-F variance over raters and pictures."""
    raters = stratified(*rater_differences(y, lists))
    pictures = stratified(*picture_differences(y, lists))
    noise, noise_df = _noise(y, lists)
    total = raters.variance + pictures.variance - noise
    with np.errstate(all="ignore"):
        df = total**2 / (
            raters.variance**2 / raters.df
            + pictures.variance**2 / pictures.df
            + noise**2 / noise_df
        )
    larger = np.maximum(raters.variance, pictures.variance)
    its_df = np.where(raters.variance >= pictures.variance, raters.df, pictures.df)
    both = np.minimum(raters.variance, pictures.variance) > noise
    return Moments(raters.mean, np.where(both, total, larger), np.where(both, df, its_df))


def p_values(result: Moments) -> np.ndarray:
    """Two-sided p of a mean of zero; NaN where there is no spread."""
    with np.errstate(all="ignore"):
        return 2 * stats.t.sf(np.abs(result.mean) / np.sqrt(result.variance), result.df)


def half_width(result: Moments, level: float = 0.95) -> np.ndarray:
    """Half the width of the t interval of the mean; NaN where there is no spread."""
    with np.errstate(all="ignore"):
        half = stats.t.ppf((1 + level) / 2, result.df) * np.sqrt(result.variance)
    return np.where(result.variance > 0, half, np.nan)


def tost(result: Moments, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """One-sided p of a mean of `-margin` or less, and of `margin` or more: two one-sided tests.

    The larger is the p of equivalence; NaN where there is no spread.
    """
    with np.errstate(all="ignore"):
        se = np.sqrt(result.variance)
        lower = stats.t.sf((result.mean + margin) / se, result.df)
        return lower, stats.t.cdf((result.mean - margin) / se, result.df)


def rounded_mean(values: np.ndarray, axis: int) -> np.ndarray:
    return np.mean(values, axis=axis).round(DIGITS)


def _noise(y: np.ndarray, lists: np.ndarray) -> tuple[np.ndarray, float]:
    """What single ratings' noise adds to the variance of the mean difference, and its df.

    The noise is what raters' and pictures' means within a condition leave over. It counts as none
    where it cannot be told: one rating each, or a rater who saw a picture in both conditions, whose
    taste for that picture cancels in the difference but not in the rest.
    """
    seen = _first(np.isfinite(y), 3)
    df = sum(_noise_df(layer) for layer in seen)
    if df == 0 or seen.all(axis=0).any():
        return np.zeros(y.shape[:-3]), math.inf
    counts = seen.sum(axis=2)  # (conditions, raters)
    both = (counts > 0).all(axis=0)
    sizes = np.bincount(lists[both])
    share = 1 / (sizes[lists[both]] * np.count_nonzero(sizes))  # each rater's part in the mean
    weight = (share**2 * (1 / counts[:, both]).sum(axis=0)).sum()
    rest = y
    for _ in range(100):  # two rounds where no cell is missing
        before, rest = rest, rest - mean_of_seen(rest, -1)[..., None]
        rest = rest - mean_of_seen(rest, -2)[..., None, :]
        if np.nanmax(np.abs(rest - before)) < 1e-9:
            break
    return weight * np.nansum(rest**2, axis=(-3, -2, -1)) / df, df


def _noise_df(seen: np.ndarray) -> int:
    """Ratings less the free means of raters and pictures; `seen` is (raters, pictures)."""
    rated = sparse.coo_array(seen[seen.any(axis=1)][:, seen.any(axis=0)])
    raters, pictures = rated.shape
    edges = (np.ones(rated.nnz), (rated.row, rated.col + raters))
    graph = sparse.coo_array(edges, shape=(raters + pictures,) * 2)
    parts = sparse.csgraph.connected_components(graph, directed=False, return_labels=False)
    return rated.nnz - raters - pictures + parts


def mean_of_seen(y: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is no NaN; NaN, without numpy's warning, where there is nothing."""
    seen = np.isfinite(y)
    count = seen.sum(axis=axis)
    total = np.where(seen, y, 0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _first(array: np.ndarray, axes: int) -> np.ndarray:
    """The last `axes` axes of the first of many studies: what is missing is the same in all."""
    return array[(0,) * (array.ndim - axes)]
