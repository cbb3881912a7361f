"""The page and its tabs, and what serves them."""

import socket
from contextlib import suppress
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.routing import Mount

from demo import health
from demo.colorize import tab as colorize_tab
from demo.server.guard import Guard, Impatient
from demo.server.page import Page
from model.data.examples import CACHE, Example
from study.rate import routes
from study.rate import tab as rate_tab

TITLE = "Fruit in colour"
CSS = "footer .divider { display: none; }"
CACHE_SECONDS = 3600  # uploads and results are deleted from the server after this time
LAST_SECONDS = 5  # that answers on their way have when the server is told to end
CONNECTIONS = 2_000  # at once; further ones are told that the server is busy
REQUESTS_PER_MINUTE = 3_000  # by one address: a class of raters may share one
UPLOADS_PER_MINUTE = 60


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
            f"# {TITLE}\nColours for grayscale photos of apples, cherries and pears.",
            elem_id="title",
        )
        token = rate_tab.browser_token(study_name)
        with gr.Tabs() as tabs:
            with gr.Tab("Colorize", id="colorize", elem_id="colorize"):
                colorize_tab.build(examples)
            with gr.Tab("Rate", id="rate"):
                rate_tab.build(page, tabs, token, engine, study_name)
    return page


def application(
    page: gr.Blocks,
    engine: Engine,
    study_name: str,
    *,
    requests_per_minute: int = REQUESTS_PER_MINUTE,
    uploads_per_minute: int = UPLOADS_PER_MINUTE,
) -> FastAPI:
    """The page, beside it what raters' browsers ask for, and what tells how the server is.

    Args:
        page: as `build` returns it.
        engine: the study's database.
        study_name: the study that the page runs.
        requests_per_minute, uploads_per_minute: that one address may send; 0: any number.
    """
    Path(gr.utils.get_upload_folder()).mkdir(parents=True, exist_ok=True)
    served = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    served.add_middleware(Guard, requests=requests_per_minute, uploads=uploads_per_minute)
    served.include_router(health.routes(engine, study_name))
    served.include_router(routes.routes(engine, study_name))

    return gr.mount_gradio_app(
        served,
        page,
        path="/",
        # the bold one of the fonts that Gradio brings along lacks most letters
        theme=gr.themes.Default(
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        ),
        css=CSS + colorize_tab.CSS + rate_tab.CSS,
        head=colorize_tab.HEAD + rate_tab.HEAD,
        footer_links=["api"],
        run_history=False,  # it would keep photos and answers in the browser
        allowed_paths=[str(CACHE)],
        max_file_size="100mb",
        show_error=False,
        ssr_mode=False,
    )


class Server(uvicorn.Server):
    """Serves the application, and does not wait for those who have the page open when it ends."""

    def __init__(self, served: FastAPI) -> None:
        self.pages = [route.app for route in served.routes if isinstance(route, Mount)]
        settings = {
            "http": Impatient,
            "limit_concurrency": CONNECTIONS,
            "log_config": None,
            "access_log": False,
            "timeout_graceful_shutdown": LAST_SECONDS,
        }
        super().__init__(uvicorn.Config(served, **settings))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for page in self.pages:
            page.stop_event.set()  # each browser that has the page open holds a connection
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        OSError, OverflowError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family)
    # asyncio sends what it has at once only on sockets that say that they are TCP's; on others
    # every answer waits 40 milliseconds for the client's system
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


def serve(served: FastAPI, listening: socket.socket) -> None:
    """Serve the application until interrupted."""
    host, port, *_ = listening.getsockname()
    shown = f"[{host}]" if ":" in host else host
    print(f"Serving on http://{shown}:{port}/  (Ctrl-C ends it)", flush=True)
    with suppress(KeyboardInterrupt):
        Server(served).run(sockets=[listening])
