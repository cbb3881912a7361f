"""What the server refuses, what it sends with every answer, and what it tells those who run it."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import sqlalchemy as sa

from demo.server import guard, page
from study.db.engine import connect, writing
from study.db.tables import Rater, RatingSession
from study.simulate.raters import SimulatedRater, run
from tests.load import drive
from tests.support import http_rater
from tests.support.posting import Api, Refused
from tests.support.server import ROOT, Server, serving
from tests.support.tiny_study import STUDY, add_study

UPLOAD = "/gradio_api/upload"
OTHER_SITE = {"Origin": "https://elsewhere.example"}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that logs, and its log."""
    folder = tmp_path_factory.mktemp("guarded")
    log = folder / "log"
    with log.open("w") as stream:
        running = Server(f"sqlite:///{folder / 'study.sqlite'}", "--log", "info", stderr=stream)
        yield running, log
        running.stop()


@pytest.fixture(scope="module")
def url(logged) -> str:
    return logged[0].url


@pytest.mark.parametrize("path", ["/", "/config", "/picture/nothing", "/nowhere", "/healthz"])
def test_every_answer_says_what_the_page_may_do(url, path):
    headers = requests.get(url + path).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer", "an address may hold a participant's ID"


@pytest.mark.parametrize(
    "path", [UPLOAD, "/answer", "/gradio_api/run/predict", "/gradio_api/queue/join"]
)
def test_another_sites_page_cannot_post(url, path):
    answer = requests.post(url + path, json={}, headers=OTHER_SITE)
    assert (answer.status_code, answer.text) == (
        403,
        "This request comes from another site's page.",
    )
    own = requests.post(url + path, json={}, headers={"Origin": url})
    assert own.status_code != 403


def test_a_body_over_the_limit_is_refused_whether_it_tells_its_length_or_not(url):
    megabyte = b"x" * 2**20
    told = requests.post(f"{url}/gradio_api/run/predict", data=megabyte * 2)
    untold = requests.post(f"{url}/gradio_api/run/predict", data=iter([megabyte, megabyte]))
    assert (told.status_code, untold.status_code) == (413, 413)
    assert requests.get(f"{url}/healthz").ok


