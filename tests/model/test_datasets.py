"""Which further pictures are trained on, chosen by and reported on, and what is said about folders
that cannot be used."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data import collections as datasets
from model.data import fruits360
from model.data.collections import (
    SPLITS,
    TEST_VARIETIES,
    VALIDATION_VARIETIES,
    VARIABLES,
    Photos,
    load_general,
    load_more,
    load_photos,
    load_split,
)
from model.data.fruits360 import DataError, Pictures
from model.photos import shrunk
from model.training.recipes import RECIPES
from model.training.sources import load_samples, load_validation


@pytest.fixture(autouse=True)
def no_folder_from_outside(monkeypatch) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The photos read from now on, in turn."""
    files: list[Path] = []
    monkeypatch.setattr(
        datasets, "read_photo", lambda file: (files.append(file), np.zeros((2, 2, 3)))[1]
    )
    return files


@pytest.fixture(scope="module")
def folders(
    rendered_dir: Path, more_dir: Path, photos_dir: Path, general_dir: Path
) -> dict[str, Path]:
    return {
        "data": rendered_dir,
        "more": more_dir,
        "photos": photos_dir,
        "general": general_dir,
    }


def refusal(load, *given) -> str:
    with pytest.raises(DataError) as caught:
        load(*given)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


# Which picture is in which split


def test_varieties_to_choose_by_or_to_report_on_are_never_trained_on(more_dir):
    varieties = {
        part: set(load_more(more_dir, part).varieties) for part in ("train", "val", "test")
    }
    assert varieties == {
        "train": {"Apple 5", "Cherry 4"},
        "val": {"Apple 9", "Cherry 5"},
        "test": {"Apple 7", "Cherry Sour 1"},
    }
    assert varieties["val"] <= set(VALIDATION_VARIETIES)
    assert varieties["test"] <= set(TEST_VARIETIES)


def test_no_variety_is_held_out_for_two_things():
    assert not set(VALIDATION_VARIETIES) & set(TEST_VARIETIES)


def test_no_picture_of_a_further_variety_is_lost(more_dir):
    counts = [len(load_more(more_dir, part).rgb) for part in ("train", "val", "test")]
    assert counts == [28, 28, 28]


def test_every_photo_is_in_one_split(photos_dir, read):
    parts = {}
    for part in ("train", "val", "test", "plates"):
        read.clear()
        load_photos(photos_dir, part)
        parts[part] = set(read)
        assert len(read) == len(parts[part])
    assert sum(map(len, parts.values())) == len(set.union(*parts.values()))
    assert set.union(*parts.values()) == set(photos_dir.rglob("*.jpg"))
    assert parts["test"] == set(photos_dir.glob("grocery/val/*/*.jpg"))
    assert parts["plates"] == set(photos_dir.glob("plates/*.jpg"))
    assert set(photos_dir.glob("orchard-*/*.jpg")) < parts["train"]
    assert 0 < len(parts["val"]) < len(parts["train"])


def test_every_ordinary_photo_is_in_one_split_and_kodak_only_reported_on(general_dir, read):
    parts = {}
    for part in ("train", "val", "test"):
        read.clear()
        load_general(general_dir, part)
        parts[part] = {str(file.relative_to(general_dir).parent) for file in read}
    sources = ("london_faces", "cid22", "flower_photos")
    assert parts == {
        "train": {f"train/{source}" for source in sources},
        "val": {f"val/{source}" for source in sources},
        "test": {"val/kodak"},
    }


def test_photos_to_choose_by_are_the_same_wherever_the_folder_lies(photos_dir, tmp_path, read):
    load_photos(photos_dir, "val")
    here = [file.relative_to(photos_dir) for file in read]
    shutil.copytree(photos_dir, tmp_path / "elsewhere")
    read.clear()
    load_photos(tmp_path / "elsewhere", "val")
    assert here == [file.relative_to(tmp_path / "elsewhere") for file in read]


