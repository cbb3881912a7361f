"""The "Colorize" tab: a photo in, its colours at once."""

import functools
import secrets
import time
from pathlib import Path

import cv2
import gradio as gr
import numpy as np
from gradio.data_classes import ImageData

from model.colorizer import DEFAULT_WEIGHTS, Colorizer, colorized_name, recolor, save_png
from model.examples import Example
from model.metrics import fruit_ciede2000, is_in_color
from model.networks import WeightsError, available_weights
from model.photos import MAX_MEGAPIXELS, PhotoError, read_photo

PREVIEW_PIXELS = 1024  # longer side of what the page shows; the download has full size

HINT = (
    f"JPEG, PNG, WebP, TIFF, BMP or GIF up to {MAX_MEGAPIXELS} megapixels. Of a colour photo only"
    " the luminance is used, and the true colours are shown for comparison."
)

CSS = """
#note p { font-size: 1.05em; }
#examples .grid-wrap { min-height: 0; height: auto; max-height: none; }
@media (max-width: 600px) {
  #examples .grid-container { grid-template-columns: repeat(3, 1fr) !important; }
}
"""


@functools.cache
def load_colorizer(weights: str) -> Colorizer:
    """Each network is loaded once a process."""
    return Colorizer.load(weights)


def colorize(
    photo: ImageData | None, weights: str
) -> tuple[tuple | None, str | None, np.ndarray | None, str]:
    """Colorize an uploaded photo.

    Returns:
        the grayscale and the colorized preview, the full-size PNG's path, the true colours when
        the photo was in colour, and a sentence on what was done.

    Raises:
        gr.Error: one sentence on what is wrong with the photo or the weights.
    """
    if photo is None:
        return None, None, None, ""
    if photo.path is None:
        raise gr.Error("The photo did not arrive; upload it as a file.", print_exception=False)
    name = Path(photo.orig_name or "photo")
    try:
        colorizer = load_colorizer(weights)
        started = time.perf_counter()
        rgb = read_photo(Path(photo.path))
        colored = colorizer.colorize(rgb)
        seconds = time.perf_counter() - started
    except (PhotoError, WeightsError) as error:
        raise gr.Error(str(error), duration=None, print_exception=False) from None

    height, width = rgb.shape[:2]
    note = f"{width} x {height} pixels colorized in {seconds:.2f} s (weights: {colorizer.name})."
    before, after = preview(rgb), preview(colored)
    true = before if is_in_color(before) else None
    if true is not None:
        difference = fruit_ciede2000(preview(after, 256), preview(true, 256))
        note += (
            f" Median CIEDE2000 to the true colours, white background left out: {difference:.1f}"
            " (1 is just noticeable)."
        )
    return (recolor(before, None), after), _download(colored, name), true, note


def preview(rgb: np.ndarray, pixels: int = PREVIEW_PIXELS) -> np.ndarray:
    """`rgb`, (H, W, 3) uint8, shrunk to at most `pixels` on the longer side."""
    factor = pixels / max(rgb.shape[:2])
    if factor >= 1:
        return rgb
    size = [max(1, round(side * factor)) for side in rgb.shape[1::-1]]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _download(colored: np.ndarray, name: Path) -> str:
    """The full-size PNG, in Gradio's own cache, which deletes it after a while."""
    folder = Path(gr.utils.get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    file = folder / colorized_name(name.stem)
    save_png(colored, file)
    return str(file)


def build(examples: list[Example]) -> None:
    """Put the tab's contents into the page."""
    names = available_weights()
    with gr.Row():
        with gr.Column():
            photo = gr.Image(
                label="Photo",
                sources=["upload", "clipboard", "webcam"],
                elem_id="photo",
                height=360,
                buttons=[],
            )
            # The file as it came, with its name: Gradio's own decoding knows fewer formats and
            # says less about a bad one.
            photo.preprocess = lambda upload: upload
            weights = gr.Radio(
                names, value=DEFAULT_WEIGHTS, label="Network", visible=len(names) > 1
            )
            gr.Markdown(HINT)
        with gr.Column():
            result = gr.ImageSlider(
                label="Before and after", format="png", elem_id="result", buttons=[]
            )
            note = gr.Markdown(label="Note", elem_id="note")
            download = gr.DownloadButton(
                "Download in full size", variant="primary", interactive=False, elem_id="download"
            )
            true = gr.Image(
                label="True colours",
                format="png",
                interactive=False,
                visible=False,
                buttons=[],
                elem_id="true",
            )
    gr.Markdown(f"Examples ({examples[0].source}), to click:")
    gallery = gr.Gallery(
        [(str(example.file), example.fruit) for example in examples],
        label="Examples",
        show_label=False,
        columns=6,
        height="auto",
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )

    def take_example(event: gr.SelectData) -> str:
        return str(examples[event.index].file)

    def reveal(file: dict | None, true_colors: dict | None) -> tuple[gr.DownloadButton, gr.Image]:
        return (
            gr.DownloadButton(interactive=file is not None),
            gr.Image(visible=true_colors is not None),
        )

    gallery.select(take_example, None, photo, api_visibility="private")
    gr.on(
        [photo.change, weights.change],
        colorize,
        [photo, weights],
        [result, download, true, note],
        api_name="colorize",
        scroll_to_output=True,
    ).success(
        reveal,
        [download, true],
        [download, true],
        preprocess=False,
        show_progress="hidden",
        api_visibility="private",
    )
