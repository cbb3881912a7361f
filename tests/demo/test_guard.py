"""What the guard refuses, what it sends with every answer, and what it writes down."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from prometheus_client import REGISTRY
from starlette.routing import Mount
from starlette.testclient import TestClient

from demo import health
from demo.colorize import handlers
from demo.server import guard, room
from demo.server.guard import GRADIO_ROUTES, Guard, Limits
from demo.server.internals import Photo
from tests.support.http_rater import run

UPLOAD = "/gradio_api/upload"
OURS = ("/broken", "/healthz", "/answer", "/picture/{token}")
OTHER_SITE = {"Origin": "https://elsewhere.example"}
NO_LIMITS = Limits(requests=0, uploads=0, reads=0)
# Routes that Gradio has and the page does not need.
CLOSED = {
    *("/config/", "/gradio_api/user", "/gradio_api/user/", "/gradio_api/token"),
    *("/gradio_api/token/", "/gradio_api/app_id/", "/gradio_api/login_check"),
    *("/gradio_api/login_check/", "/login", "/login/", "/gradio_api/dev/reload"),
    *("/gradio_api/deep_link", "/gradio_api/openapi.json", "/gradio_api/runs"),
    *("/gradio_api/runs/", "/gradio_api/proxy={url_path:path}", "/gradio_api/file/{path:path}"),
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}",
    *("/gradio_api/stream/{event_id}", "/gradio_api/stream/{event_id}/close"),
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file",
    *("/gradio_api/cancel", "/gradio_api/reset"),
    *("/gradio_api/reset/", "/gradio_api/run/{api_name}/", "/gradio_api/api/{api_name}"),
    *("/gradio_api/api/{api_name}/", "/gradio_api/call/{api_name}/"),
    *("/gradio_api/call/v2/{api_name}/", "/gradio_api/component_server"),
    *("/gradio_api/component_server/", "/gradio_api/startup-events", "/gradio_api/theme.css"),
    *("/pwa_icon", "/pwa_icon/{size}", "/manifest.json", "/monitoring", "/monitoring/summary"),
    *("/monitoring/{key}", "/gradio_api/process_recording", "/gradio_api/vibe-edit/"),
    *("/gradio_api/vibe-edit", "/gradio_api/undo-vibe-edit/", "/gradio_api/undo-vibe-edit"),
    *("/gradio_api/vibe-code/", "/gradio_api/vibe-code", "/gradio_api/vibe-starter-queries/"),
    *("/gradio_api/vibe-starter-queries", "/gradio_api/queue/status", "/logout", "/openapi.json"),
    *("/gradio_api/run-history/connect", "/gradio_api/run-history/buckets"),
    "/gradio_api/run-history/records",
    "/gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}",
}


def guarded(limits: Limits = NO_LIMITS, root_path: str = "") -> Guard:
    served = FastAPI()

    @served.get("/")
    @served.get("/healthz")
    @served.get("/picture/{token}")
    def nothing() -> str:
        return "nothing"

    @served.post("/answer")
    @served.post(UPLOAD)
    async def read(request: Request) -> int:
        return len(await request.body())

    @served.get("/broken")
    def broken() -> None:
        raise RuntimeError("a fault")

    offered = (*OURS, *GRADIO_ROUTES)
    return Guard(served, offered=offered, limits=limits, root_path=root_path)


def client_of(app: Guard, address: str = "192.0.2.1") -> TestClient:
    return TestClient(app, raise_server_exceptions=False, client=(address, 50000))


@pytest.fixture
def client() -> TestClient:
    return client_of(guarded())


def counted(route: str, status: int) -> float:
    labels = {"method": "GET", "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("http_request_seconds_count", labels) or 0


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404), ("/broken", 500)])
def test_every_answer_has_the_headers_and_is_counted_and_logged(client, path, status, caplog):
    route = path if status != 404 else "unknown"
    before = counted(route, status)
    with caplog.at_level(logging.INFO, guard.__name__):
        answer = client.get(path)
    assert answer.status_code == status
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer", "an address may hold a rater's ID"
    assert counted(route, status) == before + 1
    logged = [record for record in caplog.records if record.message == "answered"]
    assert [(record.route, record.status) for record in logged] == [(route, status)]


def test_another_sites_page_cannot_post(client):
    answer = client.post("/answer", headers=OTHER_SITE)
    assert answer.status_code == 403
    assert answer.text == "This request comes from another site's page."
    assert client.post("/answer", headers={"Origin": "http://testserver"}).is_success
    assert client.get("/", headers=OTHER_SITE).is_success, "a link leads here"


def test_a_body_over_the_limit_is_refused_whether_it_tells_its_length_or_not(client):
    megabyte = b"x" * 2**20
    assert client.post("/answer", content=megabyte * 2).status_code == 413
    assert client.post("/answer", content=iter([megabyte, megabyte])).status_code == 413
    assert client.post(UPLOAD, content=megabyte * 2).is_success


def test_a_body_that_stops_on_its_way_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.01)
    assert run(ask(guarded(), "POST", "/answer", asyncio.Event().wait)) == 408


def test_an_address_has_a_limit_of_requests_under_way(monkeypatch):
    monkeypatch.setattr(guard, "REQUESTS_AT_ONCE", 2)

    async def crowd() -> tuple[int, list[int], int]:
        app, sent = guarded(), asyncio.Event()

        async def later() -> dict:
            await sent.wait()
            return {"type": "http.request", "body": b""}

        first = [asyncio.create_task(ask(app, "POST", "/answer", later)) for _ in range(2)]
        while len(app.under_way) == 0 or app.under_way.total() < 2:
            await asyncio.sleep(0)
        refused = await ask(app, "GET", "/healthz", later)
        sent.set()
        return refused, await asyncio.gather(*first), await ask(app, "GET", "/healthz", later)

    assert run(crowd()) == (429, [200, 200], 200)


async def ask(app: Guard, method: str, path: str, receive) -> int:
    """The status of what `app` answers to a request whose body `receive` gives."""
    statuses = []

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await app(scope | {"client": ("192.0.2.1", 50000)}, receive, send)
    return statuses[0]


@pytest.mark.parametrize(
    ("limits", "method", "path", "sentence"),
    [
        (Limits(requests=3, uploads=0, reads=0), "POST", "/answer", "Too many requests"),
        (Limits(requests=0, uploads=3, reads=0), "POST", UPLOAD, "Too many uploads"),
        (Limits(requests=0, uploads=0, reads=3), "GET", "/healthz", "Too many requests"),
        (Limits(requests=0, uploads=0, reads=3), "GET", "/picture/x", "Too many requests"),
        (Limits(requests=0, uploads=0, reads=3), "GET", "/nowhere", "Too many requests"),
    ],
)
def test_an_address_has_a_limit_of_requests_a_minute(limits, method, path, sentence):
    app = guarded(limits)
    answers = [client_of(app).request(method, path) for _ in range(7)]  # the minute may turn
    refused = [answer for answer in answers if answer.status_code == 429]
    assert not [answer for answer in answers[:3] if answer in refused]
    assert refused
    assert refused[0].text == f"{sentence} from this address; please wait a minute."
    assert refused[0].headers["Retry-After"] == "60"
    assert client_of(app, "192.0.2.2").request(method, path).status_code != 429


def test_a_large_upload_counts_as_several(monkeypatch):
    monkeypatch.setattr(guard, "UPLOAD_UNIT", 10)
    client = client_of(guarded(Limits(requests=0, uploads=4, reads=0)))
    codes = [client.post(UPLOAD, content=b"x" * 20).status_code for _ in range(5)]
    assert codes[:2] == [200, 200]
    assert 429 in codes, "the minute may turn once"


def test_all_of_an_ipv6_network_is_one_address():
    app = guarded(Limits(requests=0, uploads=0, reads=1))
    codes = [client_of(app, f"2001:db8::{host}").get("/").status_code for host in range(3)]
    assert 429 in codes


def test_a_full_disk_takes_no_more_photos_but_answers(client, monkeypatch):
    monkeypatch.setattr(room, "SPARE_BYTES", 2**80)
    refused = client.post(UPLOAD)
    assert (refused.status_code, refused.text) == (507, room.NO_ROOM)
    with pytest.raises(gr.Error, match=room.NO_ROOM):
        handlers.path_of(Photo(path="uploaded before.png"))
    assert client.post("/answer").is_success


def test_a_folder_of_uploads_that_cannot_be_made_takes_no_photos(client, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file" / "uploads"))
    assert client.post(UPLOAD).status_code == 507


@pytest.fixture(scope="module")
def gradio_routes() -> set[str]:
    """Every route of Gradio's own."""
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox()
    mounted = gr.mount_gradio_app(FastAPI(openapi_url=None, docs_url=None), page, path="/")
    (app,) = [route.app for route in mounted.routes if isinstance(route, Mount)]
    return {context.path for context in iter_route_contexts(app.routes)}


