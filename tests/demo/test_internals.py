"""What the page uses of Gradio's and uvicorn's internals still does what it is used for."""

import asyncio
import re
import socket
import threading

import gradio as gr
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException
from gradio import processing_utils
from gradio.context import LocalContext
from gradio.data_classes import FileData, PredictBodyInternal
from starlette.requests import Request

from demo.server import internals, visitors
from demo.server.internals import BUSY, NOT_UPLOADED, WRONG, Impatient, Page
from tests.support.http_rater import run
from tests.support.server import ROOT

INTERNAL = re.compile(
    r"(from|import) (gradio\.|gradio_client|uvicorn\.)|gr\.utils|\b_queue\b|\.stop_event"
)


def test_internals_are_used_in_one_file_alone():
    files = [file for room in ("demo", "study") for file in (ROOT / room).rglob("*.py")]
    users = [file.name for file in files if INTERNAL.search(file.read_text(encoding="utf-8"))]
    assert users == ["internals.py"]


@pytest.fixture
def page() -> Page:
    with Page(analytics_enabled=False) as page:
        number, photo = gr.Number(maximum=3), gr.Image(type="filepath")
        number.change(lambda number: number, number, number, concurrency_id="network")
        photo.change(lambda photo: photo, photo, photo, concurrency_id="network")
    return page


def given(page: Page, function: int, value: object) -> list:
    """What the function gets when somebody sends `value`."""
    return run(page.preprocess_data(page.fns[function], [value], None))


def test_an_input_reaches_the_function_and_a_wrong_one_is_refused_in_one_sentence(page):
    assert given(page, 0, 2) == [2]
    for wrong in ("two", {"path": 1}, 4):
        with pytest.raises(gr.Error) as refused:
            given(page, 0, wrong)
        assert refused.value.message in (WRONG, "Value 4 is greater than maximum value 3.")


def test_an_address_is_not_fetched(page):
    elsewhere = {"path": "http://192.0.2.1/a.png", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(gr.Error, match=NOT_UPLOADED):
        given(page, 1, elsewhere)


def test_a_file_of_the_server_is_not_copied_among_the_uploads(page, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    kept = LocalContext.blocks.set(page)
    try:
        with pytest.raises(ValueError, match="Cannot move"):
            processing_utils.move_files_to_cache(
                FileData(path=str(secret)).model_dump(), gr.Image(), check_in_upload_folder=True
            )
    finally:
        LocalContext.blocks.reset(kept)


def test_calls_past_the_queue_are_closed_and_few_sessions_are_remembered(page):
    mounted = gr.mount_gradio_app(FastAPI(), page, path="/")
    (app,) = [route.app for route in mounted.routes if hasattr(route.app, "state_holder")]
    assert app.state_holder.capacity == internals.SESSIONS
    assert not app.get_blocks().api_open


def test_the_end_of_the_server_ends_the_streams(page):
    mounted = gr.mount_gradio_app(FastAPI(), page, path="/")
    internals.end_streams(mounted)
    (app,) = [route.app for route in mounted.routes if hasattr(route.app, "stop_event")]
    assert app.stop_event.is_set()


def test_names_and_uploads():
    assert internals.file_name('a/b\\c"d?.png') == "abcd.png"
    folder = internals.upload_folder()
    assert internals.is_upload(folder / "a" / "b.png")
    for other in ("/etc/passwd", folder / ".." / "a.png", None, 7, "\0"):
        assert not internals.is_upload(other)


async def hangs_up(port: int, sent: bytes) -> bool:
    """Whether the server ends a connection on which only `sent` arrives."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return True


def test_a_client_that_does_not_finish_a_head_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(internals, "HEAD_SECONDS", 0.1)

    async def app(scope: dict, receive, send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def clients() -> list[bool]:
        config = uvicorn.Config(
            app, http=Impatient, lifespan="off", log_config=None, timeout_keep_alive=100
        )
        server, whole = uvicorn.Server(config), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_server(("127.0.0.1", 0)) as listening:
            running = asyncio.create_task(server.serve(sockets=[listening]))
            port = listening.getsockname()[1]
            sent = (b"", whole[:20], whole, whole + whole[:20])
            ended = await asyncio.gather(*(hangs_up(port, begun) for begun in sent))
            server.should_exit = True
            await running
        return ended

    assert run(clients()) == [True] * 4


# The queue


class Calls:
    """A page whose function waits until it is let go on, and visitors who call it."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.done: list[str] = []
        self.go_on = threading.Semaphore(0)
        with Page(analytics_enabled=False) as self.page:
            name = gr.Textbox()
            for api_name in ("one", "two"):
                gr.Button().click(
                    self.wait, name, name, api_name=api_name, concurrency_id="network"
                )
        gr.mount_gradio_app(FastAPI(), self.page, path="/")
        self.queue = self.page._queue

    def wait(self, name: str) -> str:
        self.running.append(name)
        self.go_on.acquire()
        self.running.remove(name)
        self.done.append(name)
        return name

    async def push(self, name: str, session: str | None, function: int) -> tuple:
        scope = {"type": "http", "method": "POST", "path": "/gradio_api/queue/join"}
        scope |= {"headers": [], "query_string": b"", "server": ("192.0.2.9", 80)}
        request = Request(scope | {"client": (f"192.0.2.{ord(name[0])}", 50000)})
        body = PredictBodyInternal(
            session_hash=session, data=[name], fn_index=function, request=request
        )
        return await self.queue.push(body, request, None)

    async def until(self, *, running: int, done: int) -> None:
        while (len(self.running), len(self.done)) != (running, done):
            await asyncio.sleep(0.01)


def test_two_run_at_a_time_visitors_take_turns_and_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(visitors, "WAITING_OF_SESSION", 3)
    calls = Calls()

    async def crowd() -> list[str]:
        calls.queue.set_server_app(calls.page.app)
        calls.queue.start()
        for number in range(2):
            await calls.push(f"a{number}", "alice", number)
        await calls.until(running=2, done=0)
        for number in (2, 3, 4):
            await calls.push(f"a{number}", "alice", number % 2)
        with pytest.raises(HTTPException, match=BUSY):
            await calls.push("a5", "alice", 0)
        await calls.push("b0", "bob", 0)
        await calls.push("c0", None, 1)
        assert len(calls.running) == internals.COLORIZATIONS_AT_ONCE == 2
        for count in range(1, 8):
            calls.go_on.release()
            await calls.until(running=min(2, 7 - count), done=count)
        calls.queue.close()
        return calls.done

    done = run(crowd())
    assert sorted(done) == ["a0", "a1", "a2", "a3", "a4", "b0", "c0"]
    assert max(done.index("b0"), done.index("c0")) < min(done.index("a3"), done.index("a4"))


def test_a_session_with_a_long_name_is_refused():
    calls = Calls()
    with pytest.raises(HTTPException, match="400"):
        run(calls.push("a0", "x" * 1_000, 0))
    assert not calls.queue.pending_event_ids_session
