"""Suggestions from a distribution over ab bins: likely colours, the colours between which it
wavers, and the pins that bring one of them about.

Everywhere `probability` is (..., bins) float32 over `model.color.AB_BINS`, its sum over bins 1.
"""

import cv2
import numpy as np

from model.color import AB_BINS, BIN_SIZE, lab_to_rgb
from model.colorizer.pins import Pin
from model.colorizer.prepared import Prepared
from model.metrics import COLOR_CHROMA, ciede2000

# Standard deviation of the Gaussian that smooths over neighbouring bins, in units of ab.
BANDWIDTH = BIN_SIZE / 2
# CIEDE2000 from which on two colours are plainly different.
DISTINCT = 10
# Share of the highest peak below which another peak says too little.
DOUBTFUL = 0.1
# Share of the likeliest colour's probability below which a colour is not offered.
UNLIKELY = 0.02
# Real L at which colours are compared before there is a place for them.
TYPICAL_LUMINANCE = 55
# Real L from which on a place shows the light and not the fruit.
HIGHLIGHT = 90
# Largest number of pins that bring an alternative about.
PLACES = 3


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


def pins_at(color: np.ndarray, score: np.ndarray, cell: int, prepared: Prepared) -> tuple[Pin, ...]:
    """Pins of one colour at the best places, apart from each other.

    Args:
        color: (2,) real ab.
        score: (rows, columns), how good the places are, one for each square of `cell` pixels of
            `prepared.small`.

    Returns:
        up to `PLACES` pins in pixels of the photo.
    """
    luminance = prepared.luminance
    by_cell = cv2.resize(luminance, score.shape[::-1], interpolation=cv2.INTER_AREA)
    # the mean of 3 x 3, nothing outside: high well inside the fruit
    score = cv2.blur(score, (3, 3), borderType=cv2.BORDER_CONSTANT) * (by_cell < HIGHLIGHT)
    least = score.max() / 10
    apart = int(np.sqrt(np.sum(score > score.max() / 4)) / 3)  # a third of the good places' width
    pins = []
    for _ in range(PLACES):
        row, column = np.unravel_index(score.argmax(), score.shape)
        if score[row, column] <= least:
            break
        y, x = (
            min((place + 0.5) * cell, pixels - 0.5)
            for place, pixels in zip((row, column), luminance.shape, strict=True)
        )
        rgb = lab_to_rgb(luminance[int(y), int(x)][None, None], color[None, None])[0, 0]
        (height, width), (rows, columns) = prepared.shape, luminance.shape
        pins.append(Pin(x * width / columns, y * height / rows, tuple(rgb.tolist())))
        near = (slice(max(0, place - apart), place + apart + 1) for place in (row, column))
        score[tuple(near)] = 0
    return tuple(pins)
