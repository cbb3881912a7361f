"""What the "Colorize" tab and its API do with a photo, step by step."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from demo.colorize import pictures
from demo.colorize.pictures import PREVIEW_PIXELS, load_colorizer
from demo.colorize.pins import data_url
from demo.colorize.uploads import read_upload
from demo.server.internals import NOT_UPLOADED, Photo, file_name, is_upload
from demo.server.room import NO_ROOM, has_room
from model.colorizer.output import colorized_name
from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import NO_OTHERS, VividnessError
from model.colorizer.spreading import DEFAULT_REACH, Reach, check_reach
from model.photos import PhotoError, shrunk
from model.weights import WeightsError, available_weights

# Versions in the row "Other colours", besides the first.
VERSIONS = 4
# Time that a message about a photo stays on the page, in seconds.
ERROR_SECONDS = 20


@dataclass(frozen=True)
class Asked:
    """The photo and the settings that a picture was made of."""

    path: str
    name: str
    weights: str
    pins: tuple[Pin, ...]
    reach: Reach
    vividness: float

    @property
    def source(self) -> tuple[str, str]:
        return self.path, self.weights

    @property
    def versions(self) -> tuple[str, str, str]:
        """What the row "Other colours" is made of."""
        return self.path, self.weights, self.reach


@dataclass
class Shown:
    """What a browser's tab shows. Handlers change it in place, so that a slow one notices when its
    picture is no longer shown.

    Attributes:
        asked: the picture that is shown.
        saved: the picture that the download holds.
        versions: the source of "Other colours".
        refused: the picture that could not be made, about which the visitor was told.
    """

    asked: Asked | None = None
    saved: Asked | None = None
    versions: tuple[str, str, str] | None = None
    refused: Asked | None = None


@contextmanager
def one_sentence() -> Iterator[None]:
    """Show the visitor what is wrong with the photo, the pins, the vividness or the weights."""
    try:
        yield
    except (PhotoError, PinError, VividnessError, WeightsError) as error:
        raise gr.Error(str(error), duration=ERROR_SECONDS, print_exception=False) from None


def known_weights(name: Any) -> str:
    """`name`, which may be anything a stranger sent, if it is the name of weights that ship."""
    if name in available_weights():
        return name
    said = f"There are no weights {name!r:.40}; there are {', '.join(available_weights())}."
    raise gr.Error(said, print_exception=False)


def path_of(photo: Photo) -> str:
    """The uploaded file: a stranger may send any path, and some of them pass Gradio's check."""
    if not has_room():  # the results are written beside it
        raise gr.Error(NO_ROOM, print_exception=False)
    if not is_upload(photo.path):
        raise gr.Error(NOT_UPLOADED, print_exception=False)
    return photo.path


def name_of(photo: Photo) -> str:
    """Name of the download: the browser's name of the photo, as far as a file can have it."""
    name = (photo.orig_name or "photo").encode(errors="replace").decode()  # no lone surrogates
    return colorized_name(Path(file_name(name)).stem)


def photo_id(path: str) -> str:
    """The name by which the browser knows the photo that its pins belong to."""
    return hashlib.sha256(path.encode()).hexdigest()


def pins_of(drawn: Any, path: str) -> tuple[Pin, ...]:
    """The pins that the browser keeps for the photo at `path`."""
    mine = isinstance(drawn, dict) and drawn.get("photo") == photo_id(path)
    return pictures.parse_pins(drawn.get("pins")) if mine else ()


def reach_of(drawn: Any, path: str) -> Reach:
    """The reach of the pins that the browser keeps for the photo at `path`."""
    mine = isinstance(drawn, dict) and drawn.get("photo") == photo_id(path)
    reach = drawn.get("reach", DEFAULT_REACH) if mine else DEFAULT_REACH
    check_reach(reach)
    return reach


def colorize(
    photo: Photo | None, weights: str, pins: list, vividness: float, reach: str = DEFAULT_REACH
) -> tuple[tuple[str, str] | None, str | None, str | None, str]:
    """Colorize a photo. Each pin is a colour wanted at a place; a vividness of 0 is grey, 1 what
    the network gives, 2 twice the chroma.

    Parameters:
        photo: of a colour photo only the luminance is used.
        weights: which network.
        pins: a list of [x, y, "#RRGGBB"], x and y in pixels of the photo.
        vividness: 0 to 2.
        reach: how far a pin's colour spreads: spot, object or everything.

    Returns:
        the grayscale and the colorized preview, the full-size PNG, the true colours when the
        photo was in colour, and a sentence on what was done.
    """
    if photo is None:
        return None, None, None, ""
    with one_sentence():
        path, colorizer = path_of(photo), load_colorizer(known_weights(weights))
        wanted = pictures.parse_pins(pins)
        whole = colorizer.prepare(read_upload(Path(path)))
        colored = pictures.colorize(colorizer, whole, pins=wanted, reach=reach, vividness=vividness)
    before, after = (shrunk(picture, PREVIEW_PIXELS) for picture in (whole.rgb, colored))
    return (
        pictures.slider_files(before, after),
        pictures.save(colored, name_of(photo)),
        pictures.true_colors_file(before),
        pictures.describe(colorizer, whole, before, after, wanted),
    )


