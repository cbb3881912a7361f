"""The one pipeline: any photo in, a colour photo of the same size out.

The page, the command line, the study and the tests all come through `Colorizer.colorize`.
"""

from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from model.color import denormalize_ab, normalize_luminance
from model.colorizer.pins import (
    MAX_PINS,
    Pin,
    PinError,
    check_place,
    hints_of,
    place_in,
    without_room,
)
from model.colorizer.prepared import Prepared, prepare
from model.colorizer.spreading import DEFAULT_REACH, Reach, check_reach, spread
from model.colorizer.suggestions import DISTINCT, palette, peaks, pins_at, share_near
from model.colorizer.upsampling import recolor
from model.metrics import ciede2000
from model.networks.contract import AveragesViews, DoubtsItself, GivesDistribution
from model.networks.files import load_weights
from model.networks.folding import fold_batch_norm
from model.photos import array_to_rgb
from model.weights import DEFAULT_WEIGHTS, weights_path

GUESS = (
    "These colours are a guess: in a picture like this many are possible, and grey does not tell"
    " which."
)
TOO_BRIGHT = "too bright or too dark to show that colour: pins leave brightness as it is."
NO_OTHERS = "No clearly different colours were found."
MAX_VIVIDNESS = 2
# Change of ab from which on a pin has reached a place.
TOUCHED = 5


class VividnessError(ValueError):
    """A vividness that cannot be used; the message is one sentence that says what can."""


