"""Colours wanted at places, and how the network is told of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from model.color import lab_to_rgb, normalize_ab, rgb_to_lab

MAX_PINS = 256
# Pixels at the network's scale that a hint reaches from its middle: the square is 5 wide, those of
# training are 1 to 9.
REACH = 2

# Chroma from which on a colour is plainly one, and the share of it that a place has to take.
PLAIN, FITS = 10, 0.3


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
    """Row and column, in a picture of shape `small`, of the middle of the pixel at the place x, y
    in one of `shape`."""
    row, column = ((int(at) + 0.5) * small[axis] / shape[axis] for axis, at in enumerate((y, x)))
    return int(row), int(column)


def hints_of(pins: Sequence[Pin], shape: tuple, small: tuple) -> np.ndarray:
    """The network's hints for `pins` in a photo of `shape`, scaled to the shape `small`:
    (3, h, w) float32, ab and a mask, a square for each pin, later ones over earlier ones."""
    hints = np.zeros((3, *small[:2]), np.float32)
    for pin in pins:
        row, column = place_in(pin.x, pin.y, shape, small)
        square = tuple(
            slice(max(0, middle - REACH), middle + REACH + 1) for middle in (row, column)
        )
        hints[:2, *square] = normalize_ab(ab_of(pin))[:, None, None]
        hints[2, *square] = 1
    return hints


def smoothed(change: np.ndarray, pins: Sequence[Pin], shape: tuple) -> np.ndarray:
    """The `change` of ab, (h, w, 2) float32, that `pins` bring about in a photo of `shape`, without
    the specks that the network leaves where it was given hints."""
    side = 2 * REACH + 1
    squares = hints_of(pins, shape, change.shape)[2]
    squares = cv2.dilate(squares, np.ones((2 * side - 1, 2 * side - 1)))
    share = cv2.GaussianBlur(squares, None, REACH / 2)[..., None]
    return change + share * (cv2.GaussianBlur(change, None, side / 2) - change)


def ab_of(pin: Pin) -> np.ndarray:
    """Real a and b of a pin, (2,) float32."""
    return rgb_to_lab(np.array([[pin.rgb]], np.uint8))[0, 0, 1:]


def without_room(pins: Sequence[Pin], luminance: np.ndarray, shape: tuple) -> list[int]:
    """Which of `pins` in a photo of `shape`, counted from 1, are on places so bright or dark that
    their colours cannot be seen there; `luminance` is (h, w) float32 real L of the photo."""
    if not pins:
        return []
    places = [luminance[place_in(pin.x, pin.y, shape, luminance.shape)] for pin in pins]
    wanted = np.stack([ab_of(pin) for pin in pins])[None]
    shown = rgb_to_lab(lab_to_rgb(np.float32(places)[None], wanted))[..., 1:]
    chroma, left = (np.linalg.norm(ab[0], axis=-1) for ab in (wanted, shown))
    return [int(n) + 1 for n in np.flatnonzero((chroma > PLAIN) & (left < FITS * chroma))]
