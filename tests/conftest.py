"""What test files share: made data sets, databases, the run's server, a browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.engines import ENGINES
from tests.support.server import CHROMIUM_FLAGS, SharedServer
from tests.support.shared import once

# Processes that share few cores are quickest with one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Fixtures, and the marks of the tests that use them.
MARKS = {
    "browser": "browser",
    "fruits360_dir": "real_data",
    "postgres": "process",
    "server": "process",
}

# The same inputs in each run: a failure belongs to the change that brought it about.
hypothesis.settings.register_profile(
    "tests", derandomize=True, deadline=None, database=None, max_examples=25
)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def fruits360_dir() -> Path:
    """The real pictures; `.ci/run` names them wherever they lie beside the checkout."""
    if not os.environ.get("FRUITS360_DIR"):
        pytest.skip("needs the Fruits-360 pictures: set FRUITS360_DIR")
    return Path(os.environ["FRUITS360_DIR"])


@pytest.fixture(scope="session")
def rendered_dir(run_dir: Path) -> Path:
    """A data set in the Fruits-360 layout: 9 rendered varieties, 14 / 4 pictures each."""
    from tests.support import datasets

    return once(run_dir / "rendered", datasets.write_rendered)


@pytest.fixture(scope="session")
def more_dir(run_dir: Path, rendered_dir: Path) -> Path:
    """Further varieties, `<variety>/<index>_100.jpg`: 14 pictures of each."""
    from tests.support import datasets

    return once(run_dir / "more", lambda to: datasets.link_varieties(rendered_dir, to))


@pytest.fixture(scope="session")
def photos_dir(run_dir: Path, rendered_dir: Path) -> Path:
    """Photos of 300x200 or 200x300 pixels: 24 of grocery/train, of which 4 are photos-val, 6 of
    grocery/val and 4 of an orchard."""
    from tests.support import datasets

    return once(run_dir / "photos", lambda to: datasets.draw_photos(rendered_dir, to))


@pytest.fixture(scope="session")
def general_dir(run_dir: Path, rendered_dir: Path) -> Path:
    """Ordinary photos: 12 of train, 12 of val and 2 of kodak."""
    from tests.support import datasets

    return once(run_dir / "general", lambda to: datasets.draw_general(rendered_dir, to))


@pytest.fixture(scope="session")
def postgres(run_dir: Path) -> Iterator:
    """The run's PostgreSQL server, a `tests.support.postgres.Postgres`."""
    from tests.support.postgres import Postgres

    running = Postgres(run_dir)
    yield running
    running.stop()


@pytest.fixture
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a study, on SQLite, or on each engine in turn for `each_engine`."""
    yield from _database(request, tmp_path, "with_tables")


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, on each engine in turn."""
    yield from _database(request, tmp_path, "template0")


def _database(request: pytest.FixtureRequest, folder: Path, template: str) -> Iterator[str]:
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{folder / 'study.sqlite'}"
        return
    with request.getfixturevalue("postgres").database(template) as url:
        yield url


@pytest.fixture(scope="session")
def ready_study(run_dir: Path) -> Path:
    """An SQLite file with the study that the page offers where none is prepared; to be copied."""

    def prepare(file: Path) -> None:
        from study.db.engine import connect
        from study.prepare.freeze import prepare_ready_study

        engine = connect(f"sqlite:///{file}")
        prepare_ready_study(engine)
        engine.dispose()

    return once(run_dir / "ready.sqlite", prepare)


@pytest.fixture(scope="session")
def server(run_dir: Path, ready_study: Path) -> Iterator[SharedServer]:
    """The run's server of the page, on a copy of the ready study."""
    with SharedServer.of_run(run_dir / "server", ready_study) as running:
        yield running


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
