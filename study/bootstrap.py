"""Bootstrap intervals of condition means, raters and pictures resampled."""

import numpy as np
import pandas as pd

from study.moments import sets_of
from study.ratings import DIGITS, as_cells, conditions_of, rater_means

DRAWS = 2000


def bootstrap_means(table: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """The mean of rater means in each condition, with a 95% percentile interval.

    Raters are drawn within their lists and pictures within the sets that the lists swap, all but
    one of each with replacement, which makes the variance come out right in small samples (Rao & Wu
    1988). The interval speaks for other raters and other pictures; NaN where there are not two of
    each in some list or set, or no spread.

    >>> rng = np.random.default_rng(1)
    >>> rater, picture = np.divmod(np.arange(60), 10)
    >>> table = pd.DataFrame({
    ...     "rater": rater,
    ...     "picture": picture,
    ...     "condition": np.where((rater + picture) % 2, "control", "generated"),
    ...     "rating": rng.integers(3, 9, 60),
    ... })
    >>> bootstrap_means(table).round(1)
       condition  mean  low  high
    0    control   5.7  4.6   6.8
    1  generated   5.1  4.1   6.3
    """
    conditions = conditions_of(table)
    cells = as_cells(table, conditions)
    sets = sets_of(cells.y, cells.lists) if len(table) else np.zeros(0, int)
    means = resampled(cells.y, cells.lists, sets, draws, np.random.default_rng(seed))
    rows = []
    for number, condition in enumerate(conditions):
        seen = np.isfinite(cells.y[number])
        varied = _repeats(cells.lists[seen.any(axis=1)]) and _repeats(sets[seen.any(axis=0)])
        low, high = np.nanquantile(means[:, number], [0.025, 0.975]) if varied else (np.nan,) * 2
        mean = rater_means(table, conditions)[condition].mean()
        if not high - low > 1e-9:
            low = high = np.nan
        rows.append((condition, round(mean, DIGITS), float(low), float(high)))
    return pd.DataFrame(rows, columns=["condition", "mean", "low", "high"])


def resampled(
    y: np.ndarray, lists: np.ndarray, sets: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """(draws, conditions) means of rater means over resampled raters and pictures.

    y is (conditions, raters, pictures), NaN where nothing was rated.
    """
    raters, pictures = _counts(lists, draws, rng), _counts(sets, draws, rng)
    seen = np.isfinite(y)
    total = np.einsum("crp,bp->bcr", np.where(seen, y, 0), pictures, optimize=True)
    count = np.einsum("crp,bp->bcr", seen.astype(float), pictures, optimize=True)
    rated = count > 0  # a rater with gaps may have rated none of the pictures drawn
    weight = raters[:, None] * rated
    means = np.where(rated, total / np.maximum(count, 1), 0)
    whole = weight.sum(axis=-1)
    return np.where(whole > 0, (weight * means).sum(axis=-1) / np.maximum(whole, 1), np.nan)


def _counts(strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, n) how often each unit is drawn: size - 1 of each stratum, at least one."""
    counts = np.zeros((draws, len(strata)))
    for name in np.unique(strata):
        units = np.flatnonzero(strata == name)
        share = np.full(len(units), 1 / len(units))
        counts[:, units] = rng.multinomial(max(1, len(units) - 1), share, size=draws)
    return counts


def _repeats(strata: np.ndarray) -> bool:
    """Whether some stratum has two units, so that resampling can vary."""
    return len(np.unique(strata)) < len(strata)
