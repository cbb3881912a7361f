"""The page and its tabs."""

import gradio as gr
from sqlalchemy import Engine

from demo import colorize_tab
from model.examples import CACHE, Example
from study import tab as rate_tab

TITLE = "Fruit in colour"
CSS = "footer .divider { display: none; }"
CACHE_SECONDS = 3600  # uploads and results are deleted from the server after this time


def build(engine: Engine, study_name: str, examples: list[Example]) -> gr.Blocks:
    """The whole page.

    Args:
        engine: the study's database.
        study_name: the study that the tab "Rate" runs.
        examples: pictures to click in the tab "Colorize".
    """
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS)
    ) as page:
        gr.Markdown(f"# {TITLE}\nColours for grayscale photos of apples, cherries and pears.")
        token = rate_tab.browser_token(study_name)
        with gr.Tabs() as tabs:
            with gr.Tab("Colorize", id="colorize", elem_id="colorize"):
                colorize_tab.build(examples)
            with gr.Tab("Rate", id="rate"):
                rate_tab.build(page, tabs, token, engine, study_name)
    return page


def launch(page: gr.Blocks, *, host: str, port: int) -> None:
    """Serve `page` until interrupted."""
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        css=CSS + colorize_tab.CSS + rate_tab.CSS,
        head=rate_tab.HEAD,
        footer_links=["api"],
        run_history=False,  # it would keep photos and answers in the browser
        allowed_paths=[str(CACHE)],
        max_file_size="100mb",
        quiet=True,
        ssr_mode=False,
    )
    print(f"Serving on {address}  (Ctrl-C ends it)", flush=True)
    page.block_thread()
