"""The page, served by a process of its own or by a thread of this one."""

import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import sqlalchemy as sa

from tests.support.shared import shared

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
UNLIMITED = tuple(f"--{what}-per-minute=0" for what in ("requests", "uploads", "reads"))


class Server:
    """`python -m demo` as a user starts it, on a free port."""

    def __init__(self, db_url: str, *flags: str, stderr: IO | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stderr = stderr
        self.flags = ("--db", db_url, "--examples", "rendered", *flags)
        self.start()

    def command(self) -> list[str]:
        return [sys.executable, "-m", "demo", "--port", str(self.port), *self.flags]

    def start(self) -> None:
        command = self.command()
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=self.stderr)
        for _ in range(600):
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"{command} ended with {self.process.returncode}") from None
                time.sleep(0.2)
        raise RuntimeError(f"{command} does not answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class SharedServer:
    """The server that all processes of a run of the tests share: unlimited, and it logs.

    Attributes:
        db_url: of its SQLite database.
        log: the file that holds its log.
    """

    port: int
    pid: int
    db_url: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    @contextmanager
    def of_run(cls, folder: Path, study: Path) -> Iterator["SharedServer"]:
        """The server that has its files in `folder`, on a copy of the SQLite file `study`."""
        db_url, log = f"sqlite:///{folder / 'study.sqlite'}", folder / "log"

        def start() -> dict[str, int]:
            folder.mkdir()
            shutil.copy(study, folder / "study.sqlite")
            with log.open("w") as stream:
                started = Server(db_url, *UNLIMITED, "--log", "info", stderr=stream)
            return {"port": started.port, "pid": started.process.pid}

        def stop(told: dict[str, int]) -> None:
            process = psutil.Process(told["pid"])
            process.terminate()
            with suppress(psutil.NoSuchProcess):
                while process.status() != psutil.STATUS_ZOMBIE:  # until its parent takes note
                    time.sleep(0.1)
            shutil.rmtree(folder)

        with shared(folder.with_suffix(".json"), start, stop) as told:
            yield cls(told["port"], told["pid"], db_url, log)


@contextmanager
def serving(
    engine: sa.Engine, study_name: str, folder: Path, port: int = 0, *, root_path: str = ""
) -> Iterator[str]:
    """The URL of the page, served by a thread of this process."""
    from demo import app
    from demo.server import listening
    from model.data.examples import rendered_examples

    page = app.build(engine, study_name, rendered_examples(2, to=folder))
    with listening.listen("127.0.0.1", port) as own_socket:
        running = listening.Server(app.application(page, engine, study_name, root_path=root_path))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [own_socket]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{own_socket.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()
