"""The scorecard: figures that are right for colorizers of known quality, and what it writes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from model.color import rgb_to_lab
from model.colorizer.pipeline import Colorizer
from model.data.collections import VARIABLES, load_split
from model.data.fruits360 import Pictures
from model.data.rendered import render
from model.evaluate import machine_rater, scorecard
from model.evaluate.goals import ROWS, SETS
from model.evaluate.scorecard import (
    across_scales,
    effect_of_pins,
    main,
    measure,
    white_chroma,
    with_pins,
)
from model.metrics import fruit_mask
from model.networks.colornet import ColorNet
from model.networks.files import save_weights


class OneColour(Colorizer):
    """Paints everything in one colour; with pins, each place in that of the nearest."""

    color = (0, 0)

    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        ab = np.full((*rgb.shape[:2], 2), self.color, np.float32)
        if pins:
            y, x = np.indices(rgb.shape[:2])
            distance = [np.hypot(pin.y - y, pin.x - x) for pin in pins]
            colors = [rgb_to_lab(np.uint8([[pin.rgb]]))[0, 0, 1:] for pin in pins]
            ab = np.stack(colors)[np.argmin(distance, axis=0)]
        return ab


class TrueColours(Colorizer):
    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        return rgb_to_lab(rgb)[..., 1:]


class TrueAtOneScale(Colorizer):
    """Tells small photos from large ones by their colour."""

    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        ab = 30 if max(rgb.shape) > 300 else -30
        return np.full((*rgb.shape[:2], 2), ab, np.float32)


def with_paper_weights(kind: type[Colorizer], **attributes) -> Colorizer:
    loaded = Colorizer.load("paper")
    colorizer = kind(loaded.network, loaded.path)
    for name, value in attributes.items():
        setattr(colorizer, name, value)
    return colorizer


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_rater, "SEEDS", 1)
        patch.setattr(machine_rater, "EPOCHS", 5)
        patch.setattr(machine_rater, "BATCH", 8)
        patch.setattr(scorecard, "SIDES", (64, 128, 256))
        patch.setattr(scorecard, "EVERY", 7)
        for variable in VARIABLES.values():
            patch.delenv(variable, raising=False)
        yield


@pytest.fixture(scope="module")
def folders(rendered_dir: Path, more_dir: Path, photos_dir: Path) -> dict[str, Path]:
    return {"data": rendered_dir, "more": more_dir, "photos": photos_dir}


@pytest.fixture(scope="module")
def sets(folders) -> dict:
    return {name: load_split(split, **folders) for name, split in SETS.items()}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Untrained ones, which take pins."""
    torch.manual_seed(0)
    save_weights(ColorNet(), tmp_path / "untrained.safetensors", {})
    return tmp_path / "untrained.safetensors"


# Colorizers of known quality


def test_true_colours_get_the_best_figures(sets):
    figures = measure(with_paper_weights(TrueColours), sets)
    for name in SETS:
        assert figures[name]["ciede2000_median"] < 0.6
        assert figures[name]["colorfulness_ratio"] == pytest.approx(1, abs=0.01)
        assert figures[name]["pictures"] == len(sets[name].rgb)
    for name in ("classic", "unseen"):
        assert abs(figures[name]["white_chroma"]) < 0.2
        assert figures[name]["machine_rater"] == pytest.approx(0.5, abs=0.05)
        assert figures[name]["machine_rater_details"]["photos"] == len(sets[name].rgb)
    assert figures["photos"]["across_scales"] < 3  # of the edges
    assert "one_pin" not in figures["unseen"]  # the paper's network takes none


def test_a_tint_on_white_is_measured(sets):
    grey, tinted = (
        white_chroma(with_paper_weights(OneColour, color=color), sets["classic"])
        for color in ((0, 0), (0, 6))
    )
    assert grey < 0.3
    assert 2 < tinted < 7


def test_only_what_is_added_to_white_counts():
    """A background that is a little yellow itself, kept as it is: nothing was added."""
    rgb = np.full((1, 100, 100, 3), (255, 252, 243), np.uint8)
    rgb[:, 30:70, 30:70] = (180, 30, 40)
    pictures = Pictures(rgb, ["Apple Yellowish"], [])
    assert abs(white_chroma(with_paper_weights(TrueColours), pictures)) < 0.6
    assert white_chroma(with_paper_weights(OneColour), pictures) < -2


def test_pins_of_the_true_colour_bring_it_nearer(sets):
    colorizer = with_paper_weights(OneColour)
    none, one, three = (with_pins(colorizer, sets["unseen"], count) for count in (0, 1, 3))
    assert none > 1.5 * one and none > 1.5 * three


