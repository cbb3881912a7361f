"""Bootstrap intervals of condition means, raters and pictures resampled."""

import numpy as np

from study.stats.moments import mean_of_seen, sets_of
from study.stats.ratings import Cells

# Number of resampled studies.
DRAWS = 2000


def bootstrap_intervals(cells: Cells) -> np.ndarray:
    """(conditions, 2): the 95% percentile interval of each condition's mean of rater means.

    Raters are drawn within their lists and pictures within the sets that the lists swap, all but
    one of each with replacement and weighted to the size of the whole: the variance between raters
    and that between pictures are then right (Rao & Wu 1988), while the noise of single ratings
    counts more than once, which is conservative (Owen 2007). The interval speaks for other raters
    and other pictures; how well it covers is in results/study-design/README.md. NaN where a list
    has not two raters or a set not two pictures, which would add no variance, and without spread.

    >>> from study.stats.ratings import Ratings
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> rater, picture = np.divmod(np.arange(60), 10)
    >>> table = pd.DataFrame({
    ...     "rater": rater,
    ...     "picture": picture,
    ...     "condition": np.where((rater + picture) % 2, "control", "generated"),
    ...     "rating": rng.integers(3, 9, 60),
    ... })
    >>> bootstrap_intervals(Ratings(table).cells("control", "generated")).round(1)
    array([[4.6, 6.8],
           [4.1, 6.3]])
    """
    found = np.full((len(cells.y), 2), np.nan)
    if not cells.y.size:
        return found
    sets = sets_of(cells.y, cells.lists)
    varies = [
        _pairs(cells.lists[seen.any(axis=1)]) and _pairs(sets[seen.any(axis=0)])
        for seen in np.isfinite(cells.y)
    ]
    if any(varies):
        means = resampled(cells.y, cells.lists, sets, DRAWS, np.random.default_rng(0))
        for number in np.flatnonzero(varies):
            low, high = np.nanquantile(means[:, number], [0.025, 0.975])
            if high - low > 1e-9:
                found[number] = low, high
    return found


def resampled(
    y: np.ndarray, lists: np.ndarray, sets: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """(draws, conditions) means of the lists' means of rater means, raters and pictures resampled.

    y is (conditions, raters, pictures), NaN where nothing was rated.
    """
    raters, pictures = _weights(lists, draws, rng), _weights(sets, draws, rng)
    seen = np.isfinite(y)
    total = np.einsum("crp,bp->bcr", np.where(seen, y, 0), pictures, optimize=True)
    count = np.einsum("crp,bp->bcr", seen.astype(float), pictures, optimize=True)
    rated = count > 0  # a rater with gaps may have rated none of the pictures drawn
    weight = raters[:, None] * rated
    weighted = weight * np.where(rated, total, 0) / np.where(rated, count, 1)
    of_lists = []
    for name in np.unique(lists):
        whole = weight[..., lists == name].sum(axis=-1)
        mean = weighted[..., lists == name].sum(axis=-1) / np.where(whole > 0, whole, 1)
        of_lists.append(np.where(whole > 0, mean, np.nan))
    return mean_of_seen(np.stack(of_lists, axis=-1), -1)


def _weights(strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, n) weights that sum to the size n of each stratum, of n - 1 units drawn from it."""
    weights = np.ones((draws, len(strata)))
    for name in np.unique(strata):
        units = np.flatnonzero(strata == name)
        size = len(units)
        if size > 1:
            drawn = rng.multinomial(size - 1, np.full(size, 1 / size), size=draws)
            weights[:, units] = drawn * size / (size - 1)
    return weights


def _pairs(strata: np.ndarray) -> bool:
    """Whether every stratum has two units or more, so that resampling lets it vary."""
    return len(strata) > 0 and np.unique(strata, return_counts=True)[1].min() > 1
