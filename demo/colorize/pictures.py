"""What the page makes of a photo: previews, files to show and to download, the note."""

import functools
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
import numpy as np
from prometheus_client import Histogram

from demo.colorize.uploads import read_upload
from model.colorizer.output import save_png
from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import UNKNOWN, Colorizer
from model.colorizer.upsampling import recolor
from model.metrics import fruit_ciede2000, is_in_color
from model.photos import shrunk

PREVIEW_PIXELS = 1024  # longer side of what the page shows; the download has full size
SMALL_PIXELS = 256  # longer side of "Other colours", and of what the note's figures are taken from

COLORIZATION_SECONDS = Histogram("colorization_seconds", "Time of a colorization.", ["weights"])

Size = tuple[int, int]  # width, height
P, R = ParamSpec("P"), TypeVar("R")

# PyTorch keeps 0.1 GB for each thread that ever ran a network; Gradio's are 40
_threads = ThreadPoolExecutor(2, "network")


def runs_network(function: Callable[P, R]) -> Callable[P, R]:
    """`function` in one of few threads, and its result."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return _threads.submit(function, *args, **kwargs).result()

    return run


@functools.cache
def load_colorizer(weights: str) -> Colorizer:
    """Each network is loaded once a process."""
    return Colorizer.load(weights)


@functools.lru_cache(maxsize=8)
def read_preview(path: str) -> tuple[np.ndarray, Size]:
    """The preview of the photo in this file, and the size of the photo itself."""
    rgb = read_upload(Path(path))
    return shrunk(rgb, PREVIEW_PIXELS), rgb.shape[1::-1]


def parse_pins(given: Any) -> tuple[Pin, ...]:
    """Pins from [[x, y, "#RRGGBB"], ...], which may be anything that a stranger sent."""
    if not isinstance(given, list) or not all(isinstance(p, list) and len(p) == 3 for p in given):
        raise PinError('Pins are a list of [x, y, "#RRGGBB"], x and y in pixels of the photo.')
    return tuple(Pin.parse(",".join(map(str, pin))) for pin in given)


def pins_to_json(pins: tuple[Pin, ...]) -> list[list[int | str]]:
    return [[int(pin.x), int(pin.y), hex_color(pin.rgb)] for pin in pins]


def hex_color(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def scale_pins(pins: tuple[Pin, ...], size: Size, to: Size) -> tuple[Pin, ...]:
    """`pins` on a photo of `size`, at the same places of the same photo at another size."""
    x, y = to[0] / size[0], to[1] / size[1]
    return tuple(Pin(pin.x * x, pin.y * y, pin.rgb) for pin in pins)


@runs_network
def colorize(colorizer: Colorizer, rgb: np.ndarray, **options) -> np.ndarray:
    """`Colorizer.colorize`, counted and timed."""
    with COLORIZATION_SECONDS.labels(colorizer.name).time():
        return colorizer.colorize(rgb, **options)


def colorize_preview(
    path: str,
    weights: str,
    pins: tuple[Pin, ...] = (),
    vividness: float = 1.0,
    pixels: int = PREVIEW_PIXELS,
) -> np.ndarray:
    """The photo in this file, colorized at no more than `pixels`; `pins` at its own size."""
    before, size = read_preview(path)
    small = shrunk(before, pixels)
    pins = scale_pins(pins, size, small.shape[1::-1])
    return colorize(load_colorizer(weights), small, pins=pins, vividness=vividness)


@runs_network
def find_alternatives(path: str, weights: str, count: int) -> list[tuple[Pin, ...]]:
    """The pins of each clearly different version, in pixels of the photo."""
    before, size = read_preview(path)
    found = load_colorizer(weights).alternatives(before, count=count)
    return [scale_pins(pins, before.shape[1::-1], size) for pins in found]


@runs_network
def likely_colors(path: str, weights: str, place: Pin, pins: tuple[Pin, ...]) -> list[str]:
    """Colours to choose from at `place`, the likeliest first, with `pins` elsewhere."""
    before, size = read_preview(path)
    place, *pins = scale_pins((place, *pins), size, before.shape[1::-1])
    colors = load_colorizer(weights).likely_colors(before, place.x, place.y, pins=pins)
    return [hex_color(color) for color in colors]


@runs_network
def describe(
    colorizer: Colorizer,
    size: Size,
    before: np.ndarray,
    after: np.ndarray,
) -> str:
    """The note below the result: what was done, and how near it came to the truth."""
    width, height = size
    before, after = shrunk(before, SMALL_PIXELS), shrunk(after, SMALL_PIXELS)
    note = f"{width} x {height} pixels colorized (weights: {colorizer.name})."
    if is_in_color(before):
        note += (
            " Median CIEDE2000 to the true colours, white background left out:"
            f" {fruit_ciede2000(after, before):.1f} (1 is just noticeable)."
        )
    if not colorizer.knows(before):
        note += f" {UNKNOWN}"
    return note


def slider_files(before: np.ndarray, after: np.ndarray) -> tuple[str, str]:
    """Files of the grayscale and the colorized preview."""
    return save(recolor(before, None), "before.png"), save(after, "after.png")


def true_colors_file(before: np.ndarray) -> str | None:
    """File of the photo's own colours, if it has any."""
    return save(before, "true.png") if is_in_color(shrunk(before, SMALL_PIXELS)) else None


def save(rgb: np.ndarray, name: str) -> str:
    """A PNG in Gradio's own cache, which deletes it after a while."""
    folder = Path(gr.utils.get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    save_png(rgb, folder / name)
    return str(folder / name)
