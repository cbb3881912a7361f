"""The page under load: whole sessions by HTTP, alone and beside photos that are colorized.

    python -m tests.load [--raters 200] [--at-once 50] [--db URL]
    python -m tests.load --memory

Starts the server, on 127.0.0.1 and on a database of its own, and drives raters through the study
as fast as it lets them; then as many through a Gradio page whose function does nothing, within
Gradio's queue and outside it, to compare with. Then compares every acknowledged rating with the
database.
Writes results/reliability/load-ENGINE.json. `--memory` measures, in half an hour, the server's
memory and files after 100 and after 2,000 colorizations: results/reliability/memory.json.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
import sqlalchemy as sa
from PIL import Image
from tqdm import tqdm

from model.data import rendered
from study.db.engine import connect, reading
from study.db.tables import Event, Participant, Rating, RatingSession, Stimulus, Trial
from tests.support.http_rater import HttpRater, Rated
from tests.support.posting import Api
from tests.support.server import ROOT, UNLIMITED, Server

RESULTS = ROOT / "results" / "reliability"
RATINGS = 13  # of a session of the ready study: practice, pairs and the attention check
PICTURES = 2  # of each
COLORIZERS = 4
TWELVE_MEGAPIXELS = (4000, 3000)
BESIDE = 10  # raters at once beside those who colorize
PATIENCE = 60  # seconds for one answer


@dataclass
class Driven:
    """What raters met.

    Attributes:
        seconds: by the clock, from the first request to the last answer.
        latencies: seconds of each acknowledged rating.
        requests: how many were sent.
        tries: of these, requests that had to be sent again.
        acknowledged: by trial's token, what was sent; of several visits the first to arrive counts.
        names: under which the raters came.
    """

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    requests: int = 0
    tries: int = 0
    acknowledged: dict[str, set[float | str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def figures(self) -> dict:
        """For the table: milliseconds, and numbers a second."""
        p50, p95, p99 = 1000 * np.quantile(self.latencies, [0.5, 0.95, 0.99])
        return {
            "ratings": len(self.latencies),
            "requests": self.requests,
            "sent_again": self.tries,
            "requests_per_second": round(self.requests / self.seconds, 1),
            "ratings_per_second": round(len(self.latencies) / self.seconds, 1),
            "p50_ms": round(p50, 1),
            "p95_ms": round(p95, 1),
            "p99_ms": round(p99, 1),
        }


async def drive(url: str, raters: int, at_once: int) -> Driven:
    """Send raters through the study that the page at `url` runs, so many at once."""
    driven = Driven()

    async def rate(client: httpx.AsyncClient, config: dict) -> None:
        rater = HttpRater(client, config)
        driven.names.append(rater.name)
        rated: list[Rated] = await rater.take_part()
        driven.latencies += [one.seconds for one in rated]
        driven.acknowledged |= {one.step: {one.answer} for one in rated}
        driven.tries += rater.tries

    await _crowd(url, raters, at_once, rate, driven)
    return driven


async def drive_empty(url: str, raters: int, at_once: int, *, queued: bool) -> Driven:
    """Send as many ratings to the page of `serve_empty`, each after as many pictures.

    Args:
        queued: through Gradio's queue, where every function is unless told otherwise.
    """
    driven = Driven()
    send = _queued if queued else _at_once

    async def rate(client: httpx.AsyncClient, config: dict) -> None:
        name = f"{random.getrandbits(64):x}"
        for number in range(RATINGS):
            for picture in range(PICTURES):
                await client.get(f"/picture/{number}-{picture}")
            asked = {"data": [name, str(number), 5, {}], "session_hash": name}
            began = time.perf_counter()
            await send(client, asked)
            driven.latencies.append(time.perf_counter() - began)

    await _crowd(url, raters, at_once, rate, driven)
    return driven


async def _at_once(client: httpx.AsyncClient, asked: dict) -> None:
    asked |= {"fn_index": 0}
    (await client.post("/gradio_api/run/predict", json=asked)).raise_for_status()


async def _queued(client: httpx.AsyncClient, asked: dict) -> None:
    asked |= {"fn_index": 1}
    (await client.post("/gradio_api/queue/join", json=asked)).raise_for_status()
    params = {"session_hash": asked["session_hash"]}
    async with client.stream("GET", "/gradio_api/queue/data", params=params) as told:
        async for line in told.aiter_lines():
            if "process_completed" in line:
                return
    raise RuntimeError("The queue ended without an answer.")


async def _crowd(
    url: str,
    raters: int,
    at_once: int,
    rate: Callable[[httpx.AsyncClient, dict], Awaitable[None]],
    driven: Driven,
) -> None:
    places = asyncio.Semaphore(at_once)
    progress = tqdm(total=raters, unit=" raters", disable=None)

    async def count(_: httpx.Request) -> None:
        driven.requests += 1

    # A client for each, as each has a browser. A pool that all share looks at all its connections
    # at each request, which takes longer than the answer.
    options = {"base_url": url, "timeout": PATIENCE, "event_hooks": {"request": [count]}}
    options |= {"verify": False}  # of HTTPS, which is not used; certificates take long to read
    async with httpx.AsyncClient(**options) as client:
        config = (await client.get("/config")).json()

    async def one() -> None:
        async with places, httpx.AsyncClient(**options) as client:
            await rate(client, config)
        progress.update()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(raters)))
    driven.seconds = time.perf_counter() - began
    progress.close()


def serve_empty(port: int) -> None:
    """A Gradio page whose function does nothing, and pictures of one size beside it."""
    import gradio as gr
    from fastapi import FastAPI, Response

    from demo.server.guard import GRADIO_ROUTES, Guard, Limits
    from demo.server.listening import listen, serve

    served, png = FastAPI(), Image.fromarray(np.full((256, 256, 3), 127, np.uint8))
    buffer = BytesIO()
    png.save(buffer, "PNG", compress_level=0)

    @served.get("/picture/{token}")
    def picture(token: str) -> Response:
        return Response(buffer.getvalue(), media_type="image/png")

    with gr.Blocks(analytics_enabled=False) as page:
        given = [gr.Textbox(), gr.Textbox(), gr.Number(), gr.JSON()]
        for queue in (False, True):
            gr.Button().click(lambda *_: None, given, None, queue=queue, preprocess=False)
    mounted = gr.mount_gradio_app(served, page, path="/", ssr_mode=False)
    offered = (*GRADIO_ROUTES, "/picture/{token}")
    guarded = Guard(mounted, offered=offered, limits=Limits(requests=0, uploads=0, reads=0))
    with listen("127.0.0.1", port) as listening:
        serve(guarded, listening)


class EmptyServer(Server):
    """`serve_empty` in a process of its own."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.load", "--serve-empty", str(self.port)]


