"""A photo on the page: prepared once, colorized, described, and saved to be shown."""

import functools
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from prometheus_client import Histogram

from demo.colorize.uploads import read_upload
from demo.server.internals import upload_folder
from model.colorizer.output import save_png
from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import GUESS, Colorizer
from model.colorizer.prepared import Prepared
from model.colorizer.spreading import DEFAULT_REACH, Reach
from model.colorizer.upsampling import recolor
from model.metrics import fruit_ciede2000, is_in_color
from model.photos import shrunk

# Longer side of the pictures that the page shows, in pixels; the download has full size.
PREVIEW_PIXELS = 1024
# Longer side of "Other colours", and of the pictures that the note's figures are taken from.
SMALL_PIXELS = 256

COLORIZATION_SECONDS = Histogram("colorization_seconds", "Time of a colorization.", ["weights"])

P, R = ParamSpec("P"), TypeVar("R")

# PyTorch keeps 0.1 GB for each thread that ever ran a network; Gradio has 40 threads
_threads = ThreadPoolExecutor(2, "network")


def runs_network(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, run in one of a few threads."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return _threads.submit(function, *args, **kwargs).result()

    return run


@functools.cache
def load_colorizer(weights: str) -> Colorizer:
    """Each network is loaded once a process."""
    return Colorizer.load(weights)


def prepare(path: str, weights: str) -> Prepared:
    """The photo in this file, prepared once for these weights; its preview takes the colours.

    Raises:
        PhotoError: as from `read_upload`.
        WeightsError: as from `Colorizer.load`.
    """
    return _prepare(path, load_colorizer(weights))


@functools.lru_cache(maxsize=8)
def _prepare(path: str, colorizer: Colorizer) -> Prepared:
    rgb = read_upload(Path(path))
    return colorizer.prepare(rgb).onto(shrunk(rgb, PREVIEW_PIXELS))


def parse_pins(given: Any) -> tuple[Pin, ...]:
    """Pins from [[x, y, "#RRGGBB"], ...], which may be anything that a stranger sent."""
    if not isinstance(given, list) or not all(isinstance(p, list) and len(p) == 3 for p in given):
        raise PinError('Pins are a list of [x, y, "#RRGGBB"], x and y in pixels of the photo.')
    return tuple(Pin.parse(",".join(map(str, pin))) for pin in given)


def pins_to_json(pins: tuple[Pin, ...]) -> list[list[int | str]]:
    return [[int(pin.x), int(pin.y), hex_color(pin.rgb)] for pin in pins]


def hex_color(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


@runs_network
def colorize(
    colorizer: Colorizer,
    photo: Prepared,
    *,
    pins: tuple[Pin, ...] = (),
    reach: Reach = DEFAULT_REACH,
    vividness: float = 1.0,
) -> np.ndarray:
    """`Colorizer.colorize`, counted and timed."""
    with COLORIZATION_SECONDS.labels(colorizer.name).time():
        return colorizer.colorize(photo, pins=pins, reach=reach, vividness=vividness)


@runs_network
def find_alternatives(
    path: str, weights: str, count: int, reach: Reach = DEFAULT_REACH
) -> list[tuple[Pin, ...]]:
    """The pins of each clearly different version of the photo in this file."""
    photo = prepare(path, weights)
    return load_colorizer(weights).alternatives(photo, count=count, reach=reach)


def colorize_small(
    path: str, weights: str, pins: tuple[Pin, ...], reach: Reach = DEFAULT_REACH
) -> np.ndarray:
    """The photo in this file, colorized with at most `SMALL_PIXELS` on the longer side."""
    photo = prepare(path, weights)
    small = photo.onto(shrunk(photo.rgb, SMALL_PIXELS))
    return colorize(load_colorizer(weights), small, pins=pins, reach=reach)


@runs_network
def likely_colors(path: str, weights: str, place: Pin, pins: tuple[Pin, ...]) -> list[str]:
    """Colours to choose from at `place`, the likeliest first, with `pins` elsewhere."""
    photo = prepare(path, weights)
    colors = load_colorizer(weights).likely_colors(photo, place.x, place.y, pins=pins)
    return [hex_color(color) for color in colors]


@runs_network
def describe(
    colorizer: Colorizer,
    photo: Prepared,
    before: np.ndarray,
    after: np.ndarray,
    pins: tuple[Pin, ...] = (),
) -> str:
    """The note below the result: what was done, and how near to the truth the colours are.

    Args:
        before, after: previews of the photo, (H, W, 3) uint8 RGB.
    """
    height, width = photo.shape
    before, after = shrunk(before, SMALL_PIXELS), shrunk(after, SMALL_PIXELS)
    note = f"{width} x {height} pixels colorized (weights: {colorizer.name})."
    if is_in_color(before):
        note += (
            " Median CIEDE2000 to the true colours, white background left out:"
            f" {fruit_ciede2000(after, before):.1f} (1 is just noticeable)."
        )
    if said := colorizer.note_on_pins(photo, pins):
        note += f" {said}"
    if not colorizer.knows(photo):
        note += f" {GUESS}"
    return note


def slider_files(before: np.ndarray, after: np.ndarray) -> tuple[str, str]:
    """Files of the grayscale and the colorized preview."""
    return save(recolor(before, None), "before.png"), save(after, "after.png")


def true_colors_file(before: np.ndarray) -> str | None:
    """File of the photo's own colours, if it has any."""
    return save(before, "true.png") if is_in_color(shrunk(before, SMALL_PIXELS)) else None


def save(rgb: np.ndarray, name: str) -> str:
    """A PNG in Gradio's own cache, which deletes it after a while."""
    folder = upload_folder() / secrets.token_hex(16)
    folder.mkdir(parents=True)
    save_png(rgb, folder / name)
    return str(folder / name)
