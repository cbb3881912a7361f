"""Gradio's page, strict with what strangers send."""

import logging
from typing import Any

import gradio as gr

WRONG = "What was sent is not what this function takes; /?view=api tells what it takes."
LONG = 200  # letters, from which on nobody reads a sentence

log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks that read no file of the server's but uploads, and that refuse what a component does
    not take in one sentence."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Gradio compares paths with the folder of uploads only in what it serves by itself;
        # otherwise it would copy any file of the server into that folder.
        self.has_launched = True

    async def preprocess_data(self, *arguments: Any, **options: Any) -> list:
        try:
            return await super().preprocess_data(*arguments, **options)
        except gr.Error as error:  # of a component; it may repeat all that was sent
            said = error.message.removesuffix(".") + "."
            if len(said) > LONG:
                said = WRONG
            raise gr.Error(said, print_exception=False) from None
        except Exception as error:  # of pydantic, of Gradio and of Python itself
            log.info("refused an input", extra={"reason": type(error).__name__})
            raise gr.Error(WRONG, print_exception=False) from None
