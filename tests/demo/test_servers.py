"""Two servers behind nginx, as `deploy/` sets them up, on one PostgreSQL; one of them is killed."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from gradio_client import Client, handle_file
from PIL import Image

from study.db.engine import connect, reading
from study.db.tables import Event, Participant, Rating, RatingSession, Trial
from study.prepare.freeze import READY_STUDY
from tests.support.http_rater import HttpRater, OnRating, Rated, run
from tests.support.postgres import Postgres
from tests.support.server import ROOT, Server, serving
from tests.support.tiny_study import add_study

RATERS = 10
TRIALS = 2 + 4 + 1  # practice, pairs and the attention check
STEPS = 1 + 3 + TRIALS + 2 + 1  # consent, questions, trials, on after feedback, comment

NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    {settings}
}}
"""


class Nginx:
    """nginx with files of `deploy/nginx`.

    Args:
        folder: for its own files.
        around: the settings around those of the files, FILES and PORT to be filled in.
        files: their names.
        ours: by what stands in them, this test's own in its place.

    Attributes:
        url: where it answers.
    """

    def __init__(self, folder: Path, around: str, files: list[str], ours: dict[str, str]) -> None:
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        assert program, "these tests need nginx: apt-get install nginx-light"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        text = "".join((ROOT / "deploy" / "nginx" / name).read_text() for name in files)
        for theirs, our in ours.items():
            assert theirs in text, theirs
            text = text.replace(theirs, our)
        settings = around.replace("FILES", text).replace("PORT", f"127.0.0.1:{port}")
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, settings=settings))
        self.process = subprocess.Popen([program, "-c", str(config)])
        for _ in range(100):
            try:
                httpx.get(self.url, timeout=5)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError((folder / "error.log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


class Balanced:
    """Two servers and nginx before them.

    Attributes:
        url: nginx's.
        db_url: of the database that both servers use.
    """

    def __init__(self, db_url: str, folder: Path) -> None:
        self.db_url = db_url
        with ThreadPoolExecutor() as pool:  # both find the database empty of what they need
            self.servers = list(pool.map(lambda _: Server(db_url), range(2)))
        ours = {"listen 80;": "listen PORT;", "/var/log/nginx": str(folder)}
        ports = zip(("7861", "7862"), self.servers, strict=True)
        ours |= {f"127.0.0.1:{port} ": f"127.0.0.1:{server.port} " for port, server in ports}
        self.nginx = Nginx(folder, "FILES", ["servers.conf", "page.conf"], ours)
        self.url = self.nginx.url

    def stop(self) -> None:
        self.nginx.stop()
        for server in self.servers:
            if server.process.poll() is None:
                server.stop()


@pytest.fixture(scope="module")
def balanced(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    with postgres.database() as url:
        add_study(connect(url), pairs=4)
        running = Balanced(url, tmp_path_factory.mktemp("nginx"))
        yield running
        running.stop()


def steps_answered(server: Server) -> int:
    """Requests that changed something, since the server was started."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("http_request_seconds_count{")]
    return sum(int(float(line.split()[-1])) for line in counts if 'method="POST"' in line)


def rate(balanced: Balanced, on_rating: OnRating | None = None) -> list[HttpRater]:
    """Send raters through the study, all at once, each with a browser's cookies."""

    async def all_take_part() -> list[HttpRater]:
        async with AsyncExitStack() as stack:
            raters = []
            for _ in range(RATERS):
                client = httpx.AsyncClient(base_url=balanced.url, timeout=30)
                raters.append(HttpRater(await stack.enter_async_context(client), config))
            await asyncio.gather(*(rater.take_part(on_rating=on_rating) for rater in raters))
            return raters

    config = httpx.get(f"{balanced.url}/config").json()
    return run(all_take_part())


def test_what_those_who_run_it_ask_is_refused_from_outside(balanced):
    for path in ("/metrics", "/healthz", "//metrics", "/%6detrics", "/healthz/"):
        assert httpx.get(balanced.url + path).status_code == 403
    assert httpx.get(f"{balanced.servers[0].url}/healthz").status_code == 200


def test_behind_a_path_all_of_the_page_is_found(browser, ready_study, tmp_path):
    engine = connect(f"sqlite:///{shutil.copy(ready_study, tmp_path)}")
    with serving(engine, READY_STUDY, tmp_path, root_path="/fruit") as url:
        ours = {"http://127.0.0.1:7861": url}
        nginx = Nginx(tmp_path, "server { listen PORT; FILES }", ["path.conf"], ours)
        try:
            page, failed = browser.new_page(), []
            page.on("response", lambda got: got.status >= 400 and failed.append(got.url))
            page.goto(f"{nginx.url}/fruit/")
            page.locator("#examples button").first.click()
            page.get_by_text("pixels colorized").wait_for()
            with page.expect_download() as download:
                page.locator("#download:not([disabled])").click()
            assert Image.open(download.value.path()).mode == "RGB"
            loaded = "image => image.complete && image.naturalWidth > 0"
            for image in page.locator("#examples img, #result img").all():
                assert image.evaluate(loaded)
            page.get_by_role("tab", name="Rate").click()
            page.locator("#consent input").check()
            page.locator("#start").click()
            page.locator("#choice").wait_for()
            assert [address for address in failed if "manifest.json" not in address] == []
            page.close()
            client = Client(f"{nginx.url}/fruit/", verbose=False, analytics_enabled=False)
            Image.new("RGB", (64, 64), "gray").save(tmp_path / "photo.png")
            *_, note = client.predict(
                handle_file(tmp_path / "photo.png"), "paper", api_name="/colorize"
            )
            assert "64 x 64 pixels colorized" in note
            assert httpx.get(f"{nginx.url}/fruit/metrics").status_code == 403
        finally:
            nginx.stop()
    assert not list(tmp_path.glob("*-wal")), "all answers are in the database's one file"


def test_a_photo_is_colorized_by_the_server_that_it_was_uploaded_to(balanced, tmp_path):
    Image.new("RGB", (64, 64), "gray").save(tmp_path / "photo.png")
    for _ in range(4):
        page = Client(balanced.url, verbose=False, analytics_enabled=False)
        *_, note = page.predict(
            handle_file(tmp_path / "photo.png"), "colornet", api_name="/colorize"
        )
        assert note


def test_raters_are_on_both_servers_and_each_stays_with_one(balanced):
    before = [steps_answered(server) for server in balanced.servers]
    rate(balanced)
    after = [steps_answered(server) for server in balanced.servers]
    steps = [new - old for new, old in zip(after, before, strict=True)]
    assert min(steps) > 0
    assert sum(steps) == RATERS * STEPS
    assert all(count % STEPS == 0 for count in steps)


def test_raters_finish_on_the_other_server_and_lose_nothing(balanced):
    counted: list[Rated] = []

    async def after_rating(rated: Rated) -> None:
        counted.append(rated)
        if len(counted) == RATERS * TRIALS // 3:
            balanced.servers[0].process.kill()

    raters = rate(balanced, after_rating)
    assert balanced.servers[0].process.wait(timeout=10) == -signal.SIGKILL
    noticed = sum(rater.tries for rater in raters)
    assert noticed <= 1, "nginx asks the other server, but for an answer cut off in its middle"
    acknowledged = {rated.step: rated.answer for rater in raters for rated in rater.rated}
    assert len(acknowledged) == len(counted) == RATERS * TRIALS
    theirs = (
        sa.select(RatingSession.id)
        .join(Participant, Participant.rater_id == RatingSession.rater_id)
        .where(Participant.external_id.in_([rater.name for rater in raters]))
    )
    with reading(connect(balanced.db_url)) as database:
        ratings = sa.select(Trial.token, Rating.value).join(Rating)
        stored = database.execute(ratings.where(Trial.session_id.in_(theirs))).all()
        happened = sa.select(Event.kind).where(Event.session_id.in_(theirs))
        events = Counter(database.scalars(happened))
    assert len(stored) == RATERS * TRIALS == events["rated"]
    assert dict(map(tuple, stored)) == acknowledged
    assert events["consented"] == events["finished"] == RATERS
