"""The one pipeline: any photo in, a colour photo of the same size out.

    python -m model.colorizer PHOTO_OR_FOLDER... --out DIR
    python -m model.colorizer PHOTO --out DIR --pin 120,80,#c03020 --vividness 1.2

The page, the command line, the study and the tests all come through `Colorizer.colorize`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from model.color import (
    denormalize_ab,
    lab_to_rgb,
    luminance_to_gray,
    normalize_luminance,
    rgb_to_lab,
)
from model.colorizer.pins import (
    MAX_PINS,
    Pin,
    PinError,
    check_place,
    hints_of,
    lacking,
    likeness,
    place_in,
    smoothed,
)
from model.colorizer.suggestions import DISTINCT, palette, peaks, share_near
from model.colorizer.upsampling import recolor
from model.metrics import WHITE, ciede2000, fruit_mask
from model.networks.files import HINTED, load_weights
from model.networks.folding import fold_batch_norm
from model.photos import array_to_rgb, resize
from model.weights import weights_path

DEFAULT_WEIGHTS = "colornet"
UNKNOWN = "The network knows fruit and this looks unlike it: take the colours as a guess."
NO_OTHERS = "No clearly different colours were found."
MAX_VIVIDNESS = 2
SKETCH = 100  # pixels of the longer side at which a photo is told from a fruit on white
WHITE_BORDER = 2 / 3  # white share of the outermost pixels: all Fruits-360 has more, photos less
FILLS_FRAME = 0.9  # a fruit that takes this share of the longer side: as in Fruits-360
HIGHLIGHT = 90  # L from which on a place shows the light and not the fruit
PLACES = 3  # pins that bring an alternative about


class VividnessError(ValueError):
    """A vividness that cannot be used; the message is one sentence that says what can."""


@dataclass(frozen=True)
class _Scaled:
    """A photo at the network's scale.

    Attributes:
        rgb: (h, w, 3) uint8.
        shape: of the full-size photo, in whose pixels its pins are.
        chroma: factor on the ab that the network gives; the ab of pins it is told divided by it.
        on_white: whether it is fruit on white.
    """

    rgb: np.ndarray
    shape: tuple[int, ...]
    chroma: float
    on_white: bool


class Colorizer:
    """A network ready to colorize. Load once, use from any thread.

    Args:
        network: in evaluation mode.
        path: of its weights.
        photo_chroma: see `Recipe`.
        averages: take the mean over several views where the network can and the picture, fruit on
            white, is so small that they cost about as much as a photo.

    >>> colorizer = Colorizer.load("paper")
    >>> colorizer.colorize(np.full((30, 40), 128, np.uint8)).shape
    (30, 40, 3)
    """

    def __init__(
        self, network: nn.Module, path: Path, *, photo_chroma: float = 1.0, averages: bool = True
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.path = path
        self.name = path.stem
        self.photo_chroma = photo_chroma
        self.averages = averages and hasattr(network, "averaged")

    @classmethod
    def load(cls, weights: str | Path = DEFAULT_WEIGHTS) -> "Colorizer":
        """The colorizer with these weights: a name from `available_weights`, or a file.

        Raises:
            WeightsError: unknown or unusable weights.
        """
        path = weights_path(weights)
        network, photo_chroma = load_weights(path)
        return cls(fold_batch_norm(network), path, photo_chroma=photo_chroma)

    @property
    def takes_pins(self) -> bool:
        return isinstance(self.network, HINTED)

    def colorize(
        self, photo: np.ndarray, *, pins: Sequence[Pin] = (), vividness: float = 1.0
    ) -> np.ndarray:
        """Colours for `photo`, whose luminance stays as it is at full resolution.

        Args:
            photo: (H, W) or (H, W, 1, 3 or 4); uint8, uint16, bool, or float in 0..1. Of a colour
                photo only the luminance is used.
            pins: colours wanted at places; of two at one place the later one counts. On fruit on
                white they reach as far as the network takes them, and their places have them to
                the full; on a photo they change what is like their places in colour without them.
            vividness: factor on the chroma, from 0 (grey) over 1 (as predicted) to 2.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            PhotoError: not such an array, or over `MAX_MEGAPIXELS`.
            PinError: a pin outside the photo or of no colour, over `MAX_PINS`, or a network that
                takes none.
            VividnessError: another vividness.
        """
        check_vividness(vividness)
        rgb = array_to_rgb(photo)
        ab = self.predict_ab(rgb, pins=pins)
        return recolor(rgb, vividness * ab if vividness else None)

    def predict_ab(self, rgb: np.ndarray, *, pins: Sequence[Pin] = ()) -> np.ndarray:
        """Real a and b for (H, W, 3) uint8 RGB at the network's own scale: (h, w, 2) float32.

        Raises:
            PinError: as in `colorize`.
        """
        self._check_pins(pins, rgb)
        return self._predict(self._at_working_scale(rgb), pins)

    def alternatives(self, photo: np.ndarray, *, count: int = 4) -> list[tuple[Pin, ...]]:
        """Clearly different versions that are plausible too, each as the pins that bring it about.

        The peaks of the distribution over the fruit, each pinned where it is likely; what comes
        out must differ from the automatic result and from the versions before.

        Returns:
            at most `count`, the likeliest first; none where nothing clearly different is likely,
            or from a network without a distribution or hints.

        Raises:
            PhotoError: as in `colorize`.
        """
        rgb = array_to_rgb(photo)
        if not (self.takes_pins and hasattr(self.network, "distribution")):
            return []
        scaled = self._at_working_scale(rgb)
        small, automatic = scaled.rgb, self._predict(scaled)
        probability = self._distribution(scaled)
        weight = _weight_of_fruit(small, automatic)
        fruit = weight > weight.mean() / 2
        cells = cv2.resize(weight, probability.shape[1::-1], interpolation=cv2.INTER_AREA)
        overall = np.average(probability, axis=(0, 1), weights=cells)

        versions, shown = [], [recolor(small, automatic)]
        for color in peaks(overall):
            if len(versions) >= count:
                break
            likely_here = cells * share_near(probability, color[None])[..., 0]
            pins = _pins_of(color, likely_here, self.network.cell, small, rgb.shape)
            version = recolor(small, self._predict(scaled, pins, automatic))
            differences = (np.median(ciede2000(version[fruit], old[fruit])) for old in shown)
            if min(differences) >= DISTINCT:
                versions.append(pins)
                shown.append(version)
        return versions

    def likely_colors(
        self, photo: np.ndarray, x: float, y: float, *, pins: Sequence[Pin] = (), count: int = 8
    ) -> list[tuple[int, int, int]]:
        """RGB colours that are likely at a place of `photo`, with its luminance.

        Args:
            photo, pins: as in `colorize`.
            x, y: the place, in pixels of the full-size photo from its left and top edge.

        Returns:
            at most `count` plainly different colours, the likeliest first; none from a network
            without a distribution.

        Raises:
            PhotoError, PinError: as in `colorize`, or the place is outside the photo.
        """
        rgb = array_to_rgb(photo)
        height, width = rgb.shape[:2]
        check_place(x, y, width, height)
        self._check_pins(pins, rgb)
        if not hasattr(self.network, "distribution"):
            return []
        scaled = self._at_working_scale(rgb)
        probability = self._distribution(scaled)
        if pins:  # one far from the natural turns all that is likely: offer what is without it too
            probability = (probability + self._distribution(scaled, pins)) / 2
        row, column = place_in(x, y, rgb.shape, scaled.rgb.shape)
        cell = self.network.cell
        luminance = rgb_to_lab(scaled.rgb)[row, column, 0]
        return palette(probability[row // cell, column // cell], luminance, count)

    @torch.inference_mode()
    def knows(self, photo: np.ndarray) -> bool:
        """Whether `photo` is like the pictures of fruit that the network learned from, as far as
        it can tell; True from a network that cannot.

        Raises:
            PhotoError: as in `colorize`.
        """
        if not hasattr(self.network, "familiarity"):
            return True
        scaled = self._at_working_scale(array_to_rgb(photo))
        summary = self.network.summary(*self._inputs(scaled))
        return self.network.familiarity(summary).item() <= 1

    def _check_pins(self, pins: Sequence[Pin], rgb: np.ndarray) -> None:
        if pins and not self.takes_pins:
            raise PinError(f"The weights {self.name} take no pins; leave them out.")
        if len(pins) > MAX_PINS:
            raise PinError(f"There are {len(pins):,} pins; the limit is {MAX_PINS}.")
        for pin in pins:
            pin.check(rgb.shape[1], rgb.shape[0])

    def _at_working_scale(self, rgb: np.ndarray) -> _Scaled:
        """`rgb` with its fruit as large as the network knows it from training.

        The largest fruit on white is brought to `studio_scale`, the whole to `photo_scale` at most.
        Another photo is brought down to `photo_scale` and its colours take `photo_chroma`; a tiny
        one is enlarged, to `studio_scale`.
        """
        studio, photo = self.network.studio_scale, self.network.photo_scale
        longer = max(rgb.shape[:2])
        mask = _fruit_on_white(rgb)
        if mask is None:
            pixels, chroma = np.clip(longer, studio, photo), self.photo_chroma
        else:
            _, parts, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
            areas = sizes[1:, cv2.CC_STAT_AREA]
            if np.sum(areas > areas.max() / 4) > 1:  # several fruits, not a fruit and its stem
                mask = parts == 1 + areas.argmax()
            # 2: the last pixel, and the half-covered rim that is not in the mask
            share = max(np.ptp(places) + 2 for places in np.nonzero(mask)) / max(mask.shape)
            pixels = studio if share >= FILLS_FRAME else min(studio / share, photo)
            chroma = 1.0
        return _Scaled(_resized(rgb, pixels / longer), rgb.shape, chroma, mask is not None)

    def _predict(
        self, scaled: _Scaled, pins: Sequence[Pin] = (), freely: np.ndarray | None = None
    ) -> np.ndarray:
        """Real ab, (h, w, 2) float32. On a photo pins change what is like their places: the network
        learned to turn the hue of all of a picture with them. A fruit on white takes all of it,
        and what is lacking of their colours. `freely`: what comes out without pins, where that is
        known."""
        freely = self._ab(scaled) if freely is None else freely
        if not pins:
            return freely
        change = smoothed(self._ab(scaled, pins) - freely, pins, scaled.shape)
        if not scaled.on_white:
            return freely + likeness(freely, pins, scaled.shape)[..., None] * change
        ab = freely + change
        fruit = _weight_of_fruit(scaled.rgb, ab)[..., None]
        return ab + fruit * lacking(ab, pins, scaled.shape)

    @torch.inference_mode()
    def _ab(self, scaled: _Scaled, pins: Sequence[Pin] = ()) -> np.ndarray:
        """What the network gives."""
        small = 2 * max(scaled.rgb.shape) <= self.network.photo_scale
        averaged = self.averages and scaled.on_white and small
        network = self.network.averaged if averaged else self.network
        ab = network(*self._inputs(scaled, pins))
        return scaled.chroma * denormalize_ab(ab[0].permute(1, 2, 0).numpy())

    @torch.inference_mode()
    def _distribution(self, scaled: _Scaled, pins: Sequence[Pin] = ()) -> np.ndarray:
        """Probabilities of the ab bins, (rows, columns, bins) float32."""
        logits = self.network.distribution(*self._inputs(scaled, pins))[1]
        return logits[0].softmax(0).permute(1, 2, 0).numpy()

    def _inputs(self, scaled: _Scaled, pins: Sequence[Pin] = ()) -> tuple[Tensor, ...]:
        inputs = [normalize_luminance(rgb_to_lab(scaled.rgb)[..., 0])[None]]
        if pins:
            hints = hints_of(pins, scaled.shape, scaled.rgb.shape)
            hints[:2] /= scaled.chroma
            inputs.append(hints)
        return tuple(torch.from_numpy(channels[None]) for channels in inputs)


def check_vividness(vividness: float) -> None:
    """Raise VividnessError unless it is a factor from 0 to `MAX_VIVIDNESS`."""
    if not isinstance(vividness, Real) or not 0 <= vividness <= MAX_VIVIDNESS:
        raise VividnessError(
            f"The vividness is {vividness!r:.40}; it goes from 0 (grey) over 1 to {MAX_VIVIDNESS}."
        )


def _fruit_on_white(rgb: np.ndarray) -> np.ndarray | None:
    """Where the fruit is, (h, w) bool with `SKETCH` pixels on the longer side, judged by luminance
    alone; None for a photo without a white border."""
    sketch = _resized(rgb, SKETCH / max(rgb.shape[:2]))
    sketch = luminance_to_gray(rgb_to_lab(sketch)[..., 0])
    border = np.concatenate([sketch[0], sketch[-1], sketch[:, 0], sketch[:, -1]])
    mask = fruit_mask(sketch)
    return mask if np.mean(border >= WHITE) > WHITE_BORDER and mask.any() else None


def _weight_of_fruit(small: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """How much each place counts as fruit, (h, w) float32 above 0: the fruit on white and nothing
    else, and in another photo what has colour."""
    mask = _fruit_on_white(small)
    if mask is None:
        weight = np.linalg.norm(ab, axis=-1)
    else:
        weight = cv2.resize(mask.astype(np.float32), (small.shape[1], small.shape[0]))
    return weight + np.float32(1e-3)


def _resized(rgb: np.ndarray, factor: float) -> np.ndarray:
    height, width = rgb.shape[:2]
    return resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))


def _pins_of(
    color: np.ndarray, score: np.ndarray, cell: int, small: np.ndarray, shape: tuple
) -> tuple[Pin, ...]:
    """Pins of this real ab at a few places apart.

    Args:
        color: (2,) real ab.
        score: (rows, columns), how good the places are, one for each square of `cell` pixels.
        small: (h, w, 3) uint8 RGB at the network's scale.
        shape: of the full-size photo, in whose pixels the pins are.
    """
    luminance = rgb_to_lab(small)[..., 0]
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
            for place, pixels in zip((row, column), small.shape, strict=False)
        )
        rgb = lab_to_rgb(luminance[int(y), int(x)][None, None], color[None, None])[0, 0]
        x, y = x * shape[1] / small.shape[1], y * shape[0] / small.shape[0]
        pins.append(Pin(x, y, tuple(rgb.tolist())))
        rows, columns = (slice(max(0, place - apart), place + apart + 1) for place in (row, column))
        score[rows, columns] = 0
    return tuple(pins)


if __name__ == "__main__":
    from model.colorizer.__main__ import main

    sys.exit(main())