def test_who_does_not_finish_a_request_is_hung_up_on(monkeypatch, tmp_path):
    monkeypatch.setattr(guard, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    engine = connect(f"sqlite:///{tmp_path / 'study.sqlite'}")
    add_study(engine)
    with serving(engine, STUDY, tmp_path) as url:
        host, port = url.removeprefix("http://").split(":")
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n"):
            with socket.create_connection((host, int(port)), timeout=20) as slow:
                slow.sendall(begun)
                assert slow.recv(1) == b"", "the connection ends"
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert slow.recv(9) == b"HTTP/1.1 "
            slow.sendall(b"GET / HTTP/1.1\r\n")
            while slow.recv(2**16):
                pass  # the rest of the answer; then the connection ends
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            head = b"POST /gradio_api/run/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
            slow.sendall(head + b"{")
            assert b" 408 " in slow.recv(100)


@pytest.mark.parametrize(
    "path",
    ["gradio_api/deep_link?session_hash=x", "gradio_api/vibe-code", "monitoring/summary"],
)
def test_what_gradio_offers_beyond_the_page_is_closed(url, path):
    assert requests.get(f"{url}/{path}").status_code == 403


def test_an_address_has_so_many_requests_answered_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(guard, "AT_ONCE", 2)
    engine = connect(f"sqlite:///{tmp_path / 'study.sqlite'}")
    add_study(engine)
    with serving(engine, STUDY, tmp_path) as url:
        endless = f"{url}/gradio_api/heartbeat/x"
        with requests.get(endless, stream=True), requests.get(endless, stream=True):
            assert requests.get(f"{url}/healthz").status_code == 429
        for _ in range(100):
            if (code := requests.get(f"{url}/healthz").status_code) == 200:
                break
            time.sleep(0.1)
        assert code == 200, "once they have gone"


@pytest.mark.process
def test_one_address_may_send_so_much_and_no_more(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    limits = ("--requests-per-minute", "9", "--uploads-per-minute", "2")
    server = Server(url, *limits)
    try:
        photo = (ROOT / "results" / "page.png").read_bytes()
        # the minute may turn in between: then as many are let through once more
        uploads = [
            requests.post(server.url + UPLOAD, files={"files": ("p.png", photo)}) for _ in range(5)
        ]
        assert [answer.status_code for answer in uploads].count(200) in (2, 3, 4)
        refused = uploads[-1]
        assert refused.text == "Too many uploads from this address; please wait a minute."
        assert refused.headers["Retry-After"] == "60"
        codes = [requests.post(f"{server.url}/nowhere").status_code for _ in range(20)]
        assert codes[-1] == 429
        assert requests.get(server.url).ok, "reading goes on"
    finally:
        server.stop()


def test_a_disk_that_fills_takes_no_more_photos_but_ratings(monkeypatch, tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'study.sqlite'}")
    add_study(engine, pairs=2)
    photo = (ROOT / "results" / "page.png").read_bytes()
    with serving(engine, STUDY, tmp_path) as url:
        uploaded = Api(url).upload("photo.png", photo)
        monkeypatch.setattr(page, "SPARE_BYTES", 2**80)
        refused = requests.post(url + UPLOAD, files={"files": photo})
        assert (refused.status_code, refused.text) == (507, page.NO_ROOM)
        with pytest.raises(Refused, match=page.NO_ROOM):
            Api(url).call("colorize", uploaded, "paper", [], 1)
        assert http_rater.run(drive(url, 1, 1)).acknowledged


def test_one_session_may_send_so_many_answers_and_no_more(url):
    def answer(token: str) -> str:
        given = {"token": token, "step": "step", "value": 5}
        return requests.post(f"{url}/answer", json=given).json()["problem"]

    said = [answer("one") for _ in range(250)]  # the minute may turn in between
    assert "not known here" in said[0]
    assert "too much for one minute" in said[-1]
    assert "not known here" in answer("another")


@pytest.mark.process
def test_it_listens_on_this_machine_alone_and_calls_nobody(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        server = Server(f"sqlite:///{tmp_path / 'study.sqlite'}")
        try:
            requests.get(server.url)
            Api(server.url).colorize("photo.png", (ROOT / "results" / "page.png").read_bytes())
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", server.port))
        finally:
            server.stop()
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):  # no connection waits
            proxy.accept()


def test_health_tells_of_a_database_that_is_gone(tmp_path):
    file = tmp_path / "study.sqlite"
    engine = connect(f"sqlite:///{file}")
    add_study(engine)
    with serving(engine, STUDY, tmp_path) as url:
        well = requests.get(f"{url}/healthz")
        assert (well.status_code, well.json()) == (200, {"database": True, "weights": True})
        engine.dispose()
        file.rename(tmp_path / "elsewhere.sqlite")
        ill = requests.get(f"{url}/healthz")
        assert (ill.status_code, ill.json()) == (503, {"database": False, "weights": True})
        assert "http_request_seconds" in requests.get(f"{url}/metrics").text


def test_metrics_count_what_is_stored(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'study.sqlite'}")
    add_study(engine)
    run(engine, STUDY, [SimulatedRater()], np.random.default_rng(0))
    with writing(engine) as database:
        rater = database.scalar(sa.select(RatingSession.rater_id))
        database.get(Rater, rater).simulated = False
    with serving(engine, STUDY, tmp_path) as url:
        text = requests.get(f"{url}/metrics").text
    assert re.search(rf'study_sessions{{state="finished",study="{STUDY}"}} 1\.0', text)
    (stored,) = re.findall(rf'study_ratings{{study="{STUDY}"}} (\S+)', text)
    assert float(stored) > 0


def test_metrics_count_colorizations_and_their_time(url):
    count = re.compile(r'colorization_seconds_count{weights="colornet"} (\S+)')
    before = sum(map(float, count.findall(requests.get(f"{url}/metrics").text)))
    Api(url).colorize("photo.png", (ROOT / "results" / "page.png").read_bytes())
    text = requests.get(f"{url}/metrics").text
    assert sum(map(float, count.findall(text))) == before + 1
    assert float(re.search(r'colorization_seconds_sum{weights="colornet"} (\S+)', text)[1]) > 0


def test_the_log_is_json_and_tells_of_nobody(logged):
    server, log = logged
    secret = "rater-4711"
    requests.get(f"{server.url}/?PROLIFIC_PID={secret}", headers={"Referer": secret})
    requests.get(f"{server.url}/picture/{secret}")
    requests.get(f"{server.url}/{secret}")
    for _ in range(50):
        written = [json.loads(line) for line in log.read_text().splitlines()]
        if {"/picture/{token}", "unknown"} <= {line.get("route") for line in written}:
            break
        time.sleep(0.1)
    assert {"/", "/picture/{token}", "unknown"} <= {line.get("route") for line in written}
    assert {line["levelname"] for line in written} == {"INFO"}
    assert secret not in log.read_text()
    assert "127.0.0.1" not in log.read_text()
