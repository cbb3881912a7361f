"""The figures for weights: right for perfect colours, and the same from every way to them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from model.color import rgb_to_lab
from model.colorizer.pipeline import Colorizer
from model.data import fruits360
from model.data.collections import Photos, load_photos
from model.evaluate import machine_rater
from model.evaluate.__main__ import main
from model.evaluate.figures import evaluate
from model.networks.files import load_network
from model.training.sources import to_lab
from model.training.validation import evaluation_loss
from tests.support.known import Known, grey, true_colors

FIGURES = {"of_grey", "ciede2000_mean", "ciede2000_median", "colorfulness_ratio"}


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("paper")


@pytest.fixture(scope="module")
def pictures(rendered_dir: Path) -> fruits360.Pictures:
    """One test picture of each rendered variety."""
    files = fruits360.split_files(rendered_dir, "test")
    return fruits360.read_pictures(list({file.parent.name: file for file in files}.values()))


@pytest.fixture(scope="module")
def photos(photos_dir: Path) -> Photos:
    """One lying and one standing photo, of two kinds."""
    loaded = load_photos(photos_dir, "test")
    chosen = {rgb.shape: rgb for rgb in loaded.rgb}
    assert len(chosen) == 2
    return Photos(list(chosen.values()), ["Apple", "Pear"])


@pytest.mark.parametrize("given", ["pictures", "photos"])
def test_true_colours_are_hardly_different_and_as_colourful(request, given):
    figures = evaluate(Known(true_colors), request.getfixturevalue(given))
    for group in (figures, *figures["kinds"].values()):
        assert group["ciede2000_mean"] < 0.5 and group["ciede2000_median"] < 0.5
        assert group["colorfulness_ratio"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("given", ["pictures", "photos"])
def test_grey_is_plainly_different_and_not_colourful(request, given):
    figures = evaluate(Known(grey), request.getfixturevalue(given))
    assert figures["of_grey"] == pytest.approx(1)
    assert figures["ciede2000_mean"] > 8
    assert figures["colorfulness_ratio"] < 0.05


def test_the_loss_is_that_of_training(colorizer, pictures):
    figures = evaluate(colorizer, pictures)
    expected = evaluation_loss(colorizer.network, to_lab(pictures.rgb))
    assert figures["ab_mse"] == pytest.approx(expected, rel=0.02)  # its Lab has 8 bits
    assert figures["pictures"] == len(pictures.rgb)


def test_figures_are_of_each_kind_and_of_all(colorizer, pictures):
    """Those of a kind are those of its pictures alone; those of all lie among them."""
    figures = evaluate(colorizer, pictures)
    assert set(figures["kinds"]) == {"apple", "cherry", "pear"}
    chosen = [n for n, v in enumerate(pictures.varieties) if v.startswith("Cherry")]
    cherries = fruits360.Pictures(pictures.rgb[chosen], [pictures.varieties[n] for n in chosen], [])
    alone = evaluate(colorizer, cherries)
    assert figures["kinds"]["cherry"] == {name: alone[name] for name in FIGURES}
    for name in FIGURES - {"colorfulness_ratio"}:
        of_kinds = [kind[name] for kind in figures["kinds"].values()]
        assert min(of_kinds) <= figures[name] <= max(of_kinds)


def test_the_loss_of_photos_is_the_mean_of_their_losses(photos):
    """However large each is."""
    each = [np.mean(np.square(rgb_to_lab(rgb)[..., 1:] / 127.5)) for rgb in photos.rgb]
    assert evaluate(Known(grey), photos)["ab_mse"] == pytest.approx(np.mean(each), rel=0.01)
    assert evaluate(Known(true_colors), photos)["ab_mse"] == 0


def test_only_what_is_in_colour_on_a_photo_counts(photos):
    """A grey wall beside it changes nothing."""
    walled = [np.concatenate([rgb, np.full_like(rgb, 150)], axis=1) for rgb in photos.rgb]
    before = evaluate(Known(grey), photos)
    after = evaluate(Known(grey), Photos(walled, photos.kinds))
    for name in FIGURES:
        assert after[name] == pytest.approx(before[name], abs=0.02)


def test_grey_pictures_are_measured_too(pictures):
    gray = np.repeat(pictures.rgb[:1, ..., 1:2], 3, axis=3)
    figures = evaluate(Known(grey), fruits360.Pictures(gray, pictures.varieties[:1], []))
    assert figures["ciede2000_mean"] >= 0 and figures["colorfulness_ratio"] is None


# The command


def test_table_and_json_show_the_same_figures(two_varieties, capsys):
    flags = ["--data", str(two_varieties), "--split", "val", "--weights", "paper"]
    assert main([*flags, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert set(figures) == {"weights", "split", "pictures", "ab_mse", "kinds"} | FIGURES
    assert (figures["weights"], figures["split"], figures["pictures"]) == ("paper", "val", 2)
    for group in (figures, *figures["kinds"].values()):
        assert all(math.isfinite(group[name]) and group[name] >= 0 for name in FIGURES)
    assert 0 < figures["ab_mse"] < 1

    assert main(flags) == 0
    table = capsys.readouterr().out
    assert "paper on val, 2 pictures" in table
    assert f"(the paper's loss): {figures['ab_mse']:.5f}" in table
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line}
    for name, group in {"all": figures, **figures["kinds"]}.items():
        assert sorted(rows[name]) == sorted(f"{group[figure]:.2f}" for figure in FIGURES)


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--split", "tset", "'tset'"),
        ("--weights", "nothing", "'nothing'"),
        ("--data", "/nowhere/at/all", "/nowhere/at/all"),
        ("--split", "unseen", "Not one usable picture"),
        ("--photo-chroma", "nan", "0 to 2"),
    ],
)
def test_an_error_is_one_sentence(two_varieties, capsys, flag, value, told):
    assert main(["--data", str(two_varieties), flag, value]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("model.evaluate: ") and printed.err.count("\n") == 1
    assert told in printed.err


def test_real_pictures_are_measured_as_in_training(fruits360_dir, colorizer):
    """The first frame of every variety."""
    files = fruits360.split_files(fruits360.find_root(fruits360_dir), "test")
    first = {file.parent.name: file for file in reversed(files)}
    pictures = fruits360.read_pictures(list(first.values()))
    figures = evaluate(colorizer, pictures)
    assert figures["pictures"] == len(first) == 25
    expected = evaluation_loss(load_network("paper"), to_lab(pictures.rgb))
    assert figures["ab_mse"] == pytest.approx(expected, rel=0.02)
    assert figures["ab_mse"] < 0.03  # no network at all, grey, has about 0.04
    assert set(figures["kinds"]) == {"apple", "cherry", "pear", "tomato"}


def test_the_machine_rater_is_asked_on_the_command_line(
    two_varieties, photos_dir, general_dir, capsys, monkeypatch
):
    monkeypatch.setattr(machine_rater, "SEEDS", 1)
    given = ["--weights", "paper", "--machine-rater"]
    assert main([*given, "--data", str(two_varieties), "--split", "val"]) == 0
    assert "classifier two-sample test: accuracy " in capsys.readouterr().out
    for name, folder in (("photos", photos_dir), ("general", general_dir)):
        assert main([*given, f"--{name}", str(folder), "--split", f"{name}-val"]) == 2
        assert "pictures of one size" in capsys.readouterr().err