def test_about_one_photo_in_ten_is_to_choose_by(tmp_path, read):
    folder = tmp_path / "grocery" / "train" / "Kiwi"
    folder.mkdir(parents=True)
    for number in range(1000):
        (folder / f"Kiwi_{number:03}.jpg").touch()
    load_photos(tmp_path, "val")
    assert 70 < len(read) < 130


@pytest.mark.parametrize(
    ("split", "pictures", "kinds"),
    [
        ("test", 36, {"Apple Rendered Red", "Pear Rendered Green"}),
        ("more-val", 28, {"Apple 9", "Cherry 5"}),
        ("photos-train", 24, {"Apple", "Pear", "orchard-apple"}),
        ("photos-test", 6, {"Apple", "Pear"}),
        ("photos-plates", 4, {"plates"}),
        ("general-val", 12, {"london_faces", "cid22", "flower_photos"}),
        ("general-test", 2, {"kodak"}),
    ],
)
def test_a_split_of_any_collection_is_found(folders, split, pictures, kinds):
    loaded = load_split(split, **folders)
    assert isinstance(loaded, Photos if split.startswith(("photos", "general")) else Pictures)
    names = loaded.kinds if isinstance(loaded, Photos) else loaded.varieties
    assert len(loaded.rgb) == len(names) == pictures
    assert set(names) >= kinds


def test_an_unknown_split_is_named(rendered_dir, more_dir):
    loading = {"data": rendered_dir, "more": more_dir}
    assert "'more-trian'" in refusal(lambda: load_split("more-trian", **loading))


def test_the_folders_may_come_from_the_environment(folders, monkeypatch):
    for name, folder in folders.items():
        monkeypatch.setenv(VARIABLES[name], str(folder))
    assert len(load_split("more-train").rgb) == 28
    assert len(load_split("photos-val").rgb) == 4
    assert len(load_split("general-test").rgb) == 2


# Sizes


def test_photos_are_256_pixels_wide_or_high_and_keep_their_shape(photos_dir):
    shapes = {rgb.shape for rgb in load_photos(photos_dir, "train").rgb}
    assert shapes == {(171, 256, 3), (256, 171, 3)}


def test_photos_are_never_enlarged(photos_dir):
    shapes = {rgb.shape for rgb in load_photos(photos_dir, "train", side=320).rgb}
    assert shapes == {(200, 300, 3), (300, 200, 3)}


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(300, 100, (30, 10)), (100, 300, (10, 30)), (1, 900, (1, 30)), (30, 4, (30, 4))],
)
def test_the_longer_side_is_what_was_asked_for(height, width, expected):
    assert shrunk(np.zeros((height, width, 3), np.uint8), 30).shape == (*expected, 3)


def test_shrinking_averages():
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (shrunk(stripes, 4) == 100).all()


# What is given to training


def test_samples_come_from_all_collections(folders, rendered_dir):
    shares = {"classic": 0.2, "more": 0.3, "photos": 0.2, "plates": 0.3}
    recipe = replace(
        RECIPES["colornet"], canvas=64, backgrounds=0.25, balanced=False, shares=shares
    )
    samples = load_samples("train", 7, recipe, **folders)
    assert (samples.seed, samples.canvas, samples.backgrounds) == (7, 64, 0.25)
    assert (samples.balanced, samples.shares) == (False, shares)
    counts = {name: sum(map(len, groups)) for name, groups in samples.sources.items()}
    fruit = {"classic": 63, "more": 28, "photos": 24, "plates": 4}
    assert counts == fruit | {"people": 4, "scenes": 4, "things": 4}
    varieties = set(fruits360.load_split(rendered_dir, "train").varieties)
    assert len(samples.sources["classic"]) == len(varieties)
    for name in ("photos", "people", "scenes", "things"):
        assert max(max(p.shape) for group in samples.sources[name] for p in group) == 300
    white = samples.sources["classic"][0][0][0, 0]
    np.testing.assert_allclose(white.astype(int), (255, 128, 128), atol=2)  # 8-bit Lab


