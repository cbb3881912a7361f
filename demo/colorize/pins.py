"""Colours chosen by hand: pins on the picture, and the row "Other colours".

The browser keeps the pins with their undo history, so that a ring is there at once and no answer
of the server can bring back an older one; the server is told all pins each time. The canvas owns
its `value` in the browser; everything else comes from the server.
"""

import base64
from pathlib import Path

import cv2
import gradio as gr
import numpy as np

JPEG = [
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]


def canvas() -> gr.HTML:
    """The picture to pin colours on. Events: `select`, a place was chosen; `input`, the pins
    changed."""
    return gr.HTML(
        value={},
        **_files("pins"),
        apply_default_css=False,
        visible=False,
        elem_id="pins",
        photo="",
        picture="",
        width=1,
        height=1,
    )


def others() -> gr.HTML:
    """The row of other versions, each of them a button that sets its pins."""
    return gr.HTML(
        **_files("others"),
        apply_default_css=False,
        visible=False,
        elem_id="others",
        versions=[],
        title="",
        pins=[],
    )


def data_url(rgb: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB as a JPEG inside the page."""
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), JPEG)[1]
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _files(name: str) -> dict[str, str]:
    """What a `gr.HTML` shows and does: NAME.html and NAME.js beside this file."""
    template, script = (Path(__file__).with_name(f"{name}.{kind}") for kind in ("html", "js"))
    return {
        "html_template": template.read_text(encoding="utf-8"),
        "js_on_load": script.read_text(encoding="utf-8"),
    }
