"""Colours wanted at places, and how the network is told of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from model.color import normalize_ab, rgb_to_lab

MAX_PINS = 50
# Standard deviation, in units of ab, of the Gaussian that says how alike two places are in colour.
ALIKE = 25
# Standard deviation, as a share of the longer side, of the Gaussian that says how near they are.
NEAR = 0.3
# Pixels at the network's scale that a hint reaches from its middle: the square is 5 wide, those of
# training are 1 to 9.
REACH = 2


class PinError(ValueError):
    """A pin that cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Pin:
    """A colour wanted at a place.

    Attributes:
        x, y: pixels of the full-size photo from its left and top edge.
        rgb: red, green and blue in 0..255. Its a and b count; the luminance is the photo's.
    """

    x: float
    y: float
    rgb: tuple[int, int, int]

    @classmethod
    def parse(cls, text: str) -> "Pin":
        """The pin written as X,Y,#RRGGBB.

        Raises:
            PinError: `text` is something else.
        """
        try:
            x, y, color = text.split(",")
            red_green_blue = re.fullmatch(r"\s*#([0-9a-fA-F]{6})\s*", color)[1]
            return cls(float(x), float(y), tuple(bytes.fromhex(red_green_blue)))
        except (TypeError, ValueError):
            raise PinError(
                f"A pin is X,Y,#RRGGBB, such as 120,80,#c03020, not {text[:40]!r}."
            ) from None

    def check(self, width: int, height: int) -> None:
        """Raise PinError unless this pin can be used in a photo of this size."""
        check_place(self.x, self.y, width, height)
        try:
            color = np.asarray(self.rgb, float)
        except (TypeError, ValueError):
            color = np.empty(0)
        if color.shape != (3,) or not ((color >= 0) & (color <= 255)).all():
            raise PinError(f"The colour of a pin is three numbers from 0 to 255, not {self.rgb}.")


def check_place(x: float, y: float, width: int, height: int) -> None:
    """Raise PinError unless x, y is a place in a photo of this size."""
    if not (0 <= x < width and 0 <= y < height):
        raise PinError(
            f"The place {x:g}, {y:g} is outside the photo of {width} x {height} pixels; x and y"
            " count from 0 at its left and top edge."
        )


def place_in(x: float, y: float, shape: tuple, small: tuple) -> tuple[int, int]:
    """Row and column, in a picture of shape `small`, of the place x, y in one of `shape`."""
    return int(y * small[0] / shape[0]), int(x * small[1] / shape[1])


def hints_of(pins: Sequence[Pin], shape: tuple, small: tuple) -> np.ndarray:
    """The network's hints for `pins` in a photo of `shape`, scaled to the shape `small`:
    (3, h, w) float32, ab and a mask, a square for each pin, later ones over earlier ones."""
    hints = np.zeros((3, *small[:2]), np.float32)
    for pin in pins:
        row, column = place_in(pin.x, pin.y, shape, small)
        square = tuple(
            slice(max(0, middle - REACH), middle + REACH + 1) for middle in (row, column)
        )
        hints[:2, *square] = normalize_ab(_ab_of(pin))[:, None, None]
        hints[2, *square] = 1
    return hints


def likeness(ab: np.ndarray, pins: Sequence[Pin], shape: tuple) -> np.ndarray:
    """How alike each place and those of `pins` in a photo of `shape` are, by the colours that they
    have without pins, real `ab` (h, w, 2): (h, w) float32 in 0..1, more where it is like several.
    """
    unlike = np.ones(ab.shape[:2], np.float32)
    for place in {place_in(pin.x, pin.y, shape, ab.shape) for pin in pins}:
        unlike *= 1 - np.exp(-0.5 * np.square(ab - ab[place]).sum(-1) / ALIKE**2)
    return 1 - unlike


def smoothed(change: np.ndarray, pins: Sequence[Pin], shape: tuple) -> np.ndarray:
    """The `change` of ab, (h, w, 2) float32, that `pins` bring about in a photo of `shape`, without
    the specks that the network leaves where it was given hints."""
    side = 2 * REACH + 1
    squares = hints_of(pins, shape, change.shape)[2]
    squares = cv2.dilate(squares, np.ones((2 * side - 1, 2 * side - 1)))
    share = cv2.GaussianBlur(squares, None, REACH / 2)[..., None]
    return change + share * (cv2.GaussianBlur(change, None, side / 2) - change)


def lacking(ab: np.ndarray, pins: Sequence[Pin], shape: tuple) -> np.ndarray:
    """The difference between real `ab`, (h, w, 2) float32, of a photo of `shape` and the colours of
    `pins`, at their places and wherever it is near and alike: the network follows a pin well, but
    not to the full. Where pins disagree, it is a mean. (h, w, 2) float32."""
    wanted = {place_in(pin.x, pin.y, shape, ab.shape): _ab_of(pin) for pin in pins}
    rows, columns = np.ogrid[: ab.shape[0], : ab.shape[1]]
    smooth = cv2.blur(ab, (2 * REACH + 1, 2 * REACH + 1))
    weights = []
    for row, column in wanted:
        away = np.hypot(rows - row, columns - column) / max(ab.shape[:2])
        unlike = np.linalg.norm(ab - ab[row, column], axis=-1)
        weights.append(np.exp(-0.5 * ((away / NEAR) ** 2 + (unlike / ALIKE) ** 2)))
    missing = [color - smooth[place] for place, color in wanted.items()]
    # more where it is like several, but never more than what is missing
    share = (1 - np.prod(1 - np.array(weights), 0)) / np.sum(weights, 0).clip(1e-6)
    return np.einsum("hw,nhw,nc->hwc", share, weights, missing).astype(np.float32)


def _ab_of(pin: Pin) -> np.ndarray:
    return rgb_to_lab(np.array([[pin.rgb]], np.uint8))[0, 0, 1:]
