"""Gradio's page, strict with what strangers send."""

import logging
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio_client.utils import is_http_url_like, traverse

NOT_UPLOADED = "The photo did not arrive; upload it as a file."
WRONG = 'What was sent is not what this function takes; "Use via API" below the page tells more.'
NO_ROOM = "There is no room for photos at the moment; please come back later."
SPARE_BYTES = 2**30  # of the disk, which photos leave to all else
SESSIONS = 500  # tabs of browsers that Gradio remembers, 0.2 MB each: those used last
LONG = 200  # letters, from which on nobody reads a sentence

log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks that read no file of the server's but uploads, fetch nothing from elsewhere, and
    refuse what a component does not take in one sentence."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Gradio compares paths with the folder of uploads only in what it serves by itself;
        # otherwise it would copy any file of the server into that folder.
        self.has_launched = True
        self.state_session_capacity = SESSIONS
        self.api_open = False  # who would not wait in the queue could take all threads

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list, *arguments: Any, **options: Any
    ) -> list:
        traverse(inputs, _refuse, _is_elsewhere)  # Gradio would fetch it
        try:
            return await super().preprocess_data(block_fn, inputs, *arguments, **options)
        except gr.Error as error:  # of a component; it may repeat all that was sent
            said = error.message
            if not said.endswith(".") or len(said) > LONG:
                said = WRONG
            raise gr.Error(said, print_exception=False) from None
        except Exception as error:  # of pydantic, of Gradio and of Python itself
            log.info("refused an input", extra={"reason": type(error).__name__})
            raise gr.Error(WRONG, print_exception=False) from None


def has_room() -> bool:
    """Whether there is space for another photo."""
    folder = Path(gr.utils.get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)  # systems clean up what nobody has used for long
    return shutil.disk_usage(folder).free >= SPARE_BYTES


def _is_elsewhere(value: Any) -> bool:
    return isinstance(value, dict) and is_http_url_like(value.get("path"))


def _refuse(_: dict) -> None:
    raise gr.Error(NOT_UPLOADED, print_exception=False)
