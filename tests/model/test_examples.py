"""Example pictures from a web server, and those that are drawn where there is none."""

import csv
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from model.data.examples import LIST_FILE, fetch, fruits360_examples, rendered_examples
from model.photos import read_photo

FRUITS = ("Apple Braeburn", "Cherry 1", "Pear Abate")


class PictureServer:
    """Serves `pictures` by their URL path and counts the requests."""

    def __init__(self, pictures: dict[str, bytes]) -> None:
        self.requests = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                if self.path not in pictures:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(pictures[self.path])))
                self.end_headers()
                self.wfile.write(pictures[self.path])

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def pictures(rendered_dir: Path) -> dict[str, bytes]:
    files = sorted(rendered_dir.glob("Test/*/*.jpg"))
    return {f"/{n}.jpg": files[n].read_bytes() for n in range(len(FRUITS))}


@pytest.fixture
def web(pictures: dict[str, bytes], monkeypatch) -> Iterator[PictureServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = PictureServer(pictures)
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def silent_url(monkeypatch) -> Iterator[str]:
    """A server that takes the connection and never answers."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/0.jpg"


@pytest.fixture
def list_file(web: PictureServer, pictures: dict[str, bytes], tmp_path: Path) -> Path:
    """A list of the three pictures, laid out as the committed one."""
    return write_list(
        tmp_path / "list.csv",
        [
            (f"Test/{fruit}/{n}_100.jpg", f"{web.url}/{n}.jpg", sha256(pictures[f"/{n}.jpg"]))
            for n, fruit in enumerate(FRUITS)
        ],
    )


def write_list(file: Path, rows: list[tuple[str, str, str]]) -> Path:
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("path", "url", "sha256"), *rows])
    return file


def test_a_picture_is_fetched_once_and_kept(web, pictures, tmp_path):
    for _ in range(2):
        file = fetch(f"{web.url}/0.jpg", sha256(pictures["/0.jpg"]), to=tmp_path)
        assert file.read_bytes() == pictures["/0.jpg"]
        assert file.is_relative_to(tmp_path)
    assert web.requests == 1


def test_a_picture_that_was_spoilt_in_the_cache_is_fetched_again(web, pictures, tmp_path):
    url, known = f"{web.url}/0.jpg", sha256(pictures["/0.jpg"])
    fetch(url, known, to=tmp_path).write_bytes(b"spoilt")
    assert fetch(url, known, to=tmp_path).read_bytes() == pictures["/0.jpg"]


def test_another_picture_than_the_listed_one_is_refused_and_not_kept(web, pictures, tmp_path):
    with pytest.raises(ValueError):
        fetch(f"{web.url}/0.jpg", sha256(pictures["/1.jpg"]), to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_picture_is_an_error(web, tmp_path):
    with pytest.raises(OSError, match="404"):
        fetch(f"{web.url}/gone.jpg", sha256(b""), to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up(silent_url, tmp_path):
    with pytest.raises(OSError, match="timed out"):
        fetch(silent_url, sha256(b""), to=tmp_path, timeout=0.2)


def test_the_listed_pictures_become_examples_with_their_fruit(list_file, tmp_path, pictures):
    examples = fruits360_examples(list_file=list_file, to=tmp_path / "cache")
    assert [example.source for example in examples] == ["Fruits-360"] * 3
    assert [example.fruit for example in examples] == list(FRUITS)
    assert [example.file.read_bytes() for example in examples] == list(pictures.values())
    assert all(read_photo(example.file).shape == (100, 100, 3) for example in examples)


def test_examples_once_fetched_need_no_network(list_file, tmp_path, web):
    first = fruits360_examples(list_file=list_file, to=tmp_path / "cache")
    assert web.requests == 3
    web.server.shutdown()
    web.server.server_close()
    assert fruits360_examples(list_file=list_file, to=tmp_path / "cache") == first != []


@pytest.mark.parametrize("fault", ["unreachable", "404", "other picture", "no folder"])
def test_there_are_no_real_examples_where_one_cannot_be_fetched(web, pictures, tmp_path, fault):
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed_port = free.getsockname()[1]
    url = {
        "unreachable": f"http://127.0.0.1:{closed_port}/0.jpg",
        "404": f"{web.url}/gone.jpg",
    }.get(fault, f"{web.url}/0.jpg")
    known = sha256(b"other" if fault == "other picture" else pictures["/0.jpg"])
    cache = tmp_path / "cache"
    if fault == "no folder":
        cache.write_text("a file in the way")
    list_file = write_list(tmp_path / "list.csv", [("Test/Pear/0_100.jpg", url, known)])
    assert fruits360_examples(list_file=list_file, to=cache) == []


def test_the_committed_list_names_pictures_of_test_by_pinned_addresses():
    with LIST_FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["path"] for row in rows}) == 6
    for row in rows:
        folder, _, name = row["path"].split("/")
        assert folder == "Test" and name.endswith("_100.jpg")
        assert row["url"].startswith("https://")
        assert len(bytes.fromhex(row["sha256"])) == 32
        assert row["licence"]


def test_drawn_examples_show_every_kind_of_fruit_and_are_grey_but_for_the_last(tmp_path):
    examples = rendered_examples(4, to=tmp_path)
    assert len({example.file for example in examples}) == 4
    assert {example.source for example in examples} == {"fruit drawn by a program"}
    assert {example.fruit for example in examples} == {"Apple", "Cherry", "Pear"}
    pictures = [read_photo(example.file) for example in examples]
    assert all(min(picture.shape[:2]) >= 100 for picture in pictures)
    colour = [int(np.ptp(picture.astype(int), axis=-1).max()) for picture in pictures]
    assert colour[:-1] == [0, 0, 0]
    assert colour[-1] > 50


def test_no_drawn_example_is_written_over_another(tmp_path, monkeypatch):
    monkeypatch.setattr("model.data.examples.RENDERED_SIZE", 20)
    examples = rendered_examples(11, to=tmp_path)
    assert len({example.file.read_bytes() for example in examples}) == 11