class Colorizer:
    """A network ready to colorize. Load once, use from any thread.

    Each method takes a photo as an array or as what `prepare` made of it: a photo that is asked
    about several times is best prepared once.

    Args:
        network: a `model.networks.contract.Network` in evaluation mode.
        path: file of its weights.
        photo_chroma: factor on the predicted ab of photos other than fruit on white.
        averages: whether to take the mean over several views (test-time augmentation) where the
            network can and the picture, fruit on white, is so small that they cost about as much
            as one photo.

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
        self.averages = averages and isinstance(network, AveragesViews)

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
        return self.network.takes_hints

    def prepare(self, photo: np.ndarray | Prepared) -> Prepared:
        """`photo`, as in `colorize`, judged and scaled once for everything that is asked about it.

        A photo that this colorizer has prepared is returned as it is.

        Raises:
            PhotoError: as in `colorize`.
        """
        if isinstance(photo, Prepared):
            return photo
        return prepare(array_to_rgb(photo), self.network, photo_chroma=self.photo_chroma)

    def colorize(
        self,
        photo: np.ndarray | Prepared,
        *,
        pins: Sequence[Pin] = (),
        reach: Reach = DEFAULT_REACH,
        vividness: float = 1.0,
    ) -> np.ndarray:
        """Colours for `photo`, whose luminance stays as it is at full resolution.

        Args:
            photo: (H, W) or (H, W, 1, 3 or 4); uint8, uint16, bool, or float in 0..1. Of a colour
                photo only the luminance is used.
            pins: colours wanted at places, which have them to the full; of two at one place the
                later one counts. Several divide the picture between them.
            reach: how far the colour of a pin spreads: over its "spot", over the "object" that it
                is on, up to the edges around it, or over "everything" that would otherwise have
                about the same colour.
            vividness: factor on the chroma, from 0 (grey) over 1 (as predicted) to 2.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            PhotoError: not such an array, or over `MAX_MEGAPIXELS`.
            PinError: a pin outside the photo or of no colour, over `MAX_PINS`, a network that
                takes none, or another reach.
            VividnessError: another vividness.
        """
        check_vividness(vividness)
        prepared = self.prepare(photo)
        ab = self.predict_ab(prepared, pins=pins, reach=reach)
        return recolor(prepared.rgb, vividness * ab if vividness else None)

    def predict_ab(
        self,
        photo: np.ndarray | Prepared,
        *,
        pins: Sequence[Pin] = (),
        reach: Reach = DEFAULT_REACH,
    ) -> np.ndarray:
        """Real a and b for `photo` at the network's own scale: (h, w, 2) float32.

        Raises:
            PhotoError, PinError: as in `colorize`.
        """
        prepared = self.prepare(photo)
        self._check_pins(pins, prepared)
        check_reach(reach)
        return self._predict(prepared, pins, reach)

    def alternatives(
        self, photo: np.ndarray | Prepared, *, count: int = 4, reach: Reach = DEFAULT_REACH
    ) -> list[tuple[Pin, ...]]:
        """Clearly different versions that are plausible too, each as the pins that bring it about.

        The peaks of the distribution over the fruit, each pinned where it is likely; what comes
        out, with pins of this `reach`, must differ from the automatic result and from the versions
        before wherever the pins reach.

        Returns:
            at most `count`, the likeliest first; none where nothing clearly different is likely,
            or from a network without a distribution or hints.

        Raises:
            PhotoError, PinError: as in `colorize`.
        """
        prepared = self.prepare(photo)
        check_reach(reach)
        if not (self.takes_pins and isinstance(self.network, GivesDistribution)):
            return []
        small, automatic = prepared.small, self._predict(prepared)
        probability = self._distribution(prepared)
        # of fruit on white the fruit alone counts, of another photo the parts that have colour
        weight = np.linalg.norm(automatic, axis=-1) if prepared.mask is None else prepared.mask
        weight = weight + np.float32(1e-3)
        fruit = weight > weight.mean() / 2
        cells = cv2.resize(weight, probability.shape[1::-1], interpolation=cv2.INTER_AREA)
        overall = np.average(probability, axis=(0, 1), weights=cells)

        versions, shown = [], [recolor(small, automatic)]
        for color in peaks(overall):
            if len(versions) >= count:
                break
            likely_here = cells * share_near(probability, color[None])[..., 0]
            pins = pins_at(color, likely_here, self.network.cell, prepared)
            ab = self._predict(prepared, pins, reach, automatic)
            reached = fruit & (np.linalg.norm(ab - automatic, axis=-1) > TOUCHED)
            if not reached.any():
                continue
            version = recolor(small, ab)
            differences = (np.median(ciede2000(version[reached], old[reached])) for old in shown)
            if min(differences) >= DISTINCT:
                versions.append(pins)
                shown.append(version)
        return versions

    def likely_colors(
        self,
        photo: np.ndarray | Prepared,
        x: float,
        y: float,
        *,
        pins: Sequence[Pin] = (),
        count: int = 8,
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
        prepared = self.prepare(photo)
        height, width = prepared.shape
        check_place(x, y, width, height)
        self._check_pins(pins, prepared)
        if not isinstance(self.network, GivesDistribution):
            return []
        probability = self._distribution(prepared)
        if pins:  # one unlikely colour sways all others: offer what is likely without it too
            probability = (probability + self._distribution(prepared, pins)) / 2
        row, column = place_in(x, y, prepared.shape, prepared.small.shape)
        cell = self.network.cell
        luminance = prepared.luminance[row, column]
        return palette(probability[row // cell, column // cell], luminance, count)

    def note_on_pins(self, photo: np.ndarray | Prepared, pins: Sequence[Pin]) -> str:
        """A sentence on those of `pins` that cannot show their colours, since their places are too
        bright or too dark; empty where all can.

        Raises:
            PhotoError, PinError: as in `colorize`.
        """
        prepared = self.prepare(photo)
        self._check_pins(pins, prepared)
        numbers = without_room(pins, prepared.luminance, prepared.shape)
        if not numbers:
            return ""
        listed = " and ".join(", ".join(map(str, numbers)).rsplit(", ", 1))
        are = "s {} are on places" if len(numbers) > 1 else " {} is on a place"
        return f"Pin{are.format(listed)} {TOO_BRIGHT}"

    @torch.inference_mode()
    def knows(self, photo: np.ndarray | Prepared) -> bool:
        """Whether the network is fairly sure of its colours for `photo`: it expects no larger error
        than of nine in ten of the photos that it colours best, of those that its limit was set by.
        True from a network that expects none.

        Raises:
            PhotoError: as in `colorize`.
        """
        prepared = self.prepare(photo)
        if not isinstance(self.network, DoubtsItself):
            return True
        return self.network.doubt(self.network.summary(*self._inputs(prepared))).item() <= 1

    def _check_pins(self, pins: Sequence[Pin], prepared: Prepared) -> None:
        if pins and not self.takes_pins:
            raise PinError(f"The weights {self.name} take no pins; leave them out.")
        if len(pins) > MAX_PINS:
            raise PinError(f"There are {len(pins):,} pins; the limit is {MAX_PINS}.")
        height, width = prepared.shape
        for pin in pins:
            pin.check(width, height)

    def _predict(
        self,
        prepared: Prepared,
        pins: Sequence[Pin] = (),
        reach: Reach = DEFAULT_REACH,
        automatic: np.ndarray | None = None,
    ) -> np.ndarray:
        """Real ab, (h, w, 2) float32. `automatic` is the ab without pins, where it is known."""
        automatic = self._ab(prepared) if automatic is None else automatic
        if not pins:
            return automatic
        return spread(automatic, self._ab(prepared, pins), pins, prepared, reach)

    @torch.inference_mode()
    def _ab(self, prepared: Prepared, pins: Sequence[Pin] = ()) -> np.ndarray:
        """The network's own prediction: real ab, (h, w, 2) float32."""
        tiny = 2 * max(prepared.small.shape) <= self.network.photo_scale
        averaged = self.averages and tiny and prepared.mask is not None
        network = self.network.averaged if averaged else self.network
        ab = network(*self._inputs(prepared, pins))
        colors = np.zeros((*prepared.luminance.shape, 2), np.float32)
        colors[prepared.inside] = denormalize_ab(ab[0].permute(1, 2, 0).numpy())[prepared.inside]
        return prepared.chroma * colors

    @torch.inference_mode()
    def _distribution(self, prepared: Prepared, pins: Sequence[Pin] = ()) -> np.ndarray:
        """Probabilities of the ab bins, (rows, columns, bins) float32."""
        logits = self.network.distribution(*self._inputs(prepared, pins))[1]
        return logits[0].softmax(0).permute(1, 2, 0).numpy()

    def _inputs(self, prepared: Prepared, pins: Sequence[Pin] = ()) -> tuple[Tensor, ...]:
        inputs = [normalize_luminance(prepared.seen)[None]]
        if pins:
            hints = hints_of(pins, prepared.shape, prepared.small.shape)
            hints[:2] /= prepared.chroma
            inputs.append(hints)
        return tuple(torch.from_numpy(channels[None]) for channels in inputs)


def check_vividness(vividness: float) -> None:
    """Raise VividnessError unless it is a factor from 0 to `MAX_VIVIDNESS`."""
    if not isinstance(vividness, Real) or not 0 <= vividness <= MAX_VIVIDNESS:
        raise VividnessError(
            f"The vividness is {vividness!r:.40}; it goes from 0 (grey) over 1 to {MAX_VIVIDNESS}."
        )
