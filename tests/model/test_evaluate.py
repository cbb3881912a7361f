"""The figures for weights: right for perfect colours, and the same from every way to them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from model.color import rgb_to_lab
from model.colorizer.pipeline import Colorizer
from model.data import fruits360
from model.data.collections import Photos, load_photos
from model.evaluate.__main__ import main
from model.evaluate.figures import evaluate
from model.networks.files import load_network
from model.networks.paper import PaperNet
from model.training.sources import to_lab
from model.training.validation import evaluation_loss

FIGURES = {"ciede2000_mean", "ciede2000_median", "colorfulness_ratio"}


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("paper")


@pytest.fixture(scope="module")
def pictures(rendered_dir: Path) -> fruits360.Pictures:
    """One test picture of each rendered variety."""
    return fruits360.load(fruits360.split_files(rendered_dir, "test")[::4])


@pytest.fixture(scope="module")
def photos(photos_dir: Path) -> Photos:
    return load_photos(photos_dir, "test")


class TrueColours(Colorizer):
    """Knows the colours that it is asked for."""

    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        return rgb_to_lab(rgb)[..., 1:]


class AllGrey(Colorizer):
    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        return np.zeros((1, 1, 2), np.float32)


def test_true_colours_are_hardly_different_and_as_colourful(colorizer, pictures):
    figures = evaluate(TrueColours(colorizer.network, colorizer.path), pictures)
    for group in (figures, *figures["kinds"].values()):
        assert group["ciede2000_mean"] < 0.5 and group["ciede2000_median"] < 0.5
        assert group["colorfulness_ratio"] == pytest.approx(1, abs=0.01)


def test_grey_is_plainly_different_and_not_colourful(colorizer, pictures):
    figures = evaluate(AllGrey(colorizer.network, colorizer.path), pictures)
    assert figures["ciede2000_mean"] > 10
    assert figures["colorfulness_ratio"] < 0.05


def test_a_network_that_paints_grey_measures_as_grey(colorizer, pictures):
    network = PaperNet().eval()
    nn.init.zeros_(network.layers[-2].weight)
    figures = evaluate(Colorizer(network, colorizer.path), pictures)
    grey = evaluate(AllGrey(network, colorizer.path), pictures)
    assert figures["ciede2000_mean"] == pytest.approx(grey["ciede2000_mean"], abs=1)


def test_the_loss_is_that_of_training(colorizer, pictures):
    figures = evaluate(colorizer, pictures)
    expected = evaluation_loss(colorizer.network, to_lab(pictures.rgb))
    assert figures["ab_mse"] == pytest.approx(expected, rel=0.02)  # its Lab has 8 bits
    assert figures["pictures"] == 9


def test_the_figures_of_a_kind_are_those_of_its_pictures_alone(colorizer, pictures):
    whole = evaluate(colorizer, pictures)
    assert set(whole["kinds"]) == {"apple", "cherry", "pear"}
    chosen = [n for n, v in enumerate(pictures.varieties) if v.startswith("Cherry")]
    cherries = fruits360.Pictures(pictures.rgb[chosen], [pictures.varieties[n] for n in chosen], [])
    alone = evaluate(colorizer, cherries)
    assert whole["kinds"]["cherry"] == alone["kinds"]["cherry"]
    assert whole["kinds"]["cherry"] == {name: alone[name] for name in FIGURES}


def test_the_median_and_mean_of_all_lie_among_those_of_the_kinds(colorizer, pictures):
    figures = evaluate(colorizer, pictures)
    for name in FIGURES - {"colorfulness_ratio"}:
        of_kinds = [kind[name] for kind in figures["kinds"].values()]
        assert min(of_kinds) <= figures[name] <= max(of_kinds)


# Photos: of any shape, with other things than fruit on them


def test_true_colours_of_photos_are_hardly_different_and_as_colourful(colorizer, photos):
    figures = evaluate(TrueColours(colorizer.network, colorizer.path), photos)
    assert figures["pictures"] == 6
    assert set(figures["kinds"]) == {"Apple", "Pear"}
    for group in (figures, *figures["kinds"].values()):
        assert group["ciede2000_mean"] < 0.5 and group["ciede2000_median"] < 0.5
        assert group["colorfulness_ratio"] == pytest.approx(1, abs=0.01)


def test_grey_photos_are_plainly_different(colorizer, photos):
    figures = evaluate(AllGrey(colorizer.network, colorizer.path), photos)
    assert figures["ciede2000_mean"] > 8
    assert figures["colorfulness_ratio"] < 0.05


def test_the_loss_of_photos_is_the_mean_of_their_losses(colorizer, photos):
    """However large each is."""
    assert len({rgb.shape for rgb in photos.rgb}) > 1
    each = [evaluate(colorizer, Photos([rgb], ["Apple"]))["ab_mse"] for rgb in photos.rgb]
    assert evaluate(colorizer, photos)["ab_mse"] == pytest.approx(np.mean(each))
    network = colorizer.network
    assert evaluate(TrueColours(network, colorizer.path), photos)["ab_mse"] == 0
    true = [np.mean(np.square(rgb_to_lab(rgb)[..., 1:] / 127.5)) for rgb in photos.rgb]
    grey = evaluate(AllGrey(network, colorizer.path), photos)["ab_mse"]
    assert grey == pytest.approx(np.mean(true), rel=0.01)


def test_only_what_is_in_colour_on_a_photo_counts(colorizer, photos):
    """A grey wall beside it changes nothing."""
    walled = []
    for rgb in photos.rgb:
        wall = np.full_like(rgb, 150)
        walled.append(np.concatenate([rgb, wall], axis=1))
    perfect, grey = (kind(colorizer.network, colorizer.path) for kind in (TrueColours, AllGrey))
    for painter in (perfect, grey):
        before, after = evaluate(painter, photos), evaluate(painter, Photos(walled, photos.kinds))
        for name in FIGURES:
            assert after[name] == pytest.approx(before[name], abs=0.02)


# The command


def test_the_json_has_the_documented_keys_and_finite_numbers(rendered_dir, capsys):
    assert main(["--data", str(rendered_dir), "--json", "--weights", "paper"]) == 0
    figures = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert set(figures) == {"weights", "split", "pictures", "ab_mse", "kinds"} | FIGURES
    assert (figures["weights"], figures["split"], figures["pictures"]) == ("paper", "test", 36)
    for group in (figures, *figures["kinds"].values()):
        assert set(group) >= FIGURES
        assert all(math.isfinite(group[name]) and group[name] >= 0 for name in FIGURES)
    assert 0 < figures["ab_mse"] < 1


def test_the_table_shows_the_same_figures(rendered_dir, capsys):
    flags = ["--data", str(rendered_dir), "--split", "val", "--weights", "paper"]
    assert main([*flags, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert main(flags) == 0
    table = capsys.readouterr().out
    assert "paper on val, 9 pictures" in table
    assert f"(the paper's loss): {figures['ab_mse']:.5f}" in table
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line}
    for name, group in {"all": figures, **figures["kinds"]}.items():
        assert sorted(rows[name]) == sorted(f"{group[figure]:.2f}" for figure in FIGURES)


def test_grey_pictures_are_measured_too(colorizer, pictures):
    grey = np.repeat(pictures.rgb[..., 1:2], 3, axis=3)
    figures = evaluate(colorizer, fruits360.Pictures(grey, pictures.varieties, []))
    assert figures["ciede2000_mean"] > 0


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
def test_an_error_is_one_sentence(rendered_dir, capsys, flag, value, told):
    assert main(["--data", str(rendered_dir), flag, value]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("model.evaluate: ") and printed.err.count("\n") == 1
    assert told in printed.err


def test_real_pictures_are_measured_as_in_training(fruits360_dir, colorizer):
    """The first frame of every variety."""
    files = fruits360.split_files(fruits360.find_root(fruits360_dir), "test")
    first = {file.parent.name: file for file in reversed(files)}
    pictures = fruits360.load(list(first.values()))
    figures = evaluate(colorizer, pictures)
    assert figures["pictures"] == len(first) == 25
    expected = evaluation_loss(load_network("paper"), to_lab(pictures.rgb))
    assert figures["ab_mse"] == pytest.approx(expected, rel=0.02)
    assert figures["ab_mse"] < 0.03  # no network at all, grey, has about 0.04
    assert set(figures["kinds"]) == {"apple", "cherry", "pear", "tomato"}


def test_the_machine_rater_is_asked_on_the_command_line(rendered_dir, photos_dir, capsys):
    given = ["--weights", "paper", "--machine-rater"]
    assert main([*given, "--data", str(rendered_dir), "--split", "val"]) == 0
    assert "classifier two-sample test: accuracy " in capsys.readouterr().out
    assert main([*given, "--photos", str(photos_dir), "--split", "photos-val"]) == 2
    assert "pictures of one size" in capsys.readouterr().err
