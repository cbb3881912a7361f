"""The "Colorize" tab: a photo in, its colours at once, and ways to change them."""

from pathlib import Path

import gradio as gr

from demo.colorize import handlers, pins
from model.colorizer.pipeline import MAX_VIVIDNESS
from model.colorizer.spreading import DEFAULT_REACH, REACHES
from model.data.examples import Example
from model.photos import FORMAT_NAMES, MAX_MEGAPIXELS
from model.weights import DEFAULT_WEIGHTS, available_weights

# Label of the pins on the page "Use via API".
PINS_LABEL = 'Pins: [[x, y, "#RRGGBB"], ...] in pixels of the photo'
LABELS = {"colornet": "ColorNet", "paper": "PaperNet (of the paper)"}

ACCEPTED = (
    f"{FORMAT_NAMES} up to {MAX_MEGAPIXELS} megapixels. Of a colour photo only"
    " the luminance is used, and the true colours are shown for comparison."
)

FOLDER = Path(__file__).parent
STYLES = [FOLDER / "pins.css", FOLDER / "tab.css"]
SCRIPTS = [FOLDER / "names.js", FOLDER / "tab.js"]
HEAD = "".join(f"<script>\n{file.read_text(encoding='utf-8')}</script>" for file in SCRIPTS)


# All listeners that run a network wait in one queue, `demo.server.internals.FairQueue`.
NETWORK = {"concurrency_id": "network"}
PRIVATE = {"api_visibility": "private", "trigger_mode": "always_last"}
UNQUEUED = {**PRIVATE, "queue": False}
QUIET = {**PRIVATE, **NETWORK, "show_progress": "hidden"}


class Parts:
    """The components of the tab, placed as they are made: inputs on the left, results on the
    right."""

    def __init__(self) -> None:
        with gr.Row():
            with gr.Column():
                self._ask()
            with gr.Column():
                self._show()
        self.shown = gr.State(handlers.Shown())

    def _ask(self) -> None:
        names = sorted(available_weights(), key=lambda name: name != DEFAULT_WEIGHTS)
        self.photo = gr.Image(
            label="Photo",
            sources=["upload", "clipboard", "webcam"],
            elem_id="photo",
            height=360,
            buttons=[],
        )
        # Handlers get the uploaded file and its name: Gradio's own decoding knows fewer formats
        # and says less about a bad file.
        self.photo.preprocess = lambda upload: upload
        self.weights = gr.Radio(
            [(LABELS.get(name, name), name) for name in names],
            value=DEFAULT_WEIGHTS,
            label="Network",
            visible=len(names) > 1,
            elem_id="network",
        )
        self.weights.preprocess = lambda name: name  # `known_weights` refuses in plainer words
        self.vividness = gr.Slider(
            0, MAX_VIVIDNESS, 1, step=0.05, label="Vividness", elem_id="vividness"
        )
        gr.Markdown(ACCEPTED)

    def _show(self) -> None:
        self.canvas = pins.canvas()
        self.result = gr.ImageSlider(
            label="Before and after", format="png", elem_id="result", buttons=[]
        )
        self.others = pins.others()
        self.note = gr.Markdown(label="Note", elem_id="note")
        self.download = gr.DownloadButton(
            "Download in full size", variant="primary", interactive=False, elem_id="download"
        )
        self.true = gr.Image(
            label="True colours",
            format="png",
            interactive=False,
            visible=False,
            buttons=[],
            elem_id="true",
        )


def build(examples: list[Example]) -> None:
    """Put the tab's contents into the page."""
    parts = Parts()
    _offer_examples(examples, parts.photo)
    _listen(parts)
    _offer_api(parts)


def _offer_examples(examples: list[Example], photo: gr.Image) -> None:
    gr.Markdown(f"Examples ({examples[0].source}): click one")
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

    gallery.select(take_example, None, photo, **UNQUEUED)


def _listen(parts: Parts) -> None:
    photo, canvas, shown = parts.photo, parts.canvas, parts.shown
    photo.change(None, photo, None, js="(photo) => scrollToResult(photo)", api_visibility="private")
    pictures = [parts.result, parts.note, parts.true, parts.download, canvas, parts.others]
    # One listener for everything that changes the picture, so that the latest change wins.
    painted = gr.on(
        [photo.change, parts.weights.change, parts.vividness.release, canvas.input],
        handlers.show,
        [photo, parts.weights, canvas, parts.vividness, shown],
        pictures,
        show_progress_on=parts.result,
        **PRIVATE,
        **NETWORK,
    )
    painted.failure(
        handlers.after_error, [photo, shown], pictures, show_progress="hidden", **UNQUEUED
    )
    painted.success(handlers.show_versions, shown, parts.others, **QUIET)
    painted.success(handlers.make_download, shown, parts.download, **QUIET)
    canvas.select(handlers.show_likely, [canvas, shown], canvas, **QUIET)


def _offer_api(parts: Parts) -> None:
    listed = gr.JSON([], label=PINS_LABEL, visible=False)
    versions = gr.JSON(label="Versions", visible=False)
    reach = gr.Textbox(DEFAULT_REACH, label=f"Reach of pins: {', '.join(REACHES)}", visible=False)
    reach.preprocess = lambda name: name  # `check_reach` refuses in plainer words
    count = gr.Number(
        handlers.VERSIONS, minimum=1, maximum=8, precision=0, label="Count", visible=False
    )
    gr.Button(visible=False).click(
        handlers.colorize,
        [parts.photo, parts.weights, listed, parts.vividness, reach],
        [parts.result, parts.download, parts.true, parts.note],
        api_name="colorize",
        **NETWORK,
    )
    gr.Button(visible=False).click(
        handlers.alternatives,
        [parts.photo, parts.weights, count, reach],
        versions,
        api_name="alternatives",
        **NETWORK,
    )
