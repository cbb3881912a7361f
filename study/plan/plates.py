"""Pseudo-isochromatic plates: a digit of coloured dots among other dots, drawn by the program.

A screening aid on an unknown screen, no diagnosis: who does not read a plate may have a colour
vision deficiency, or a screen that shows colours badly.

After Ishihara 1917, "Tests for colour-blindness": one plate that everybody reads, then plates whose
figure and ground differ only along a line of colours that look the same without the red (protan) or
the green (deutan) cones. Which colours those are is told by the simulation of Machado, Oliveira &
Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency", in linear
sRGB: what its matrix takes to zero is the direction of the line. Every dot has a lightness of its
own, so that lightness does not give the figure away.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

SIZE = 512  # pixels, shown at half of it
MACHADO = {  # Machado et al. 2009, severity 1.0: the colours that somebody confuses, linear sRGB
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
RADII = (12, 10, 8, 6, 4)  # pixels
TRIES = 4_000  # for each radius
DIGIT_HEIGHT = 0.72  # of the plate's
LIGHTNESS = 0.3  # dots are up to this share brighter or darker than their colour


@dataclass(frozen=True)
class Plate:
    """A plate.

    Attributes:
        name: what is stored with the answer.
        digit: what people with normal colour vision read.
        figure, ground: the colours of the dots, (r, g, b) linear sRGB in 0..1.
        seed: for the places and lightnesses of the dots.
    """

    name: str
    digit: str
    figure: tuple[float, float, float]
    ground: tuple[float, float, float]
    seed: int


def _confused(
    name: str, digit: str, middle: tuple[float, float, float], apart: float, seed: int
) -> Plate:
    """A plate whose colours lie `apart` on the line that `name` confuses, around `middle`."""
    direction = np.linalg.svd(MACHADO[name])[2][-1]
    step = apart / 2 * direction * np.sign(direction[0])
    return Plate(name, digit, tuple(middle + step), tuple(middle - step), seed)


PLATES = (
    Plate("demonstration", "2", (0.55, 0.16, 0.02), (0.42, 0.50, 0.62), seed=1),
    _confused("protan", "5", (0.42, 0.31, 0.14), 0.44, seed=2),
    _confused("deutan", "7", (0.38, 0.31, 0.15), 0.36, seed=3),
)


@cache
def draw(plate: Plate) -> bytes:
    """The plate as a PNG of SIZE x SIZE pixels; the same one every time."""
    places, radii, colors = dots(plate)
    canvas = np.full((SIZE, SIZE, 3), 255, np.uint8)
    for (x, y), radius, color in zip(places.tolist(), radii.tolist(), colors, strict=True):
        rgb = np.rint(255 * encoded(color)).tolist()
        cv2.circle(canvas, (x, y), radius, rgb, cv2.FILLED, cv2.LINE_AA)
    return cv2.imencode(".png", canvas[..., ::-1])[1].tobytes()


def dots(plate: Plate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The dots of a plate.

    Returns:
        places, (N, 2) int, x and y in pixels; radii, (N,) int; colours, (N, 3) linear sRGB in 0..1.
    """
    rng = np.random.default_rng(plate.seed)
    places, radii = _packed(rng)
    in_figure = inside(plate, places)[:, None]
    lightness = rng.uniform(1 - LIGHTNESS, 1 + LIGHTNESS, (len(places), 1))
    return places, radii, lightness * np.where(in_figure, plate.figure, plate.ground)


def inside(plate: Plate, places: np.ndarray) -> np.ndarray:
    """Which of the places, (N, 2) x and y, are on the digit: (N,) bool."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, round(SIZE * 0.12)
    scale = cv2.getFontScaleFromHeight(font, round(SIZE * DIGIT_HEIGHT) - thickness, 1)
    (width, height), _ = cv2.getTextSize(plate.digit, font, scale, 1)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    corner = ((SIZE - width) // 2, (SIZE + height) // 2)
    cv2.putText(mask, plate.digit, corner, font, scale, 1, thickness)
    return mask[places[:, 1], places[:, 0]] > 0


def _packed(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dots without overlap in a disc, the largest first."""
    places, radii = np.empty((0, 2), int), np.empty(0, int)
    for radius in RADII:
        for place in rng.integers(0, SIZE, (TRIES, 2)):
            if np.hypot(*(place - SIZE / 2)) > SIZE / 2 - radius - 2:
                continue
            if (np.hypot(*(places - place).T) > radii + radius + 1).all():
                places, radii = np.vstack([places, place]), np.append(radii, radius)
    return places, radii


def encoded(linear: np.ndarray) -> np.ndarray:
    """sRGB of linear sRGB, both in 0..1."""
    low, high = 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.clip(np.where(linear <= 0.0031308, low, high), 0, 1)
