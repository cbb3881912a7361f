"""The "Colorize" tab: a photo in, its colours at once, and ways to change them."""

import gradio as gr

from demo.colorize import handlers, pins
from model.colorizer.pipeline import MAX_VIVIDNESS
from model.data.examples import Example
from model.photos import FORMAT_NAMES, MAX_MEGAPIXELS
from model.weights import DEFAULT_WEIGHTS, available_weights

PINS_LABEL = 'Pins: [[x, y, "#RRGGBB"], ...] in pixels of the photo'  # on the API's page
LABELS = {"colornet": "ColorNet", "paper": "PaperNet (the paper's)"}

ACCEPTED = (
    f"{FORMAT_NAMES} up to {MAX_MEGAPIXELS} megapixels. Of a colour photo only"
    " the luminance is used, and the true colours are shown for comparison."
)

CSS = (
    pins.CSS
    + """
#note p { font-size: 1.05em; }
#examples .grid-wrap { min-height: 0; height: auto; max-height: none; }
@media (max-width: 600px) {
  #examples .grid-container { grid-template-columns: repeat(3, 1fr) !important; }
}
"""
)
# Gradio's `release` is for pointers alone; the DOM's `change` also comes with the arrow keys. A
# number typed is taken with Enter too, brought into the range, and if it is none, the one before
# stays. A photo that the browser cannot show says so.
HEAD = f"""<script>
document.addEventListener("change", ({{ target }}) => {{
  if (target.matches("#vividness [type=range]"))
    target.dispatchEvent(new PointerEvent("pointerup", {{ bubbles: true }}));
}});
const typed = "#vividness [type=number]";
document.addEventListener("focusin", ({{ target }}) => {{
  if (target.matches(typed)) target.dataset.before = target.value;
}});
document.addEventListener("keydown", ({{ target, key }}) => {{
  if (key === "Enter" && target.matches(typed)) target.blur();
}});
document.addEventListener("blur", ({{ target }}) => {{
  if (!(target instanceof Element && target.matches(typed))) return;
  const {{ value, dataset }} = target;
  const number = Number(value === "" ? dataset.before : value);
  target.value = Math.min(Math.max(number, 0), {MAX_VIVIDNESS});
  if (target.value !== value) target.dispatchEvent(new Event("input", {{ bubbles: true }}));
}}, true);
document.addEventListener("error", ({{ target }}) => {{
  if (target instanceof Element && target.matches("#photo img"))
    target.alt = "No preview: the browser does not show this file.";
}}, true);
document.addEventListener("load", ({{ target }}) => {{
  if (target instanceof Element && target.matches("#photo img")) target.alt = "";
}}, true);
</script>
"""
SCROLL = """(photo) => {
  const result = document.querySelector("#result");
  if (photo) result.scrollIntoView({ block: "nearest", behavior: "smooth" });
}"""


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
            # The file as it came, with its name: Gradio's own decoding knows fewer formats and
            # says less about a bad one.
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

    private = {"api_visibility": "private", "trigger_mode": "always_last"}
    gallery.select(take_example, None, photo, api_visibility="private")
    photo.change(None, photo, None, js=SCROLL, api_visibility="private")
    # One listener for all that changes the picture, so that the newest wish has the last word.
    painted = gr.on(
        [photo.change, weights.change, vividness.release, canvas.input],
        handlers.show,
        [photo, weights, canvas, vividness, shown],
        [result, note, true, download, canvas, others],
        show_progress_on=result,
        **private,
    )
    painted.failure(
        handlers.after_error,
        [photo, shown],
        [result, note, true, download, canvas, others],
        show_progress="hidden",
        **private,
    )
    painted.success(handlers.show_versions, shown, others, show_progress="hidden", **private)
    painted.success(handlers.make_download, shown, download, show_progress="hidden", **private)
    canvas.select(handlers.show_likely, [canvas, shown], canvas, show_progress="hidden", **private)

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
    )
    gr.Button(visible=False).click(
        handlers.alternatives, [photo, weights, count], versions, api_name="alternatives"
    )