def test_validation_is_of_all_collections(folders):
    sets = load_validation("train", **folders)
    assert {name: len(pictures) for name, pictures in sets.items()} == {
        "classic": 3,
        "more": 7,
        "photos": 4,
        "general": 12,
    }
    for pictures in sets.values():
        assert all(len(lab) == 3 and lab.dtype == np.uint8 for lab in pictures)


def test_whole_leaves_photos_alone_to_choose_by(folders):
    samples = load_samples("whole", 7, RECIPES["colornet"], **folders)
    counts = {name: sum(map(len, groups)) for name, groups in samples.sources.items()}
    training, chosen_by = (load_more(folders["more"], part) for part in ("train", "val"))
    assert counts["classic"] == len(fruits360.load_split(folders["data"], "whole").rgb)
    assert counts["more"] == len(training.rgb) + len(chosen_by.rgb) > len(training.rgb)
    assert counts["photos"] == 24 and counts["people"] == 4
    sets = load_validation("whole", **folders)
    assert {name: len(pictures) for name, pictures in sets.items()} == {"photos": 4, "general": 12}


# Folders that cannot be used


@pytest.mark.parametrize(
    ("load", "flag", "variable"),
    [
        (load_more, "--more", "FRUITS360_MORE_DIR"),
        (load_photos, "--photos", "FRUIT_PHOTOS_DIR"),
        (load_general, "--general", "GENERAL_PHOTOS_DIR"),
    ],
)
def test_without_a_folder_the_flag_and_the_variable_are_named(load, flag, variable):
    sentence = refusal(load, None, "train")
    assert flag in sentence and variable in sentence


@pytest.mark.parametrize(
    ("load", "flag"),
    [(load_more, "--more"), (load_photos, "--photos"), (load_general, "--general")],
)
def test_a_folder_that_is_not_there_is_named(load, flag, tmp_path):
    sentence = refusal(load, tmp_path / "gone", "train")
    assert str(tmp_path / "gone") in sentence and flag in sentence


@pytest.mark.parametrize("split", SPLITS)
def test_an_empty_folder_is_told_with_the_layout_expected(split, tmp_path):
    sentence = refusal(lambda: load_split(split, more=tmp_path, photos=tmp_path, general=tmp_path))
    assert str(tmp_path) in sentence and split in sentence and "expected DIR/" in sentence


def test_varieties_to_report_on_alone_give_nothing_to_train_on(more_dir, tmp_path):
    (tmp_path / "Apple 7").symlink_to(more_dir / "Apple 7")
    assert "more-train" in refusal(load_more, tmp_path, "train")


def test_a_photo_that_cannot_be_read_is_named_and_left_out(photos_dir, tmp_path, capsys):
    root = Path(shutil.copytree(photos_dir, tmp_path / "photos"))
    damaged = root / "grocery" / "val" / "Pear" / "Pear_001.jpg"
    damaged.write_bytes(damaged.read_bytes()[:100])
    loaded = load_photos(root, "test")
    assert len(loaded.rgb) == len(loaded.kinds) == 5
    assert loaded.kinds.count("Pear") == 2
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(told) == 1 and "Pear_001.jpg" in told[0]


def test_photos_of_which_none_can_be_read_are_refused(tmp_path, capsys):
    folder = tmp_path / "grocery" / "val" / "Pear"
    folder.mkdir(parents=True)
    (folder / "Pear_000.jpg").write_text("no photo")
    assert str(tmp_path) in refusal(load_photos, tmp_path, "test")


def test_pictures_of_another_size_are_named_and_left_out(more_dir, tmp_path, capsys):
    root = tmp_path / "more"
    (root / "Apple 5").mkdir(parents=True)
    for file in sorted((more_dir / "Apple 5").iterdir())[:3]:
        shutil.copy(file, root / "Apple 5")
    Image.new("RGB", (64, 64)).save(root / "Apple 5" / "99_100.jpg")
    assert len(load_more(root, "train").rgb) == 3
    assert "64x64" in capsys.readouterr().err
