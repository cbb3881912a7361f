"""How far the colours of pins spread, and how several pins divide the picture between them.

Colours follow what the network makes of the hints, brought to the colours of the pins: these are
interpolated with weights of the inverse square of the distance, so that every pin's place has its
colour to the full (Shepard 1968). How far a place takes part at all is the reach: it goes over
pixels that are near and connected without an edge between, in the spirit of Levin et al. 2004.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import cv2
import numpy as np

from model.colorizer.objects import Regions
from model.colorizer.pins import Pin, PinError, ab_of, place_in, smoothed
from model.colorizer.prepared import Prepared

Reach = Literal["spot", "object", "everything"]
REACHES: tuple[str, ...] = get_args(Reach)
DEFAULT_REACH: Reach = "object"
# Standard deviation of the Gaussian around a pin that is to colour its spot, as a share of the
# longer side.
SPOT = 0.04
# Standard deviation, in units of ab, of the Gaussian that says how alike two places are in colour.
ALIKE = 25
# Most that colours vary from those of pins, in units of ab, on anything but fruit on white, where
# the network may follow in part only.
VARIES = 4
# Standard deviation, as a distance, of the Gaussian by which fruit on white comes to the colours
# of pins: farther off the network knows better how its colours vary.
NEAR = 4
# Growth of the distance from a pin with every pixel, where no edge is crossed.
PIXEL = 0.1


def check_reach(reach: object) -> None:
    """Raise PinError unless it is one of `REACHES`."""
    if reach not in REACHES:
        raise PinError(f"The reach of pins is {', '.join(REACHES)}, not {reach!r:.40}.")


def spread(
    automatic: np.ndarray,
    hinted: np.ndarray,
    pins: Sequence[Pin],
    prepared: Prepared,
    reach: Reach,
) -> np.ndarray:
    """The colours of a photo with `pins`.

    Args:
        automatic, hinted: (h, w, 2) float32, the real ab that the network gives without and with
            hints.
        pins: one or more; of two at one place the later one counts.

    Returns:
        (h, w, 2) float32, real a and b.
    """
    shape, small = prepared.shape, automatic.shape
    wanted = {place_in(pin.x, pin.y, shape, small): ab_of(pin) for pin in pins}
    follows = automatic + smoothed(hinted - automatic, pins, shape)
    untouched = np.ones(small[:2], np.float32)
    weights, color, followed = 1e-9, np.zeros(small, np.float32), np.zeros(small, np.float32)
    near = np.zeros((*small[:2], 1), np.float32)
    members = _members(list(wanted), automatic, prepared, reach)
    for place, (member, distance) in zip(wanted, members, strict=True):
        weight = (member / np.square(distance + 1e-3))[..., None]
        weights += weight
        color += weight * wanted[place]
        followed += weight * follows[place]
        untouched *= 1 - member
        near = np.maximum(near, np.exp(-0.5 * np.square(distance / NEAR))[..., None])
    color, varies = color / weights, follows - followed / weights
    if prepared.mask is None:
        length = np.linalg.norm(varies, axis=-1, keepdims=True)
        painted = color + varies * np.minimum(1, VARIES / np.maximum(length, 1e-9))
    else:
        painted = follows + near * (color + varies - follows)
    return automatic + (1 - untouched)[..., None] * (painted - automatic)


def _members(
    places: list[tuple[int, int]], automatic: np.ndarray, prepared: Prepared, reach: Reach
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each of `places`, rows and columns, how far every pixel follows its pin, in 0..1, and how
    distant the pin is: (h, w) float32 each."""
    rows, columns = np.ogrid[: automatic.shape[0], : automatic.shape[1]]
    # where the network sees a tiny photo enlarged, at least a pixel of the photo
    spot = max(SPOT, 2 / max(prepared.shape)) * max(automatic.shape)
    objects = _alike if reach == "everything" else _objects
    for place, (member, distance) in zip(places, objects(places, automatic, prepared), strict=True):
        pixels = np.hypot(rows - place[0], columns - place[1], dtype=np.float32)
        if reach == "spot":
            member = member * np.exp(-0.5 * np.square(pixels / spot))
        member[place] = 1
        yield member, distance + PIXEL * pixels


def _alike(
    places: list[tuple[int, int]], automatic: np.ndarray, prepared: Prepared
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Everything that would otherwise have about the colour of a place; of fruit on white all."""
    for place in places:
        unlike = np.square(automatic - automatic[place]).sum(-1) / ALIKE**2
        member = np.exp(-0.5 * unlike) if prepared.mask is None else np.ones_like(unlike)
        yield member, np.zeros_like(unlike)


def _objects(
    places: list[tuple[int, int]], automatic: np.ndarray, prepared: Prepared
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The object of each place: where a fruit is on white that fruit, else what edges bound."""
    if prepared.mask is None:
        parts = np.zeros(automatic.shape[:2], int)
    else:
        parts = cv2.connectedComponents(np.uint8(prepared.mask > 0.5))[1]
    regions = Regions(prepared.luminance, automatic)
    starts, number = np.unique([regions.label[place] for place in places], return_inverse=True)
    members, distances = (each.astype(np.float32) for each in regions.objects_of(starts.tolist()))
    for place, index in zip(places, number, strict=True):
        distance = distances[index][regions.label]
        if parts[place]:
            fruit = cv2.dilate(np.uint8(parts == parts[place]), np.ones((3, 3)))  # with its rim
            yield fruit * prepared.mask, distance
        else:
            yield members[index][regions.label], distance
