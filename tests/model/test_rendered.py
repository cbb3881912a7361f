"""What a user would notice about the drawn fruit."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from model.data.rendered import FRAMES, VARIETIES, render, write_dataset
from model.rendered import main
from tests.support.server import ROOT

each_variety = pytest.mark.parametrize("variety", VARIETIES)
each_kind = pytest.mark.parametrize("variety", [*VARIETIES][::4])


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference of two pictures, 0..255."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean())


def fruit_colour(variety: str) -> np.ndarray:
    """Mean colour of the lower middle of the picture, where every fruit has skin, from two
    sides."""
    pictures = [render(variety, frame=frame) for frame in range(0, FRAMES, 60)]
    return np.mean([picture[50:85, 35:65] for picture in pictures], axis=(0, 1, 2))


def test_there_are_three_of_each_kind_and_their_names_say_that_they_are_rendered():
    kinds = [name.split()[:2] for name in VARIETIES]
    for kind in ("Apple", "Cherry", "Pear"):
        assert kinds.count([kind, "Rendered"]) == 3
    assert len(kinds) == 9


@pytest.mark.parametrize("size", [1, 7, 256])
def test_any_size_gives_a_square_rgb_picture_of_a_fruit(size):
    picture = render("Pear Rendered Green", size=size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture[int(0.65 * size), size // 2].min() < 240


@each_variety
def test_the_fruit_fills_the_frame_and_the_background_is_pure_white(variety):
    seed = [*VARIETIES].index(variety)
    picture = render(variety, seed=seed, frame=31 * seed)
    for corner in (picture[:3, :3], picture[:3, -3:], picture[-3:, :3], picture[-3:, -3:]):
        assert (corner == 255).all()
    rows, columns = np.nonzero((picture < 250).any(axis=2))
    spans = [np.ptp(rows) + 1, np.ptp(columns) + 1]
    assert 94 <= max(spans) <= 99
    assert rows.min() + rows.max() == pytest.approx(99, abs=3)
    assert columns.min() + columns.max() == pytest.approx(99, abs=3)


@each_variety
def test_the_fruit_has_no_holes(variety):
    seed = [*VARIETIES].index(variety)
    picture = render(variety, seed=seed, frame=17 * seed, size=200)
    white = (picture == 255).all(axis=2).astype(np.uint8)
    regions, labels, sizes, _ = cv2.connectedComponentsWithStats(white, connectivity=8)
    touches_edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    holes = [sizes[i, cv2.CC_STAT_AREA] for i in range(1, regions) if i not in touches_edge]
    assert sum(holes) == 0


@each_kind
def test_the_table_turns_in_small_steps_and_comes_round(variety):
    start = render(variety, frame=0)
    step = difference(start, render(variety, frame=1))
    assert 0 < step < 4
    assert difference(start, render(variety, frame=FRAMES // 2)) > 2 * step
    np.testing.assert_array_equal(start, render(variety, frame=FRAMES))


@each_kind
def test_each_seed_is_another_fruit(variety):
    assert difference(render(variety, seed=0), render(variety, seed=1)) > 2


@each_kind
def test_a_large_picture_shows_the_same_fruit(variety):
    large = render(variety, frame=9, seed=1, size=400)
    shrunk = cv2.resize(large, (100, 100), interpolation=cv2.INTER_AREA)
    assert difference(shrunk, render(variety, frame=9, seed=1)) < 1


def test_colours_are_those_of_the_names():
    red, green, mixed = (
        fruit_colour(f"Apple Rendered {name}") for name in ("Red", "Green", "Red Yellow")
    )
    assert red[0] > 1.8 * red[1] and red[0] > 1.8 * red[2]
    assert green[1] > green[0] > green[2]
    assert red[0] - red[1] > mixed[0] - mixed[1] > green[0] - green[1]
    dark, cherry, yellow = (
        fruit_colour(f"Cherry Rendered {name}") for name in ("Dark", "Red", "Yellow")
    )
    assert dark.sum() < 0.6 * cherry.sum() < 0.6 * yellow.sum()
    assert dark[0] > dark[1] and cherry[0] > 2 * cherry[1] and yellow[1] > 2 * cherry[1]
    pears = {name: fruit_colour(f"Pear Rendered {name}") for name in ("Green", "Yellow", "Blushed")}
    redness = {name: pear[0] / pear[1] for name, pear in pears.items()}
    assert redness["Green"] < redness["Yellow"] < redness["Blushed"]
    assert all(pear[2] < 0.7 * pear[1] for name, pear in pears.items() if name != "Blushed")


def test_an_unknown_variety_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'Banana'.*Apple Rendered Red.*Pear Rendered Yellow"):
        render("Banana")


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_below_one_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}"):
        render("Apple Rendered Red", size=size)


def test_the_data_set_is_laid_out_as_fruits_360(tmp_path, monkeypatch):
    white = np.full((20, 20, 3), 255, np.uint8)
    monkeypatch.setattr("model.data.rendered.render", lambda *_, **options: white)
    write_dataset(tmp_path, train_frames=5, test_frames=2, size=20)
    for variety in VARIETIES:
        train, test = (
            {
                int(path.name.removesuffix("_100.jpg"))
                for path in (tmp_path / half / variety).iterdir()
            }
            for half in ("Training", "Test")
        )
        assert (len(train), len(test)) == (5, 2)
        assert train | test == set(range(7))
        assert any(min(train) < index < max(train) for index in test)
    picture = cv2.imread(str(tmp_path / "Test" / variety / f"{min(test)}_100.jpg"))
    np.testing.assert_array_equal(picture, white)


def test_frames_beyond_a_turn_show_another_fruit(tmp_path, monkeypatch):
    drawn = []
    white = np.full((1, 1, 3), 255, np.uint8)
    monkeypatch.setattr(
        "model.data.rendered.render",
        lambda variety, *, frame, seed, size: drawn.append((variety, frame, seed)) or white,
    )
    write_dataset(tmp_path, train_frames=FRAMES, test_frames=30)
    assert len(set(drawn)) == len(drawn) == 9 * (FRAMES + 30)
    assert {seed for _, _, seed in drawn} == {0, 1}


@pytest.mark.parametrize("train, test", [(0, 0), (-1, 2), (3, -1)])
def test_impossible_counts_are_refused(tmp_path, train, test):
    with pytest.raises(ValueError, match="cannot write"):
        write_dataset(tmp_path, train_frames=train, test_frames=test)


def test_the_command_refuses_a_data_set_without_pictures(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--to", str(tmp_path), "--train-frames", "0", "--test-frames", "0"])
    assert "cannot write 0 training and 0 test frames" in capsys.readouterr().err


@pytest.mark.process
def test_the_command_draws_the_same_pictures_in_every_process(tmp_path):
    frames = ["--train-frames", "1", "--test-frames", "0"]
    assert main(["--to", str(tmp_path / "here"), *frames]) == 0
    command = [sys.executable, "-m", "model.rendered", "--to", str(tmp_path / "there"), *frames]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    here, there = (
        {file.relative_to(root): file.read_bytes() for file in root.rglob("*.jpg")}
        for root in (tmp_path / "here", tmp_path / "there")
    )
    assert here == there and len(here) == 9


def test_the_sheet_shows_every_variety(tmp_path, monkeypatch):
    white = np.full((10, 10, 3), 255, np.uint8)
    monkeypatch.setattr("model.data.rendered.render", lambda *_, **options: white)
    assert main(["--sheet", str(tmp_path / "sheet.png")]) == 0
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (90, 90, 3)
