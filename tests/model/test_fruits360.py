"""Finding, splitting, loading and downloading the pictures, as a user meets it."""

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.data.archive import ARCHIVE_URL, LICENCE, download
from model.data.fruits360 import (
    HELD_OUT_VARIETIES,
    PAPER_COUNTS,
    SPLITS,
    DataError,
    canonical_name,
    find_root,
    is_in_paper,
    kind_of,
    list_files,
    load_split,
    read_pictures,
    split_files,
)
from model.fruits360 import describe, main


def add_frames(root: Path, folder: str, variety: str, names: list[str]) -> None:
    (root / folder / variety).mkdir(parents=True)
    for name in names:
        (root / folder / variety / f"{name}_100.jpg").touch()


def position(file: Path) -> tuple[str, int]:
    """Axis of the turntable, and the frame on it."""
    axis, _, index = file.name.removesuffix("_100.jpg").rpartition("_")
    return axis, int(index)


def by_sequence(files: list[Path]) -> dict[tuple[str, str], list[Path]]:
    """The files of each turn of the table, in its order."""

    def sequence(file: Path) -> tuple[str, str]:
        return file.parent.name, position(file)[0]

    ordered = sorted(files, key=lambda file: (sequence(file), position(file)))
    return {key: list(group) for key, group in groupby(ordered, key=sequence)}


def relative(files: list[Path], root: Path) -> list[str]:
    return [str(file.relative_to(root)) for file in files]


# Which pictures there are


@pytest.mark.parametrize(
    ("variety", "expected"),
    [
        ("Apple Red 1", True),
        ("Cherry Wax Yellow", True),
        ("Pear", True),
        ("Tomato Cherry Red", True),
        ("Pineapple", False),
        ("Pineapple Mini", False),
        ("Tomato 1", False),
        ("Banana", False),
    ],
)
def test_the_papers_rule_is_case_sensitive_and_takes_in_a_tomato(variety, expected):
    assert is_in_paper(variety) is expected


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Apple Braeburn 1", "Apple Braeburn"),
        ("Apple Braeburn", "Apple Braeburn"),
        ("Pear 1", "Pear"),
        ("Tomato Cherry Red 1", "Tomato Cherry Red"),
        ("Apple Golden 1", "Apple Golden 1"),
        ("Cherry 1", "Cherry 1"),
        ("Pear 2", "Pear 2"),
        ("Apple Unheard Of 1", "Apple Unheard Of 1"),
        ("Apple 10", "Apple 10"),
    ],
)
def test_newer_names_become_those_of_2020(folder, name):
    assert canonical_name(folder) == name


def test_the_papers_subset_is_of_known_kinds_and_has_as_many_pictures_as_published():
    assert all(map(is_in_paper, PAPER_COUNTS))
    assert {kind_of(variety) for variety in PAPER_COUNTS} == {"apple", "cherry", "pear", "tomato"}
    training, test = map(sum, zip(*PAPER_COUNTS.values(), strict=True))
    assert (len(PAPER_COUNTS), training, test) == (29, 15_377, 5_135)


def newer(variety: str) -> str:
    return variety if variety[-1].isdigit() else f"{variety} 1"


@pytest.fixture
def small_paper(monkeypatch) -> dict[str, tuple[int, int]]:
    """The paper's varieties with few pictures each, as if the paper had had no more."""
    counts = {variety: (3 + number % 2, 2) for number, variety in enumerate(PAPER_COUNTS)}
    monkeypatch.setattr("model.fruits360.PAPER_COUNTS", counts)
    return counts


def write_paper(counts: dict[str, tuple[int, int]], root: Path, *, name=str) -> Path:
    """As many empty files as the paper had pictures, in folders of these names."""
    for variety, of_variety in counts.items():
        for folder, count in zip(("Training", "Test"), of_variety, strict=True):
            add_frames(root, folder, name(variety), [str(index) for index in range(count)])
    return root


@pytest.mark.parametrize("name", [str, newer], ids=["names of 2020", "newer names"])
def test_describe_recognises_the_papers_subset(small_paper, tmp_path, name):
    text = describe(write_paper(small_paper, tmp_path, name=name))
    assert "This is the paper's subset: 101 / 58." in text
    assert "29 varieties" in text
    assert "missing" not in text


