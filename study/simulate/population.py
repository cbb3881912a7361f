"""Imaginary raters and pictures with known truth, for the simulations.

A rating is mean + rater + picture + half the difference, up for control and down for the model,
+ noise; the difference is effect + what is particular to the rater + what is particular to the
picture. All are normal; the sum is rounded to whole points and kept within 0 to 10.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Population:
    """Where ratings come from; every `_sd` is a standard deviation in points of the scale.

    Attributes:
        raters, pictures: how many there are in a study.
        paper: whether the design is the paper's: one list, every picture in one condition.
        uneven: whether the first of the two lists has two thirds of the raters, not half.
        effect: control minus model, in points.
        mean: mean rating over both conditions, in points.
    """

    raters: int = 24
    pictures: int = 10
    paper: bool = False
    uneven: bool = False
    effect: float = 0.0
    mean: float = 5.0
    rater_sd: float = 1.0
    picture_sd: float = 1.5
    rater_effect_sd: float = 0.7
    picture_effect_sd: float = 0.7
    noise_sd: float = 1.5

    def __post_init__(self) -> None:
        if self.raters < 2:
            raise ValueError(f"A simulated study needs two raters or more, not {self.raters}.")
        if self.pictures < 4 or self.pictures % 2:
            raise ValueError(
                f"A simulated study needs an even number of pictures, 4 or more, "
                f"not {self.pictures}."
            )


@dataclass(frozen=True)
class Studies:
    """Many simulated studies of one population, and what is true of them.

    y is (studies, 2, raters, pictures), control first, NaN where nothing was rated. The truth is a
    mean for control and one for the model: over all raters for the pictures of each study,
    (studies, 2), and over all raters and pictures, (2,).
    """

    y: np.ndarray
    lists: np.ndarray
    true_here: np.ndarray
    true_everywhere: np.ndarray


def draw(population: Population, studies: int, rng: np.random.Generator) -> Studies:
    """Simulate `studies` studies.

    >>> drawn = draw(Population(raters=4, effect=2), 3, np.random.default_rng(0))
    >>> drawn.y.shape, np.isfinite(drawn.y).sum(axis=(1, 2, 3)).tolist()
    ((3, 2, 4, 10), [40, 40, 40])
    >>> drawn.true_everywhere.round(2).tolist()
    [5.96, 4.04]
    """
    of = population
    lists = np.arange(of.raters) % 3 // 2 if of.uneven else np.arange(of.raters) % 2
    lists = np.zeros(of.raters, int) if of.paper else lists
    is_model = (np.arange(of.pictures) + lists[:, None]) % 2  # (raters, pictures)
    raters = rng.normal(0, of.rater_sd, (studies, of.raters, 1))
    rater_effects = rng.normal(0, of.rater_effect_sd, (studies, of.raters, 1))
    pictures = rng.normal(0, of.picture_sd, (studies, 1, of.pictures))
    picture_effects = rng.normal(0, of.picture_effect_sd, (studies, 1, of.pictures))
    differences = of.effect + rater_effects + picture_effects
    noise = rng.normal(0, of.noise_sd, (studies, of.raters, of.pictures))
    latent = of.mean + raters + pictures + (0.5 - is_model) * differences + noise
    ratings = np.clip(np.round(latent), 0, 10)
    y = np.stack([np.where(is_model == number, ratings, np.nan) for number in (0, 1)], axis=1)

    here = math.hypot(of.rater_sd, of.rater_effect_sd / 2, of.noise_sd)
    everywhere = math.hypot(here, of.picture_sd, of.picture_effect_sd / 2)
    halves = np.array([[0.5], [-0.5]])
    of_pictures = _rounded(of.mean + pictures + halves * (of.effect + picture_effects), here)
    shown = np.isfinite(y[0]).any(axis=1)  # (2, pictures)
    return Studies(
        y,
        lists,
        (of_pictures * shown).sum(axis=-1) / shown.sum(axis=-1),
        _rounded(of.mean + halves[:, 0] * of.effect, everywhere),
    )


def draw_fooled(
    raters: int, pictures: int, studies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Simulate the real-or-fake protocol: about a third of the raters' answers are fooled.

    Return (studies, 1, raters, pictures) of 0 and 1, the true rate for the pictures of each study,
    (studies,), and that for all pictures. On the probit scale raters' sd is 0.3, pictures' 0.6.
    """
    mean, rater_sd, picture_sd = -0.5, 0.3, 0.6
    of_raters = rng.normal(0, rater_sd, (studies, raters, 1))
    of_pictures = rng.normal(0, picture_sd, (studies, 1, pictures))
    latent = mean + of_raters + of_pictures + rng.normal(0, 1, (studies, raters, pictures))
    here = stats.norm.cdf((mean + of_pictures[:, 0]) / math.hypot(1, rater_sd)).mean(axis=-1)
    everywhere = float(stats.norm.cdf(mean / math.hypot(1, rater_sd, picture_sd)))
    return (latent > 0).astype(float)[:, None], here, everywhere


def _rounded(latent: np.ndarray, spread: float) -> np.ndarray:
    """The mean of whole points from 0 to 10 that normal ratings with this mean and sd come to."""
    return sum(stats.norm.sf((step - latent) / spread) for step in np.arange(0.5, 10))