def test_pins_are_on_the_fruit_in_its_own_colour(sets):
    given = []

    class Noting(OneColour):
        def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
            given.append((rgb, pins))
            return super().predict_ab(rgb, pins=pins)

    with_pins(with_paper_weights(Noting), sets["unseen"], 3)
    assert len(given) == 4  # every seventh of 28
    for rgb, pins in given:
        assert len(pins) == 3
        for pin in pins:
            assert fruit_mask(rgb)[pin.y, pin.x]
            around = rgb[max(0, pin.y - 2) : pin.y + 3, max(0, pin.x - 2) : pin.x + 3]
            assert all(around.min((0, 1)) <= pin.rgb) and all(pin.rgb <= around.max((0, 1)))


def test_the_effect_of_pins_is_told_near_them_and_elsewhere(sets):
    class Within(Colorizer):
        reach = 10_000

        def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
            ab = np.zeros((*rgb.shape[:2], 2), np.float32)
            for pin in pins:
                square = [slice(max(0, at - self.reach), at + self.reach) for at in (pin.y, pin.x)]
                ab[*square] = rgb_to_lab(np.uint8([[pin.rgb]]))[0, 0, 1:]
            return ab

    photos = [*sets["photos"].rgb, render("Apple Rendered Red", size=300)]
    assert effect_of_pins(with_paper_weights(Within), photos) == pytest.approx((1, 1))
    near, elsewhere = effect_of_pins(with_paper_weights(Within, reach=20), photos)
    assert 0.5 < near < 1 and elsewhere < near / 2
    assert effect_of_pins(with_paper_weights(TrueColours), photos) == (None, None)


def test_one_colour_is_the_same_at_all_scales(sets):
    photos = sets["photos"].rgb[:3]
    assert across_scales(with_paper_weights(OneColour), photos) < 1
    monkey = with_paper_weights(TrueAtOneScale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorecard, "SIDES", (256, 512))
        assert across_scales(monkey, photos) > 20


# What is written


def test_the_scorecard_writes_figures_table_and_varieties(
    folders, weights, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    flags = [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]
    assert main([*flags, "--weights", str(weights)]) == 0
    folder = weights.parent
    figures = json.loads((folder / "scorecard.json").read_text(), parse_constant=pytest.fail)
    assert [figures[name]["pictures"] for name in SETS] == [36, 28, 6]
    assert figures["unseen"]["one_pin"] > 0 and figures["unseen"]["three_pins"] > 0

    table = (folder / "scorecard.md").read_text()
    assert table in capsys.readouterr().out
    assert "classic 36, unseen 28, photos 6" in table and f"--weights {weights}" in table
    lines = {line.split(" | ")[0].strip("| "): line for line in table.splitlines() if "|" in line}
    for key, (title, goals) in ROWS.items():
        if title not in lines:
            assert all(figures[name].get(key) is None for name in SETS)
            continue
        cells = lines[title].strip("| ").split(" | ")[1:]
        for name, goal, cell in zip(SETS, goals, cells, strict=True):
            value = figures[name].get(key)
            digits = 4 if key == "ab_mse" else 2
            beside = f" ({goal})" if goal else ""
            assert cell == ("-" if value is None else f"{value:.{digits}f}{beside}")
            if goal:
                assert (value is None) == (goal == "-")  # what has a goal is measured

    rows = list(csv.DictReader((folder / "varieties.csv").read_text().splitlines()))
    assert {row["set"] for row in rows} == set(SETS)
    assert {row["variety"] for row in rows if row["set"] == "unseen"} == {
        "Apple 7",
        "Cherry Sour 1",
    }
    for name in SETS:
        differences = [float(row["ciede2000_median"]) for row in rows if row["set"] == name]
        assert differences == sorted(differences, reverse=True)


def test_a_folder_that_is_not_given_leaves_its_column_out(more_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--more", str(more_dir), "--weights", "paper"]) == 0
    figures = json.loads((tmp_path / "results" / "paper" / "scorecard.json").read_text())
    assert list(figures) == ["unseen"]
    table = (tmp_path / "results" / "paper" / "scorecard.md").read_text()
    assert f"| - | {figures['unseen']['ab_mse']:.4f} (0.0025) | - |" in table


def test_without_any_folder_the_flags_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(flag in said for flag in ("--data", "--more", "--photos"))


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--weights", "nothing", "'nothing'"),
        ("--data", "/nowhere/at/all", "/nowhere/at/all"),
        ("--more", "/nowhere/at/all", "--more"),
        ("--photos", "/nowhere/at/all", "--photos"),
    ],
)
def test_an_error_is_one_sentence(folders, tmp_path, monkeypatch, capsys, flag, value, told):
    monkeypatch.chdir(tmp_path)
    flags = [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]
    assert main([*flags, flag, value]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and not (tmp_path / "results").exists()
    assert printed.err.startswith("model.scorecard: ") and printed.err.count("\n") == 1
    assert told in printed.err
