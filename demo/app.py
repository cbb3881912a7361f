"""The page and its tabs, and the application that serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from sqlalchemy import Engine

from demo import health
from demo.colorize import tab as colorize_tab
from demo.server.guard import GRADIO_ROUTES, LIMITS, Guard, Limits
from demo.server.internals import Page, upload_folder
from model.data.examples import CACHE, Example
from model.version import VERSION
from study.rate import routes
from study.rate import tab as rate_tab

TITLE = "Fruit in colour"
# Age at which uploads and results are deleted from the server, in seconds.
CACHE_SECONDS = 3600


def build(engine: Engine, study_name: str, examples: list[Example]) -> gr.Blocks:
    """The whole page.

    Args:
        engine: the study's database.
        study_name: the study that the tab "Rate" runs.
        examples: pictures to click in the tab "Colorize".
    """
    with Page(
        title=TITLE, analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS)
    ) as page:
        gr.Markdown(
            f"# {TITLE}\nColours for grayscale photos of any subject; it knows fruit best.",
            elem_id="title",
        )
        token = rate_tab.browser_token(study_name)
        with gr.Tabs() as tabs:
            with gr.Tab("Colorize", id="colorize", elem_id="colorize"):
                colorize_tab.build(examples)
            with gr.Tab("Rate", id="rate"):
                rate_tab.build(page, tabs, token, engine, study_name)
        gr.HTML(f"Version {VERSION}", elem_id="version", padding=False)
    return page


def application(
    page: gr.Blocks,
    engine: Engine,
    study_name: str,
    *,
    limits: Limits = LIMITS,
    root_path: str = "",
) -> Guard:
    """The page, the routes that raters' browsers ask for beside it, and those that tell how the
    server is, behind the guard.

    Args:
        page: as `build` returns it.
        engine: the study's database.
        study_name: the study that the page runs.
        limits: how many requests one address may send.
        root_path: path at which a proxy offers the page, such as "/fruit".
    """
    upload_folder().mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def serving(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()  # all answers are in the study's one file, also where a signal ends it

    served = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None, lifespan=serving)
    offered = [*GRADIO_ROUTES]
    for router in (health.routes(engine, study_name), routes.routes(engine, study_name)):
        served.include_router(router)
        offered += [route.path for route in router.routes]
    gr.mount_gradio_app(
        served,
        page,
        path="/",
        root_path=root_path,
        # the bold one of the fonts that Gradio brings along lacks most letters
        theme=gr.themes.Default(
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        ),
        css=rate_tab.CSS,
        css_paths=[Path(__file__).with_name("app.css"), *colorize_tab.STYLES],
        head=colorize_tab.HEAD + rate_tab.HEAD,
        footer_links=["api"],
        run_history=False,  # it would keep photos and answers in the browser
        allowed_paths=[str(CACHE)],
        max_file_size="100mb",
        show_error=False,
        ssr_mode=False,
    )
    return Guard(served, offered=offered, limits=limits, root_path=root_path)
