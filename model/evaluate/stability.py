"""Whether a photo keeps its colours when something changes that says nothing about them."""

from collections import defaultdict
from collections.abc import Iterator

import cv2
import numpy as np
from tqdm import tqdm

from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor
from model.metrics import ciede2000
from model.photos import resize

# Longer sides at which the same photo is colorized, in pixels; the first is the plain photo's.
SIDES = (256, 512, 1024)
# Grey levels of the borders that are put around it, and their width as a share of its longer side.
BORDERS = {"white_border": 255, "black_border": 0}
BORDER_SHARE = 0.04
# The filter sepia of W3C Filter Effects Module Level 1: RGB of RGB.
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


def stability(colorizer: Colorizer, photos: list[np.ndarray]) -> dict[str, float]:
    """Median over photos of the median CIEDE2000 between the colours that the plain photo gets and
    those that it gets changed: at_512 and at_1024 (the further `SIDES`), white_border,
    black_border, sepia and half_contrast.

    All colours are put onto the plain photo, so that they alone are compared; those of a border are
    cut off.

    Args:
        photos: (H, W, 3) uint8 RGB, of any sizes.
    """
    differences = defaultdict(list)
    for photo in tqdm(photos, desc="changing", unit="photo", disable=None):
        plain = _at(photo, SIDES[0])
        given = recolor(plain, colorizer.predict_ab(plain))
        for name, ab in _changed(colorizer, photo, plain):
            differences[name].append(np.median(ciede2000(recolor(plain, ab), given)))
    return {name: float(np.median(each)) for name, each in differences.items()}


def _changed(
    colorizer: Colorizer, photo: np.ndarray, plain: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """The name of each change, and the ab of the changed photo."""
    for side in SIDES[1:]:
        yield f"at_{side}", colorizer.predict_ab(_at(photo, side))
    width = round(BORDER_SHARE * max(plain.shape[:2]))
    for name, level in BORDERS.items():
        framed = cv2.copyMakeBorder(plain, *[width] * 4, cv2.BORDER_CONSTANT, value=[level] * 3)
        ab = resize(colorizer.predict_ab(framed), framed.shape[1::-1])
        yield name, ab[width:-width, width:-width]
    yield "sepia", colorizer.predict_ab(_to_uint8(plain @ SEPIA.T))
    yield "half_contrast", colorizer.predict_ab(_to_uint8(plain / 2 + 255 / 4))


def _at(photo: np.ndarray, side: int) -> np.ndarray:
    """The photo with `side` pixels on the longer side."""
    factor = side / max(photo.shape[:2])
    return resize(photo, tuple(max(1, round(length * factor)) for length in photo.shape[1::-1]))


def _to_uint8(rgb: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
