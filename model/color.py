"""RGB and CIE Lab. No other module converts colours.

Two encodings of Lab are in use:

- *real* Lab, float32: L in 0..100, a and b about -128..127 (sRGB primaries, D65 white).
- the paper's: OpenCV's 8-bit Lab (L * 255 / 100, a + 128, b + 128), each channel mapped from
  0..255 to -1..1 by ``value / 127.5 - 1`` (Leisher & Martin).
"""

import cv2
import numpy as np
import skimage.color

# The values of a and b that grey has in 8-bit Lab.
NEUTRAL = 128
WHITE_LAB8 = (255, NEUTRAL, NEUTRAL)
# Side of the bins of a and b, as in Zhang et al. 2016.
BIN_SIZE = 10
# Largest change of L that is accepted when a colour is written as 8-bit RGB.
LUMINANCE_TOLERANCE = 0.4
# Bisections by which the chroma that fits is found, to 1 part in 256.
GAMUT_STEPS = 8
# Greatest L and hue in the table of the gamut, and its size.
GAMUT_ENDS, GAMUT_SIZE = (100, 2 * np.pi), (201, 361)
# Share of the chroma in the table that is used: between two of its entries less may fit.
GAMUT_SHARE = 0.96


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Real Lab of `rgb`, (H, W, 3) uint8, as (H, W, 3) float32: OpenCV's, fast, good to 0.5."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def rgb_to_lab_exact(rgb: np.ndarray) -> np.ndarray:
    """Real Lab of `rgb`, (..., 3) uint8, by the formulas of CIE 15 and IEC 61966-2-1."""
    return skimage.color.rgb2lab(rgb)


def rgb_to_lab8(rgb: np.ndarray) -> np.ndarray:
    """OpenCV's 8-bit Lab of `rgb`, (H, W, 3) uint8, as (H, W, 3) uint8."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)


def normalize(lab8):
    """The paper's -1..1 from 8-bit Lab values in 0..255: numpy arrays or torch tensors."""
    return lab8 / 127.5 - 1


def normalize_luminance(luminance: np.ndarray) -> np.ndarray:
    """The paper's -1..1 from real L in 0..100."""
    return luminance / 50 - 1


def denormalize_ab(ab: np.ndarray) -> np.ndarray:
    """Real a and b from the paper's -1..1, rounded to 8-bit Lab as its pictures are: 0 is grey."""
    return np.rint((np.clip(ab, -1, 1) + 1) * 127.5) - 128


def normalize_ab(ab: np.ndarray) -> np.ndarray:
    """The paper's -1..1 from real a and b, rounded to 8-bit Lab: `denormalize_ab` takes it back."""
    return normalize(np.rint(ab) + NEUTRAL)


def lab_to_rgb(luminance: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """RGB of exactly this luminance and, as far as sRGB allows, of these colours.

    A colour outside the sRGB gamut keeps its hue and loses chroma until its luminance fits (as in
    CSS Color Module Level 4, "gamut mapping"): by a table, to a little less than the most that
    fits, and where that is not enough by bisection.

    Args:
        luminance: (H, W) float32, real L in 0..100.
        ab: (H, W, 2) float32, real a and b.

    Returns:
        (H, W, 3) uint8 RGB, L within `LUMINANCE_TOLERANCE` of `luminance`.
    """
    rgb = _clipped_rgb(luminance, ab)
    for mapped in (_near_gamut, _into_gamut):  # bisection takes ten times as long
        outside = np.flatnonzero(_luminance_shift(luminance, rgb) > LUMINANCE_TOLERANCE)
        if not outside.size:
            break
        # a row of pixels, (1, n) and (1, n, 2): OpenCV converts images only
        row, colors = luminance.take(outside)[None], ab.reshape(-1, 2).take(outside, axis=0)[None]
        rgb.reshape(-1, 3)[outside] = _clipped_rgb(row, mapped(row, colors))[0]
    return rgb


def _into_gamut(luminance: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """`ab` with the most chroma at which `luminance` stays."""
    low, high = np.zeros_like(luminance), np.ones_like(luminance)
    for _ in range(GAMUT_STEPS):
        scale = (low + high) / 2
        shift = _luminance_shift(luminance, _clipped_rgb(luminance, ab * scale[..., None]))
        fits = shift <= LUMINANCE_TOLERANCE
        low, high = np.where(fits, scale, low), np.where(fits, high, scale)
    return ab * low[..., None]


def _near_gamut(luminance: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """`ab` with about the most chroma, by the table: not everywhere little enough."""
    chroma, hue = cv2.cartToPolar(ab[..., 0], ab[..., 1])
    ends = zip((luminance, hue), GAMUT_ENDS, GAMUT_SIZE, strict=True)
    place = tuple(np.rint(value * ((n - 1) / end)).astype(np.int32) for value, end, n in ends)
    return ab * np.minimum(1, GAMUT[place] / np.maximum(chroma, 1e-6))[..., None]


def luminance_to_gray(luminance: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB, all channels alike, of (H, W) float32 real L in 0..100."""
    rgb = _clipped_rgb(luminance, np.zeros((*luminance.shape, 2), np.float32))
    return np.repeat(rgb[..., 1:2], 3, axis=-1)


def _clipped_rgb(luminance: np.ndarray, ab: np.ndarray) -> np.ndarray:
    lab = cv2.merge([luminance.astype(np.float32), ab.astype(np.float32)])
    return np.rint(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).astype(np.uint8)


def _luminance_shift(luminance: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    return np.abs(rgb_to_lab(rgb)[..., 0] - luminance)


def _bins_in_gamut() -> np.ndarray:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    return np.unique(np.rint(rgb_to_lab(cube)[0, :, 1:] / BIN_SIZE) * BIN_SIZE, axis=0)


# (260, 2) float32, real a and b of the bin centres that some sRGB colour falls into, after Zhang
# et al. 2016, section 2.2 (they count 313). Weights depend on their number and order.
AB_BINS = _bins_in_gamut()


def _most_chroma() -> np.ndarray:
    axes = (np.linspace(0, end, n) for end, n in zip(GAMUT_ENDS, GAMUT_SIZE, strict=True))
    luminance, hue = np.meshgrid(*axes, indexing="ij")
    vivid = 128 * np.dstack([np.cos(hue), np.sin(hue)])
    most = _into_gamut(luminance.astype(np.float32), vivid.astype(np.float32))
    return GAMUT_SHARE * np.linalg.norm(most, axis=-1)


# The most chroma, `GAMUT_SIZE` float32, of each luminance and hue, up to `GAMUT_ENDS`.
GAMUT = _most_chroma()
