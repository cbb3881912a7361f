"""Everything that uses internals of Gradio or uvicorn, each with its reason.

An upgrade may change internals without notice: tests/demo/test_internals.py has a test for each.
"""

import asyncio
import logging
import time
from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI, HTTPException, Request
from gradio.block_function import BlockFunction
from gradio.data_classes import ImageData
from gradio.queueing import Event, Queue
from gradio_client.utils import is_http_url_like, strip_invalid_filename_characters, traverse
from starlette.routing import Mount
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from demo.server.visitors import Turns, Visitor, address_of

NOT_UPLOADED = "The photo did not arrive; upload it as a file."
WRONG = 'The function does not take these inputs; see "Use via API" at the foot of the page.'
BUSY = "Too many photos are waiting at the moment; please try again in a minute."

# Tabs of browsers whose state Gradio keeps, 0.2 MB each; the least recently used goes first.
SESSIONS = 500
# Longest name of a session that is taken, in characters: Gradio's have about 11, its programs' 36.
LONGEST_SESSION = 100
# Longest error message of a component that is passed on, in characters.
LONGEST_MESSAGE = 200
# Number of colorizations that run at the same time.
COLORIZATIONS_AT_ONCE = 2
# Time that a client has to send the head of a request, in seconds.
HEAD_SECONDS = 20

# An uploaded photo with its name, as handlers get it where `preprocess` leaves it alone.
Photo = ImageData

log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks that read no file of the server's but uploads, fetch nothing from elsewhere, refuse
    wrong inputs in one sentence, and serve the visitors in turn."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Gradio checks that a path is an upload only in apps that it launches by itself;
        # otherwise it would copy any file of the server into the folder of uploads.
        self.has_launched = True
        self.state_session_capacity = SESSIONS  # an argument of launch(), which is not called
        self.api_open = False  # calls that bypass the queue could take all threads
        self._queue = FairQueue(
            live_updates=True,
            concurrency_count=self.max_threads,
            update_intervals=1,
            max_size=None,
            blocks=self,
            default_concurrency_limit=COLORIZATIONS_AT_ONCE,
        )

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list, *arguments: Any, **options: Any
    ) -> list:
        """Overridden because Gradio would fetch addresses here, refuse calls from before a function
        had its last inputs, and tell a visitor of Python."""
        inputs = [*inputs, *_defaults(block_fn, len(inputs))]
        traverse(inputs, _refuse, _is_elsewhere)
        try:
            return await super().preprocess_data(block_fn, inputs, *arguments, **options)
        except gr.Error as error:  # a component's; it may repeat everything that was sent
            said = error.message
            if not said.endswith(".") or len(said) > LONGEST_MESSAGE:
                said = WRONG
            raise gr.Error(said, print_exception=False) from None
        except Exception as error:  # pydantic's, Gradio's or Python's own
            log.info("refused an input", extra={"reason": type(error).__name__})
            raise gr.Error(WRONG, print_exception=False) from None


class FairQueue(Queue):
    """Gradio's queue serves events in order of arrival and refuses none below its maximum; this
    one serves visitors in turn, and bounds what each may have waiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.turns = Turns()

    async def push(self, body: Any, request: Request, username: str | None) -> tuple:
        session = body.session_hash or ""
        if len(session) > LONGEST_SESSION:  # Gradio keeps the names of thousands
            raise HTTPException(400, WRONG)
        visitor = Visitor(address_of(request.scope), session)
        queues = self.event_queue_per_concurrency_id.values()
        waiting = [_visitor(event) for queue in queues for event in queue.queue]
        if not self.turns.admits(visitor, waiting):
            # Gradio's own refusal has status 503, for which its page has a sentence of its own
            raise HTTPException(429, BUSY, {"Retry-After": "60"})
        return await super().push(body, request, username)

    def get_events(self) -> tuple | None:
        for queue in self.event_queue_per_concurrency_id.values():
            if queue.queue and queue.current_concurrency < queue.concurrency_limit:
                first = self.turns.next([_visitor(event) for event in queue.queue])
                queue.queue.insert(0, queue.queue.pop(first))
        taken = super().get_events()
        if taken:
            self.turns.begin(_visitor(taken[0][0]))
        return taken

    async def process_events(self, events: list[Event], *arguments: Any) -> None:
        began = time.perf_counter()
        try:
            await super().process_events(events, *arguments)
        finally:
            self.turns.end(_visitor(events[0]), time.perf_counter() - began)


class Impatient(H11Protocol):
    """HTTP that hangs up on a client that does not send the head of a request, its first or a
    later one, within `HEAD_SECONDS`: uvicorn has a limit only for the pause between requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._wait_for_a_request()

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        if self.cycle is answered:  # the next request is not there yet
            self._wait_for_a_request()

    def _wait_for_a_request(self) -> None:
        self.loop.call_later(HEAD_SECONDS, self._hang_up, self.cycle)

    def _hang_up(self, answered: RequestResponseCycle | None) -> None:
        if self.cycle is answered and not self.transport.is_closing():
            self.transport.close()


def upload_folder() -> Path:
    """Gradio's folder of uploads and results, which it cleans; it has no public name."""
    return Path(gr.utils.get_upload_folder())


def is_upload(path: Any) -> bool:
    """Whether `path`, which may be anything, lies in Gradio's folder of uploads, links resolved
    as Gradio resolves them."""
    with suppress(TypeError, ValueError):  # no path, or none that a file can have
        return gr.utils.is_in_or_equal(path, upload_folder())
    return False


def file_name(name: str) -> str:
    """`name` without what a file's name cannot have, as Gradio names its own downloads."""
    return strip_invalid_filename_characters(name)


def end_streams(served: FastAPI) -> None:
    """End the connections that Gradio keeps open to each browser; the server would wait for
    them before it ends."""
    for route in served.routes:
        if isinstance(route, Mount):
            route.app.stop_event.set()


def _visitor(event: Event) -> Visitor:
    nameless = event.session_hash == event._id  # Gradio makes up a session for each such call
    return Visitor(address_of(event.request.scope), "" if nameless else event.session_hash)


def _defaults(block_fn: BlockFunction, given: int) -> list:
    """What the function itself takes in the place of inputs from number `given` on."""
    taken = list(signature(block_fn.fn).parameters.values())[given : len(block_fn.inputs)]
    return [] if any(one.default is one.empty for one in taken) else [one.default for one in taken]


def _is_elsewhere(value: Any) -> bool:
    return isinstance(value, dict) and is_http_url_like(value.get("path"))


def _refuse(_: dict) -> None:
    raise gr.Error(NOT_UPLOADED, print_exception=False)
