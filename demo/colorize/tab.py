"""The "Colorize" tab: a photo in, its colours at once, and ways to change them."""

from pathlib import Path

import gradio as gr

from demo.colorize import handlers, pins
from model.colorizer.pipeline import MAX_VIVIDNESS
from model.data.examples import Example
from model.photos import FORMAT_NAMES, MAX_MEGAPIXELS
from model.weights import DEFAULT_WEIGHTS, available_weights

# Label of the pins on the page "Use via API".
PINS_LABEL = 'Pins: [[x, y, "#RRGGBB"], ...] in pixels of the photo'
LABELS = {"colornet": "ColorNet", "paper": "PaperNet (the paper's)"}

ACCEPTED = (
    f"{FORMAT_NAMES} up to {MAX_MEGAPIXELS} megapixels. Of a colour photo only"
    " the luminance is used, and the true colours are shown for comparison."
)

FOLDER = Path(__file__).parent
STYLES = [FOLDER / "pins.css", FOLDER / "tab.css"]
HEAD = f"<script>\n{(FOLDER / 'tab.js').read_text(encoding='utf-8')}</script>"


def build(examples: list[Example]) -> None:
    """Put the tab's contents into the page."""
    names = sorted(available_weights(), key=lambda name: name != DEFAULT_WEIGHTS)
    with gr.Row():
        with gr.Column():
            photo = gr.Image(
                label="Photo",
                sources=["upload", "clipboard", "webcam"],
                elem_id="photo",
                height=360,
                buttons=[],
            )
            # Handlers get the uploaded file with its name: Gradio's own decoding knows fewer formats
            # and says less about a bad file.
            photo.preprocess = lambda upload: upload
            weights = gr.Radio(
                [(LABELS.get(name, name), name) for name in names],
                value=DEFAULT_WEIGHTS,
                label="Network",
                visible=len(names) > 1,
                elem_id="network",
            )
            vividness = gr.Slider(
                0, MAX_VIVIDNESS, 1, step=0.05, label="Vividness", elem_id="vividness"
            )
            gr.Markdown(ACCEPTED)
        with gr.Column():
            canvas = pins.canvas()
            result = gr.ImageSlider(
                label="Before and after", format="png", elem_id="result", buttons=[]
            )
            others = pins.others()
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
    shown = gr.State(handlers.Shown())

    def take_example(event: gr.SelectData) -> str:
        return str(examples[event.index].file)

    # All listeners that run a network wait in one queue, demo.server.internals.FairQueue.
    network = {"concurrency_id": "network"}
    private = {"api_visibility": "private", "trigger_mode": "always_last"}
    at_once = {**private, "queue": False}
    gallery.select(take_example, None, photo, **at_once)
    photo.change(None, photo, None, js="(photo) => scrollToResult(photo)", api_visibility="private")
    # One listener for everything that changes the picture, so that the latest change wins.
    painted = gr.on(
        [photo.change, weights.change, vividness.release, canvas.input],
        handlers.show,
        [photo, weights, canvas, vividness, shown],
        [result, note, true, download, canvas, others],
        show_progress_on=result,
        **private,
        **network,
    )
    painted.failure(
        handlers.after_error,
        [photo, shown],
        [result, note, true, download, canvas, others],
        show_progress="hidden",
        **at_once,
    )
    quiet = {"show_progress": "hidden", **private, **network}
    painted.success(handlers.show_versions, shown, others, **quiet)
    painted.success(handlers.make_download, shown, download, **quiet)
    canvas.select(handlers.show_likely, [canvas, shown], canvas, **quiet)

    listed = gr.JSON([], label=PINS_LABEL, visible=False)
    versions = gr.JSON(label="Versions", visible=False)
    count = gr.Number(
        handlers.VERSIONS, minimum=1, maximum=8, precision=0, label="Count", visible=False
    )
    gr.Button(visible=False).click(
        handlers.colorize,
        [photo, weights, listed, vividness],
        [result, download, true, note],
        api_name="colorize",
        **network,
    )
    gr.Button(visible=False).click(
        handlers.alternatives,
        [photo, weights, count],
        versions,
        api_name="alternatives",
        **network,
    )