def test_each_of_gradios_routes_is_known_to_be_needed_or_closed(gradio_routes):
    assert not CLOSED & set(GRADIO_ROUTES)
    assert sorted(gradio_routes - CLOSED - set(GRADIO_ROUTES)) == [], "Gradio has new routes"
    assert sorted(set(GRADIO_ROUTES) - gradio_routes) == [], "Gradio has no such routes"


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/vibe-code", "/gradio_api/deep_link?session_hash=x", "/monitoring/summary"),
        "/gradio_api/cancel",
        *("/gradio_api/proxy=http://192.0.2.1/x.png", "/gradio_api/file/http://192.0.2.1/x.png"),
        *("/gradio_api/file=http://192.0.2.1/x.png", "/gradio_api/file=HTTPS://192.0.2.1/x.png"),
        *("//gradio_api/vibe-code", "/gradio_api/%76ibe-code", "/GRADIO_API/vibe-code"),
    ],
)
def test_what_gradio_has_beyond_the_page_is_closed(path):
    asked = []

    async def app(scope: dict, *_) -> None:
        asked.append(scope["path"])

    answer = client_of(Guard(app, offered=GRADIO_ROUTES)).get(f"http://testserver{path}")
    assert (answer.status_code, answer.text) == (404, "This page offers no such thing.")
    assert asked == []


