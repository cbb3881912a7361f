"""What a distribution over ab bins says: likely colours, and those between which it wavers.

Everywhere `probability` is (..., bins) float32 over `model.color.AB_BINS`, its sum over bins 1.
"""

import numpy as np

from model.color import AB_BINS, BIN_SIZE, lab_to_rgb
from model.metrics import COLOR_CHROMA, ciede2000

BANDWIDTH = BIN_SIZE / 2  # of the Gaussian that smooths over neighbouring bins
DISTINCT = 10  # CIEDE2000 from which on two colours are plainly different
DOUBTFUL = 0.1  # a peak below this share of the highest says too little
UNLIKELY = 0.02  # a colour below this share of the likeliest is not offered
TYPICAL_LUMINANCE = 55  # real L at which colours are compared where there is no place yet


def share_near(probability: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """How likely something like each of `colors` is, (n, 2) real ab: (..., n)."""
    return probability @ _nearness(colors)


def peaks(probability: np.ndarray) -> np.ndarray:
    """The plainly different colours, not grey, that (bins,) `probability` wavers between:
    (n, 2) float32 real ab, the likeliest first."""
    nearness = _nearness(AB_BINS)
    mass = probability @ nearness
    centers = (probability * nearness) @ AB_BINS / np.maximum(mass, 1e-9)[:, None]
    possible = (mass >= DOUBTFUL * mass.max()) & (np.hypot(*centers.T) > COLOR_CHROMA)
    rgb = lab_to_rgb(np.full((1, len(centers)), TYPICAL_LUMINANCE, np.float32), centers[None])[0]
    chosen = []
    while possible.any():
        best = np.where(possible, mass, -1).argmax()
        chosen.append(best)
        possible &= ciede2000(rgb, np.full_like(rgb, rgb[best])) >= DISTINCT
    return centers[chosen]


def palette(probability: np.ndarray, luminance: float, count: int) -> list[tuple[int, int, int]]:
    """At most `count` plainly different RGB colours of this `luminance` (real L), the likeliest of
    (bins,) `probability` first, none of them unlikely."""
    rgb = lab_to_rgb(np.full((1, len(AB_BINS)), luminance, np.float32), AB_BINS[None])[0]
    order = np.argsort(-probability, kind="stable")
    rgb, probability = rgb[order], probability[order]
    chosen: list[tuple[int, int, int]] = []
    different = probability >= UNLIKELY * probability[0]
    while different.any() and len(chosen) < count:
        color = rgb[different.argmax()]
        chosen.append(tuple(color.tolist()))
        different &= ciede2000(rgb, np.full_like(rgb, color)) >= DISTINCT
    return chosen


def _nearness(colors: np.ndarray) -> np.ndarray:
    """(bins, n): 1 where a bin is at the colour, less around it."""
    distance = np.linalg.norm(AB_BINS[:, None] - colors, axis=-1)
    return np.exp(-0.5 * np.square(distance / BANDWIDTH))
