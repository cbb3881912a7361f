"""Every figure that is reported, as a pure function: training, evaluation, the page and the README
use these and no others."""

import cv2
import numpy as np
from scipy import ndimage
from skimage.color import deltaE_ciede2000

from model.color import rgb_to_lab_exact

# Level from which on, in all three channels, a pixel may be background.
WHITE = 240
# Chroma above which a pixel is more than tinted.
COLOR_CHROMA = 8


def ab_mse(predicted: np.ndarray, true: np.ndarray) -> float:
    """The paper's loss: mean squared error of ab in its -1..1 units, any two like shapes."""
    return float(np.mean(np.square(np.subtract(predicted, true, dtype=np.float64))))


def fruit_mask(rgb: np.ndarray) -> np.ndarray:
    """Where the fruit is on a white background, (H, W) bool for (H, W, 3) uint8 RGB.

    Not near-white, with highlights inside the outline filled in and the one-pixel rim, where
    fruit and background mix, taken off.
    """
    filled = ndimage.binary_fill_holes(rgb.min(axis=-1) < WHITE)
    return ndimage.binary_erosion(filled, border_value=1)


def fruit_mask_lab8(lab8: np.ndarray) -> np.ndarray:
    """`fruit_mask` of (H, W, 3) uint8 8-bit Lab."""
    return fruit_mask(cv2.cvtColor(lab8, cv2.COLOR_LAB2RGB))


def ciede2000(rgb: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Colour difference CIEDE2000 (Sharma et al. 2005) of (..., 3) uint8 RGB, pixel by pixel.

    About 1 is just noticeable side by side; above 10 colours are plainly different.
    """
    return deltaE_ciede2000(rgb_to_lab_exact(rgb), rgb_to_lab_exact(other))


def fruit_ciede2000(rgb: np.ndarray, true: np.ndarray) -> float:
    """Median `ciede2000` of two (H, W, 3) uint8 RGB pictures over the `fruit_mask` of `true`, over
    the whole picture where that is empty."""
    return _median_over(fruit_mask(true), ciede2000(rgb, true))


def photo_ciede2000(rgb: np.ndarray, true: np.ndarray) -> float:
    """Median `ciede2000` of two (H, W, 3) uint8 RGB photos over the `color_mask` of `true`, over
    the whole photo where that is empty."""
    return _median_over(color_mask(true), ciede2000(rgb, true))


def _median_over(mask: np.ndarray, difference: np.ndarray) -> float:
    return float(np.median(difference[mask] if mask.any() else difference))


def is_in_color(rgb: np.ndarray) -> bool:
    """Whether (H, W, 3) uint8 RGB shows colours, beyond the tint and noise of a grey scan."""
    return bool(np.mean(color_mask(rgb)) > 0.01)


def color_mask(rgb: np.ndarray) -> np.ndarray:
    """Where (H, W, 3) uint8 RGB is more than tinted, (H, W) bool: chroma over `COLOR_CHROMA`."""
    return np.linalg.norm(rgb_to_lab_exact(rgb)[..., 1:], axis=-1) > COLOR_CHROMA


def colorfulness(rgb: np.ndarray) -> float:
    """Colourfulness M^(3) of Hasler & Suesstrunk (2003) of (..., 3) uint8 RGB pixels.

    0 for grey; about 15 slightly, 45 averagely, 82 highly colourful.
    """
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