def faults(engine: sa.Engine, driven: Driven) -> dict[str, int]:
    """What must all be 0: of the acknowledged ratings those that the database does not have or has
    otherwise, those that its log has twice, those that nobody was told of, and by how much the
    lists differ beyond one. The database holds one study."""
    with reading(engine) as database:
        sessions = database.execute(
            sa.select(RatingSession.id, RatingSession.list_name)
            .join(Participant, Participant.rater_id == RatingSession.rater_id)
            .where(Participant.external_id.in_(driven.names))
        ).all()
        theirs = [number for number, _ in sessions]
        stored = database.execute(
            sa.select(Trial.token, Rating.value, Rating.choice)
            .join_from(Rating, Trial)
            .where(Trial.session_id.in_(theirs))
        ).all()
        rated = database.execute(
            sa.select(Event.session_id, Event.detail).where(
                Event.kind == "rated", Event.session_id.in_(theirs)
            )
        )
        times = Counter((session, detail["position"]) for session, detail in rated)
        names = set(database.scalars(sa.select(Stimulus.list_name))) - {None}
    lists = dict.fromkeys(names, 0) | Counter(name for _, name in sessions)
    kept = {token: choice or value for token, value, choice in stored}
    return {
        "lost": sum(kept.get(token) not in sent for token, sent in driven.acknowledged.items()),
        "doubled": sum(count - 1 for count in times.values()),
        "never_acknowledged": len(kept.keys() - driven.acknowledged.keys()),
        "uneven_lists": max(0, max(lists.values()) - min(lists.values()) - 1),
    }


@contextmanager
def colorizing(url: str, clients: int, photo: bytes) -> Iterator[Callable[[], int]]:
    """Clients that colorize `photo` without pause; call what this yields for how many they did."""
    done, stop = Counter(), threading.Event()

    def work(number: int) -> None:
        api = Api(url)
        while not stop.is_set():
            api.colorize(f"{number}.jpg", photo)
            done[number] += 1

    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(work, number) for number in range(clients)]
        try:
            yield done.total
        finally:
            stop.set()
    for work_done in working:
        work_done.result()