@pytest.mark.parametrize("path", ["/healthz", "/fruit/healthz"])
def test_behind_a_path_a_proxy_may_take_it_away_or_leave_it(path):
    client = client_of(guarded(root_path="/fruit"))
    assert client.get(path).text == '"nothing"'
    assert client.get(f"{path}y").status_code == 404


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """The log as `python -m demo --log info` writes it."""
    loggers = [logging.getLogger(name) for name in (None, "demo", "study", "model")]
    handlers, levels = loggers[0].handlers[:], [logger.level for logger in loggers]
    loggers[0].handlers.clear()  # else they would be closed
    try:
        health.log_to_stderr("info")
        yield
    finally:
        loggers[0].handlers[:] = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def test_the_log_is_json_and_tells_of_nobody(client, capsys):
    secret = "rater-4711"
    with logging_to_stderr():
        client.get(f"/?PROLIFIC_PID={secret}", headers={"Referer": secret})
        client.get(f"/picture/{secret}")
        client.get(f"/{secret}")
    text = capsys.readouterr().err
    ours = [line for line in map(json.loads, text.splitlines()) if line["name"] == guard.__name__]
    assert [line["route"] for line in ours] == ["/", "/picture/{token}", "unknown"]
    assert secret not in text
    assert "192.0.2.1" not in text