def alternatives(
    photo: Photo | None, weights: str, count: int, reach: str = DEFAULT_REACH
) -> list[list]:
    """Clearly different versions of a photo, the likeliest first, each a list of pins that
    /colorize takes.

    Parameters:
        photo: of a colour photo only the luminance is used.
        weights: which network.
        count: how many versions at most.
        reach: the reach of the pins, as /colorize is to be given it.
    """
    if photo is None:
        return []
    with one_sentence():
        source = path_of(photo), known_weights(weights)
        found = pictures.find_alternatives(*source, count or 0, reach)
    return [pictures.pins_to_json(version) for version in found]


def show(photo: Photo | None, weights: str, drawn: Any, vividness: float, shown: Shown) -> list:
    """Everything on the page that is made of the preview.

    Returns:
        result, note, true colours, download, canvas, other colours.
    """
    if photo is None:
        shown.refused = None
        return show_nothing(shown)
    with one_sentence():
        path, colorizer = path_of(photo), load_colorizer(known_weights(weights))
        wanted = pins_of(drawn, path) if colorizer.takes_pins else ()
        reach = reach_of(drawn, path)
        asked = Asked(path, name_of(photo), weights, wanted, reach, vividness)
        if asked in (shown.asked, shown.refused):
            return [gr.skip()] * 6  # Gradio reports a new photo twice
        shown.refused = asked
        preview = pictures.prepare(path, weights)
        shown.refused = None
        after = pictures.colorize(colorizer, preview, pins=wanted, reach=reach, vividness=vividness)
    shown.asked = asked
    same_source = shown.versions == asked.versions
    if not same_source:
        shown.versions = None
    true = pictures.true_colors_file(preview.rgb)
    height, width = preview.shape
    return [
        pictures.slider_files(preview.rgb, after),
        pictures.describe(colorizer, preview, preview.rgb, after, wanted),
        gr.Image(true, visible=true is not None),
        _no_download(),
        gr.HTML(
            visible=colorizer.takes_pins,
            photo=photo_id(path),
            picture=data_url(after),
            width=width,
            height=height,
        ),
        gr.HTML(pins=pictures.pins_to_json(wanted)) if same_source else gr.HTML(visible=False),
    ]


def _no_download() -> gr.DownloadButton:
    return gr.DownloadButton(interactive=False)


def show_nothing(shown: Shown) -> list:
    """The page without a result, as `show` returns it."""
    shown.asked = shown.saved = shown.versions = None
    hidden = [gr.HTML(visible=False), gr.HTML(visible=False)]
    return [None, "", gr.Image(None, visible=False), _no_download(), *hidden]


def after_error(photo: Photo | None, shown: Shown) -> list:
    """What `show` returns: nothing after an error with a new photo, else all as it was."""
    other = photo is None or shown.asked is None or photo.path != shown.asked.path
    return show_nothing(shown) if other else [gr.skip()] * 6


def make_download(shown: Shown) -> Any:
    """The full-size file of the picture that is shown, unless another is shown by then."""
    asked = shown.asked
    if asked is None or asked is shown.saved:
        return gr.skip()
    with one_sentence():
        whole = pictures.prepare(*asked.source).onto(read_upload(Path(asked.path)))
        colorizer = load_colorizer(asked.weights)
        colored = pictures.colorize(
            colorizer, whole, pins=asked.pins, reach=asked.reach, vividness=asked.vividness
        )
    if shown.asked is not asked:
        return gr.skip()
    shown.saved = asked
    return gr.DownloadButton(value=pictures.save(colored, asked.name), interactive=True)


def show_versions(shown: Shown) -> Any:
    """The row "Other colours" of the picture that is shown, its first colours in front, or a
    sentence where there are no others; hidden for a network that takes no pins."""
    asked = shown.asked
    if asked is None or shown.versions == asked.versions:
        return gr.skip()
    with one_sentence():
        found = pictures.find_alternatives(*asked.source, VERSIONS, asked.reach)
        versions = [
            {
                "picture": data_url(pictures.colorize_small(*asked.source, version, asked.reach)),
                "pins": pictures.pins_to_json(version),
            }
            for version in ([(), *found] if found else [])
        ]
    if shown.asked is None or shown.asked.versions != asked.versions:
        return gr.skip()
    shown.versions = asked.versions
    pins = pictures.pins_to_json(shown.asked.pins)
    takes_pins = load_colorizer(asked.weights).takes_pins
    title = "Other colours" if versions else NO_OTHERS
    return gr.HTML(visible=takes_pins, versions=versions, title=title, pins=pins)


def show_likely(drawn: Any, shown: Shown) -> Any:
    """The palette for the place chosen on the picture."""
    asked = shown.asked
    if asked is None or not isinstance(drawn, dict) or not isinstance(drawn.get("place"), list):
        return gr.skip()
    with one_sentence():
        (place,) = pictures.parse_pins([[*drawn["place"], "#808080"]])
        elsewhere = tuple(
            pin for pin in pins_of(drawn, asked.path) if (pin.x, pin.y) != (place.x, place.y)
        )
        colors = pictures.likely_colors(*asked.source, place, elsewhere)
    return gr.HTML(likely={"place": drawn["place"], "colors": colors})