def large_photo(size: tuple[int, int] = TWELVE_MEGAPIXELS) -> bytes:
    """A JPEG of rendered fruit of this width and height."""
    small = rendered.render("Apple Rendered Red", size=400)
    large = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    buffer = BytesIO()
    Image.fromarray(large).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def measure(db_url: str, *, raters: int, at_once: int) -> dict:
    """The figures of `raters`, `at_once` of them at once, alone and beside colorizations.

    Args:
        db_url: a database of its own.
    """
    engine = connect(db_url)
    server = Server(db_url, *UNLIMITED)
    try:
        asyncio.run(drive(server.url, 6, 6))  # everything is loaded; an even number, for the lists
        alone = asyncio.run(drive(server.url, raters, at_once))
        few = asyncio.run(drive(server.url, raters // 4, BESIDE))
        with colorizing(server.url, COLORIZERS, large_photo()) as colorized:
            before, began = colorized(), time.perf_counter()
            beside = asyncio.run(drive(server.url, raters // 4, BESIDE))
            per_minute = 60 * (colorized() - before) / (time.perf_counter() - began)
    finally:
        server.stop()
    empty_server = EmptyServer(db_url)
    try:
        for queued in (False, True):  # everything is loaded
            asyncio.run(drive_empty(empty_server.url, 6, 6, queued=queued))
        empty, queued = (
            asyncio.run(drive_empty(empty_server.url, raters, at_once, queued=queued))
            for queued in (False, True)
        )
    finally:
        empty_server.stop()
    found = {
        "raters": raters,
        "at_once": at_once,
        "engine": engine.dialect.name,
        "alone": alone.figures(),
        "function_that_does_nothing": empty.figures(),
        "function_that_does_nothing_queued": queued.figures(),
        "fewer_at_once": {"at_once": BESIDE} | few.figures(),
        "beside_colorizations": {
            "at_once": BESIDE,
            "clients": COLORIZERS,
            "megapixels": 12,
            "colorized_per_minute": round(per_minute, 1),
        }
        | beside.figures(),
    }
    for nothing in ("function_that_does_nothing", "function_that_does_nothing_queued"):
        found[f"p95_over_{nothing}"] = _ratio(found, "alone", nothing)
    found["p95_beside_over_alone"] = _ratio(found, "beside_colorizations", "fewer_at_once")
    for name, driven in (("alone", alone), ("fewer", few), ("beside", beside)):
        found[f"faults_{name}"] = faults(engine, driven)
    engine.dispose()
    return found


def _ratio(found: dict, one: str, other: str) -> float:
    return round(found[one]["p95_ms"] / found[other]["p95_ms"], 2)


def measure_memory(db_url: str, folder: Path) -> dict:
    """The server's memory (MB) and its temporary files (in `folder`, of which the server makes
    those of the last one to two hours its own) after few and after many colorizations."""
    server, found = Server(db_url, *UNLIMITED), {}
    try:
        api, photo = Api(server.url), large_photo((400, 300))
        done = (0, 0)
        for colorizations, raters in ((100, 10), (2000, 200)):
            more = range(done[0], colorizations)
            for number in tqdm(more, "colorizing", unit="", disable=None):
                api.colorize(f"{number}.jpg", photo)
            asyncio.run(drive(server.url, raters - done[1], 10))
            done = (colorizations, raters)
            files = [file for file in folder.rglob("*") if file.is_file()]
            found[f"after_{colorizations}"] = {
                "sessions": raters,
                "memory_mb": round(_memory(server.process.pid), 1),
                "files": len(files),
                "files_mb": round(sum(file.stat().st_size for file in files) / 2**20, 1),
            }
    finally:
        server.stop()
    few, many = (row["memory_mb"] for row in found.values())
    return found | {"growth": round(many / few - 1, 3)}


def _memory(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in (process, *process.children(True))) / 2**20


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.load", description=__doc__)
    add = parser.add_argument
    add("--raters", type=int, default=200, help="default: %(default)s")
    add("--at-once", type=int, default=50, help="default: %(default)s")
    add("--db", metavar="URL", help="an empty database (default: a new SQLite file)")
    add("--memory", action="store_true", help="memory and files instead; half an hour")
    add("--serve-empty", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.serve_empty:
        serve_empty(arguments.serve_empty)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "files"))
        os.environ["MALLOC_ARENA_MAX"] = "2"  # as `make demo` and deploy/ have it
        url = arguments.db or f"sqlite:///{folder}/study.sqlite"
        if arguments.memory:
            found, name = measure_memory(url, Path(folder, "files")), "memory"
        else:
            found = measure(url, raters=arguments.raters, at_once=arguments.at_once)
            name = f"load-{found['engine']}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return int(any(any(found[key].values()) for key in found if key.startswith("faults_")))


if __name__ == "__main__":
    sys.exit(main())
