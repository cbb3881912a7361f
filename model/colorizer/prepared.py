"""A photo prepared once for everything that a network is asked about it: judged, and scaled."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from model.color import luminance_to_gray, rgb_to_lab
from model.metrics import WHITE, fruit_mask
from model.networks.contract import Network
from model.photos import resize

# Longer side at which fruit on white is told from other photos, in pixels.
SKETCH_SIDE = 100
# Share of white among the outermost pixels of fruit on white: all of Fruits-360 has more, other
# photos have less.
WHITE_BORDER = 2 / 3
# The same without what may be the white border of a print.
WHITE_WITHIN = 0.4
# L within this of black or white, and hardly changing along an edge of the photo, is a border; and
# the most of a side that a border takes.
EXTREME, FLAT, WIDEST = 12, 3, 0.2
# A photo whose L between these percentiles has less than the range FADED is stretched to USUAL, but
# not more than by MOST.
PERCENTILES, FADED, USUAL, MOST = (0.5, 99.5), 55, 85, 3
# Least share of the longer side that a fruit takes in Fruits-360.
FILLS_FRAME = 0.9


@dataclass(frozen=True, eq=False)
class Prepared:
    """A photo as one network is shown it.

    Attributes:
        rgb: (H, W, 3) uint8, the picture that takes the colours: the photo itself unless
            `onto` put another in its place.
        shape: height and width of the photo, in whose pixels pins and places are.
        small: (h, w, 3) uint8 RGB, the photo at the network's scale.
        luminance: (h, w) float32, real L of `small`.
        seen: (h, w) float32, L as the network is shown it: of a photo without its border and, where
            it is faded, at usual contrast.
        inside: rows and columns within the border.
        mask: (h, w) float32, 1 on the fruit and 0 on the white around it; None for a photo of
            anything but fruit on white.
        chroma: factor on the ab that the network gives; pins are divided by it on their way in.
    """

    rgb: np.ndarray
    shape: tuple[int, int]
    small: np.ndarray
    luminance: np.ndarray
    seen: np.ndarray
    inside: tuple[slice, slice]
    mask: np.ndarray | None
    chroma: float

    def onto(self, rgb: np.ndarray) -> "Prepared":
        """The same photo, its colours to be put onto `rgb`: (H, W, 3) uint8, the photo at another
        size, such as a preview."""
        return replace(self, rgb=rgb)


def prepare(rgb: np.ndarray, network: Network, *, photo_chroma: float = 1.0) -> Prepared:
    """`rgb`, (H, W, 3) uint8, with its fruit as large as `network` knows it from training.

    The largest fruit on white is brought to `studio_scale`, the whole to `photo_scale` at most.
    Any other photo is brought down to `photo_scale` and its colours take `photo_chroma`; a tiny
    one is enlarged to `studio_scale`.
    """
    studio, photo = network.studio_scale, network.photo_scale
    longer = max(rgb.shape[:2])
    found = _fruit_on_white(rgb)
    if found is None:
        pixels = float(np.clip(longer, studio, photo))
    else:
        share = _share_of_side(found)
        pixels = studio if share >= FILLS_FRAME else min(studio / share, photo)
    small = _scaled(rgb, pixels / longer)
    mask = None if found is None else cv2.resize(found.astype(np.float32), small.shape[1::-1])
    luminance = rgb_to_lab(small)[..., 0]
    inside = _inside(luminance) if found is None else (slice(None), slice(None))
    return Prepared(
        rgb=rgb,
        shape=rgb.shape[:2],
        small=small,
        luminance=luminance,
        seen=_restored(luminance, inside) if found is None else luminance,
        inside=inside,
        mask=mask,
        chroma=photo_chroma if found is None else 1.0,
    )


def _fruit_on_white(rgb: np.ndarray) -> np.ndarray | None:
    """Where the fruit is, (h, w) bool with `SKETCH_SIDE` pixels on the longer side, judged by
    luminance alone; None for a photo without a white border."""
    sketch = _scaled(rgb, SKETCH_SIDE / max(rgb.shape[:2]))
    luminance = rgb_to_lab(sketch)[..., 0]
    sketch = luminance_to_gray(luminance)
    within = sketch[_inside(luminance)]
    mask = fruit_mask(sketch)
    on_white = _white_share(sketch) > WHITE_BORDER and _white_share(within) > WHITE_WITHIN
    return mask if on_white and mask.any() else None


def _white_share(sketch: np.ndarray) -> float:
    """Share of white among the outermost pixels of (h, w, 3) uint8 RGB."""
    border = np.concatenate([sketch[0], sketch[-1], sketch[:, 0], sketch[:, -1]])
    return float(np.mean(border >= WHITE))


def _inside(luminance: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of (h, w) L that are no part of a plain black or white border."""
    parts = []
    for lines in (luminance, luminance.T):
        middle, spread = lines.mean(1), lines.std(1)
        border = (np.minimum(middle, 100 - middle) < EXTREME) & (spread < FLAT)
        most = int(WIDEST * len(lines))
        first, last = (
            int(np.argmin(edge[:most])) if not edge[:most].all() else 0
            for edge in (border, border[::-1])
        )
        parts.append(slice(first, len(lines) - last))
    return tuple(parts)


def _restored(luminance: np.ndarray, inside: tuple[slice, slice]) -> np.ndarray:
    """(h, w) L with its edge in the place of its border, and stretched if it is faded."""
    photo = luminance[inside]
    low, high = np.percentile(photo, PERCENTILES)
    if high - low < FADED:
        factor = min(USUAL / max(high - low, 1), MOST)
        # what is left of black and white is divided as before
        lowest = (100 - (high - low) * factor) * low / (100 - (high - low))
        photo = np.clip((photo - low) * factor + lowest, 0, 100)
    around = [
        (part.start, size - part.stop) for part, size in zip(inside, luminance.shape, strict=True)
    ]
    return np.pad(photo, around, mode="edge").astype(np.float32)


def _share_of_side(mask: np.ndarray) -> float:
    """Share of the longer side that the largest fruit in (h, w) bool `mask` takes."""
    _, parts, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = sizes[1:, cv2.CC_STAT_AREA]
    if np.sum(areas > areas.max() / 4) > 1:  # several fruits, not a fruit and its stem
        mask = parts == 1 + areas.argmax()
    # 2: the last pixel, and the half-covered rim that is not in the mask
    return max(np.ptp(places) + 2 for places in np.nonzero(mask)) / max(mask.shape)


def _scaled(rgb: np.ndarray, factor: float) -> np.ndarray:
    height, width = rgb.shape[:2]
    return resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))