def test_describe_names_what_is_missing_or_other_than_in_the_paper(small_paper, tmp_path):
    absent = ("Pear Stone", "Cherry 1", "Pear Red")
    there = {name: counts for name, counts in small_paper.items() if name not in absent}
    root = write_paper(there, tmp_path)
    add_frames(root, "Training", "Cherry 1", ["0", "1"])
    add_frames(root, "Test", "Apple Rendered", ["7"])
    add_frames(root, "Test", "Banana", ["8"])
    text = describe(root)
    assert "This is not the paper's subset (29 varieties, 101 / 58)" in text
    assert "missing: Pear Stone (3 / 2)" in text
    assert "missing: Pear Red (4 / 2)" in text
    assert "Cherry 1: 2 / 0, the paper's has 4 / 2" in text
    assert "not in the paper's version: Apple Rendered (0 / 1)" in text
    assert "Banana" not in text


def test_describe_counts_what_is_there(rendered_dir, capsys):
    assert main(["describe", "--data", str(rendered_dir)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Pear Rendered Green 14 4".split() in [line.split() for line in lines]
    assert "9 varieties 126 36".split() in [line.split() for line in lines]


def test_the_real_pictures_are_25_varieties_of_the_papers_29(fruits360_dir):
    text = describe(find_root(fruits360_dir))
    assert "25 varieties 12,614 4,214".split() in [line.split() for line in text.splitlines()]
    missing = [line.split(":")[1] for line in text.splitlines() if "missing:" in line]
    names = [" ".join(line.split()[:2]) for line in missing]
    assert names == ["Pear 2", "Pear Forelle", "Pear Red", "Pear Stone"]


# Where they are


def test_the_folder_comes_from_the_flag_or_the_environment(rendered_dir, monkeypatch):
    monkeypatch.setenv("FRUITS360_DIR", str(rendered_dir))
    assert find_root(None) == rendered_dir
    with pytest.raises(DataError):
        find_root("/nowhere")  # the flag counts


def test_without_a_folder_both_ways_to_give_it_are_named(monkeypatch, capsys):
    monkeypatch.delenv("FRUITS360_DIR", raising=False)
    assert main(["describe"]) == 2
    said = capsys.readouterr().err
    assert "--data DIR" in said and "FRUITS360_DIR" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("what", ["empty", "missing", "a file", "one level too deep"])
def test_a_wrong_folder_is_named_with_what_was_expected(tmp_path, rendered_dir, capsys, what):
    given = {
        "empty": tmp_path,
        "missing": tmp_path / "gone",
        "a file": tmp_path / "notes.txt",
        "one level too deep": rendered_dir / "Training",
    }[what]
    if what == "a file":
        given.write_text("notes")
    assert main(["describe", "--data", str(given)]) == 2
    said = capsys.readouterr().err
    assert str(given) in said and "Training/<variety>/<index>_100.jpg" in said
    assert said.count("\n") == 1


def test_files_come_in_turntable_order(tmp_path):
    names = ["r_2", "10", "2", "r2_0", "1", "r_11"]
    add_frames(tmp_path, "Training", "Pear", names)
    files = list_files(tmp_path, "Training")
    assert [f.name.removesuffix("_100.jpg") for f in files] == [
        "1",
        "2",
        "10",
        "r_2",
        "r_11",
        "r2_0",
    ]


# Splits

GUARD = 3  # frames on either side of an arc that neither train nor val may have


@pytest.fixture(scope="module")
def turntables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real variety names and numbers as in the real set, where Test took every fourth frame."""
    root = tmp_path_factory.mktemp("turntables")
    training = [i for i in range(80) if i % 4 != 3]
    for variety in (*HELD_OUT_VARIETIES, "Apple Braeburn", "Cherry Rainier", "Pear", "Banana"):
        names = [f"{axis}{i}" for axis in ("", "r_", "r2_") for i in training]
        add_frames(root, "Training", variety, names)
        add_frames(root, "Test", variety, ["3", "r_7", "r2_11"])
    return root


@pytest.fixture(params=["rendered_dir", "turntables"])
def root(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def test_train_and_val_are_training_without_the_guard_frames(root):
    everything = set(list_files(root, "Training"))
    train, val = split_files(root, "train"), split_files(root, "val")
    assert len(set(train)) == len(train) and len(set(val)) == len(val)
    assert not set(train) & set(val)
    assert set(train) | set(val) <= everything
    sequences = by_sequence(sorted(everything))
    assert len(everything - set(train) - set(val)) <= 2 * GUARD * len(sequences)
    assert 0.05 < len(val) / len(everything) < 0.15


def test_each_turn_of_the_table_gives_one_arc_with_its_guards_to_validation(root):
    train, val = set(split_files(root, "train")), set(split_files(root, "val"))
    sequences = by_sequence(list_files(root, "Training"))
    for sequence in sequences.values():
        in_val = [place for place, file in enumerate(sequence) if file in val]
        in_train = [place for place, file in enumerate(sequence) if file in train]
        assert in_val == list(range(in_val[0], in_val[-1] + 1))
        assert min(abs(v - t) for v in in_val for t in in_train) > GUARD
        left_out = len(sequence) - len(in_val) - len(in_train)
        assert left_out <= 2 * GUARD
    starts = {
        sequence.index(next(f for f in sequence if f in val)) for sequence in sequences.values()
    }
    assert len(starts) > 1  # not the same side of every fruit


def test_each_axis_of_a_fruit_is_a_turn_of_its_own(turntables):
    cut = by_sequence(split_files(turntables, "val"))
    assert {axis for _, axis in cut} == {"", "r", "r2"}
    assert {len(arc) for arc in cut.values()} == {6}


def test_test_is_the_test_folder(root):
    assert split_files(root, "test") == list_files(root, "Test")
    assert all(file.parent.parent.name == "Test" for file in split_files(root, "test"))


def test_whole_varieties_are_held_out(turntables):
    def varieties(split: str) -> set[str]:
        return {file.parent.name for file in split_files(turntables, split)}

    assert varieties("unseen") == set(HELD_OUT_VARIETIES)
    assert (
        varieties("seen") == varieties("seen-val") == {"Apple Braeburn", "Cherry Rainier", "Pear"}
    )
    unseen = set(split_files(turntables, "unseen"))
    assert unseen == {
        file
        for file in list_files(turntables, "Training")
        if file.parent.name in HELD_OUT_VARIETIES
    }


def test_seen_is_train_and_val_without_the_held_out_varieties(turntables):
    for split, whole in (("seen", "train"), ("seen-val", "val")):
        assert split_files(turntables, split) == [
            file
            for file in split_files(turntables, whole)
            if file.parent.name not in HELD_OUT_VARIETIES
        ]


def test_varieties_under_their_newer_names_are_split_alike(turntables, tmp_path):
    renamed = {}
    for folder in (turntables / "Training").iterdir():
        target = tmp_path / "Training" / newer(folder.name)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(folder)
        renamed[target.name] = folder.name
    for split in ("train", "val", "seen", "unseen"):
        files = split_files(tmp_path, split)
        got = {(renamed[file.parent.name], file.name) for file in files}
        assert got == {(f.parent.name, f.name) for f in split_files(turntables, split)}


def test_splits_are_the_same_every_time_and_everywhere(turntables, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(turntables)
    for split in SPLITS:
        here = relative(split_files(turntables, split), turntables)
        assert here == relative(split_files(turntables, split), turntables)
        assert here == relative(split_files(elsewhere, split), elsewhere)


def test_the_arc_depends_on_nothing_but_the_names_and_never_moves(turntables):
    arc = by_sequence(split_files(turntables, "val"))["Apple Braeburn", ""]
    assert [position(file)[1] for file in arc] == [32, 33, 34, 36, 37, 38]


@pytest.mark.parametrize("split", ["validation", "", "Train"])
def test_an_unknown_split_is_answered_with_the_known_ones(rendered_dir, split):
    with pytest.raises(DataError, match=f"no split '{split}'.*train, val, test, whole, seen"):
        load_split(rendered_dir, split)


# Loading


def test_pictures_are_loaded_as_they_are(rendered_dir):
    files = split_files(rendered_dir, "test")
    pictures = read_pictures(files)
    assert pictures.rgb.shape == (36, 100, 100, 3)
    assert pictures.rgb.dtype == np.uint8
    assert pictures.varieties == [file.parent.name for file in files]
    assert pictures.rejected == []
    for index in (0, 17, 35):
        bgr = cv2.imread(str(files[index]))
        assert np.abs(pictures.rgb[index].astype(int) - bgr[..., ::-1]).max() <= 3


def test_varieties_carry_their_names_of_2020(rendered_dir, tmp_path):
    (tmp_path / "Test").mkdir()
    (tmp_path / "Test" / "Pear Abate 1").symlink_to(rendered_dir / "Test" / "Pear Rendered Green")
    assert set(read_pictures(list_files(tmp_path, "Test")).varieties) == {"Pear Abate"}


def test_unusable_pictures_are_named_and_counted_and_the_others_loaded(
    rendered_dir, tmp_path, capsys
):
    variety = tmp_path / "Test" / "Pear Rendered Green"
    variety.mkdir(parents=True)
    good = [f for f in split_files(rendered_dir, "test") if f.parent.name == variety.name]
    for file in good:
        (variety / file.name).write_bytes(file.read_bytes())
    (variety / "900_100.jpg").write_bytes(good[0].read_bytes()[:500])
    (variety / "901_100.jpg").write_text("no picture")
    (variety / "902_100.jpg").touch()
    cv2.imwrite(str(variety / "903_100.jpg"), np.zeros((100, 80, 3), np.uint8))

    pictures = read_pictures(list_files(tmp_path, "Test"))
    np.testing.assert_array_equal(pictures.rgb, read_pictures(good).rgb)
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "4 of 8 pictures left out."
    assert len(pictures.rejected) == 4 == len(said) - 1
    for number, reason in (
        (900, "damaged"),
        (901, "not an image"),
        (902, "empty"),
        (903, "80x100"),
    ):
        (line,) = [line for line in said if f"{number}_100.jpg" in line]
        assert "Test/Pear Rendered Green" in line and reason in line


def test_pictures_of_which_none_is_usable_are_an_error(tmp_path):
    add_frames(tmp_path, "Training", "Apple Red 1", ["0", "1"])
    with pytest.raises(DataError, match="Not one usable picture"):
        load_split(tmp_path, "unseen" if "Apple Red 1" in HELD_OUT_VARIETIES else "val")


def test_a_folder_without_fruit_of_the_paper_is_an_error(tmp_path):
    add_frames(tmp_path, "Training", "Banana", ["0", "1"])
    with pytest.raises(DataError, match="Not one usable picture"):
        load_split(tmp_path, "train")


# Download


class ArchiveServer:
    """A web server of one archive. `behaviour` says what it does with the next requests."""

    def __init__(self, archive: bytes) -> None:
        self.archive, self.behaviour, self.requests = archive, "serve", 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                if outer.behaviour == "404":
                    self.send_error(404)
                    return
                body = b"<html>no zip</html>" if outer.behaviour == "page" else outer.archive
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if outer.behaviour == "break" else body)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/master.zip"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return buffer.getvalue()


PICTURE = np.random.default_rng(0).bytes(3000)
TOP = "Fruit-Images-Dataset-master"
MEMBERS = {
    f"{TOP}/readme.md": b"Fruits-360",
    f"{TOP}/Training/Apple Red 1/0_100.jpg": PICTURE,
    f"{TOP}/Training/Apple Red 1/r_12_100.jpg": PICTURE,
    f"{TOP}/Training/Pear/4_100.jpg": PICTURE,
    f"{TOP}/Training/Banana/0_100.jpg": PICTURE,
    f"{TOP}/Training/Pineapple/0_100.jpg": PICTURE,
    f"{TOP}/Training/Apple Red 1/notes.txt": b"no picture",
    f"{TOP}/Test/Cherry 1/3_100.jpg": PICTURE,
    f"{TOP}/Test/Cherry 1/": b"",
    f"{TOP}/test-multiple_fruits/Apple/0_100.jpg": PICTURE,
    f"{TOP}/Training/../0_100.jpg": PICTURE,
    f"{TOP}/Training/../../Apple escaped/0_100.jpg": PICTURE,
    "../../Training/Apple Above/0_100.jpg": PICTURE,
    "/Training/Apple Absolute/0_100.jpg": PICTURE,
}


@pytest.fixture
def archive_server(monkeypatch) -> Iterator[ArchiveServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = ArchiveServer(zipped(MEMBERS))
    yield served
    served.server.shutdown()
    served.server.server_close()


def pictures_below(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*_100.jpg")}


def run_download(to: Path, server: ArchiveServer, capsys) -> str:
    """The sentence that a failing download prints."""
    assert main(["download", "--to", str(to), "--url", server.url]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (sentence,) = [line for line in said.splitlines() if line.startswith("model.fruits360:")]
    assert said.endswith(sentence + "\n")
    return sentence


def test_the_archive_is_fetched_unpacked_and_described(archive_server, tmp_path, capsys):
    to = tmp_path / "a" / "b"
    assert main(["download", "--to", str(to), "--url", archive_server.url]) == 0
    printed = capsys.readouterr().out
    assert LICENCE in printed
    assert "Pear 1 0".split() in [line.split() for line in printed.splitlines()]
    assert "Banana" not in printed
    assert pictures_below(to) >= {
        "Training/Apple Red 1/0_100.jpg",
        "Training/Apple Red 1/r_12_100.jpg",
        "Training/Pear/4_100.jpg",
        "Test/Cherry 1/3_100.jpg",
    }
    assert (to / "Training/Pear/4_100.jpg").read_bytes() == PICTURE


def test_nothing_but_the_papers_fruit_is_unpacked_and_nothing_beside_the_folder(
    archive_server, tmp_path
):
    to = tmp_path / "a" / "b"
    download(to, url=archive_server.url)
    folders = {Path(name).parts[0] for name in pictures_below(to)}
    assert folders <= {"Training", "Test"}
    assert all(is_in_paper(Path(name).parts[1]) for name in pictures_below(to))
    assert {f"a/b/{name}" for name in pictures_below(to)} == pictures_below(tmp_path)
    assert not list(to.rglob("notes.txt"))


def test_a_second_download_fetches_nothing(archive_server, tmp_path):
    download(tmp_path, url=archive_server.url)
    (tmp_path / "Training/Pear/4_100.jpg").unlink()
    download(tmp_path, url=archive_server.url)
    assert archive_server.requests == 1
    assert (tmp_path / "Training/Pear/4_100.jpg").exists()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("break", "cannot be fetched"),
        ("404", "404"),
        ("page", "no complete zip archive"),
    ],
)
def test_a_failed_download_says_so_and_the_next_one_works(
    archive_server, tmp_path, capsys, behaviour, words
):
    archive_server.behaviour = behaviour
    sentence = run_download(tmp_path, archive_server, capsys)
    assert words in sentence and archive_server.url in sentence
    archive_server.behaviour = "serve"
    assert find_root(download(tmp_path, url=archive_server.url)) == tmp_path


def damaged(archive: bytes, place: int) -> bytes:
    return (
        archive[:place]
        + bytes(byte ^ 0xFF for byte in archive[place : place + 4])
        + archive[place + 4 :]
    )


@pytest.mark.parametrize("offset", [0, 2000], ids=["stream", "content"])
def test_an_archive_damaged_inside_is_refused_and_fetched_again(
    archive_server, tmp_path, capsys, offset
):
    whole = archive_server.archive
    name = f"{TOP}/Training/Pear/4_100.jpg".encode()
    archive_server.archive = damaged(whole, whole.index(name) + len(name) + offset)
    assert "no complete zip archive" in run_download(tmp_path, archive_server, capsys)
    archive_server.archive = whole
    download(tmp_path, url=archive_server.url)
    assert (tmp_path / "Training/Pear/4_100.jpg").read_bytes() == PICTURE


def test_an_archive_of_something_else_is_refused_and_the_right_one_fetched_next(
    archive_server, tmp_path, capsys
):
    right, archive_server.archive = archive_server.archive, zipped({"cats/1.jpg": b"cat"})
    assert "no Fruits-360 pictures" in run_download(tmp_path, archive_server, capsys)
    archive_server.archive = right
    assert download(tmp_path, url=archive_server.url) == tmp_path


def test_a_server_that_is_not_there_is_named(archive_server, tmp_path, capsys):
    archive_server.server.server_close()
    assert "cannot be fetched" in run_download(tmp_path, archive_server, capsys)


def test_a_file_in_the_way_of_the_folder_is_named(archive_server, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert "taken" in run_download(tmp_path / "taken", archive_server, capsys)


def test_a_file_in_the_way_of_the_pictures_is_named(archive_server, tmp_path, capsys):
    (tmp_path / "Training").write_text("a file")
    assert "Training" in run_download(tmp_path, archive_server, capsys)


def test_the_default_is_the_public_archive():
    assert ARCHIVE_URL.startswith("https://github.com/Horea94/")
