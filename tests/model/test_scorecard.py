"""The scorecard: figures that are right for colorizers of known quality, and what it writes."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.data.collections import VARIABLES, Photos, load_split
from model.data.fruits360 import Pictures
from model.data.rendered import render
from model.evaluate import machine_rater, scorecard, stability
from model.evaluate.goals import ROWS, SETS, sets_of
from model.evaluate.scorecard import (
    effect_of_pins,
    guessed,
    guessed_by_difference,
    main,
    measure,
    white_chroma,
    with_pins,
)
from model.metrics import fruit_mask
from tests.support.known import Known, color_of, grey, one_color, true_colors


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(machine_rater, "SEEDS", 1)
    monkeypatch.setattr(machine_rater, "EPOCHS", 1)
    monkeypatch.setattr(stability, "SIDES", (64, 512, 1024))
    monkeypatch.setattr(scorecard, "EVERY", 7)
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="module")
def folders(rendered_dir, more_dir, photos_dir, general_dir) -> dict[str, Path]:
    return {
        "data": rendered_dir,
        "more": more_dir,
        "photos": photos_dir,
        "general": general_dir,
    }


@pytest.fixture(scope="module")
def sets(folders) -> dict:
    """Some pictures of each set."""
    loaded = {name: load_split(split, **folders) for name, split in SETS.items()}
    for name in ("classic", "unseen"):
        whole = loaded[name]
        loaded[name] = replace(whole, rgb=whole.rgb[::2], varieties=whole.varieties[::2])
    for name in ("photos", "general"):
        whole = loaded[name]
        loaded[name] = replace(whole, rgb=whole.rgb[::2], kinds=whole.kinds[::2])
    return loaded


# Colorizers of known quality


def test_true_colours_get_the_best_figures(sets):
    """In every set those that have a place in the table."""
    figures = measure(Known(true_colors, takes_pins=True), sets)
    for key in ROWS:
        assert {name for name in SETS if key in figures[name]} == set(sets_of(key))
    for name in SETS:
        assert figures[name]["ciede2000_median"] < 0.6
        assert figures[name]["of_grey"] < 0.01
        assert figures[name]["colorfulness_ratio"] == pytest.approx(1, abs=0.01)
        assert figures[name]["pictures"] == len(sets[name].rgb)
    for name in ("classic", "unseen"):
        assert abs(figures[name]["white_chroma"]) < 0.2
        assert figures[name]["machine_rater"] == pytest.approx(0.5, abs=0.05)
        assert figures[name]["machine_rater_details"]["photos"] == len(sets[name].rgb)
    assert figures["general"]["skin"] < 0.6
    assert set(figures["general"]["kinds"]) == {"cid22", "flower_photos", "london_faces"}


def test_pins_are_not_measured_where_none_are_taken(sets):
    photos = replace(sets["photos"], rgb=sets["photos"].rgb[:1], kinds=["Apple"])
    assert "pin_near" not in measure(Known(grey), {"photos": photos})["photos"]


def test_a_tint_on_white_is_measured(sets):
    plain, tinted = (
        white_chroma(Known(one_color(*color)), sets["classic"]) for color in ((0, 0), (0, 6))
    )
    assert plain < 0.3
    assert 2 < tinted < 7


def test_only_what_is_added_to_white_counts():
    """A background that is a little yellow itself, kept as it is: nothing was added."""
    rgb = np.full((1, 100, 100, 3), (255, 252, 243), np.uint8)
    rgb[:, 30:70, 30:70] = (180, 30, 40)
    pictures = Pictures(rgb, ["Apple Yellowish"], [])
    assert abs(white_chroma(Known(true_colors), pictures)) < 0.6
    assert white_chroma(Known(grey), pictures) < -2


def test_pins_are_on_the_fruit_in_its_own_colour_and_bring_it_nearer(sets):
    given = []

    def note(rgb, pins):
        given.append((rgb, pins))
        return grey(rgb, pins)

    none, one, three = (with_pins(Known(note), sets["unseen"], count) for count in (0, 1, 3))
    assert none > 1.5 * one and none > 1.5 * three
    pictures = len(sets["unseen"].rgb[:: scorecard.EVERY])
    assert [len(pins) for _, pins in given] == [0] * pictures + [1] * pictures + [3] * pictures
    for rgb, pins in given:
        for pin in pins:
            assert fruit_mask(rgb)[pin.y, pin.x]
            around = rgb[max(0, pin.y - 2) : pin.y + 3, max(0, pin.x - 2) : pin.x + 3]
            assert all(around.min((0, 1)) <= pin.rgb) and all(pin.rgb <= around.max((0, 1)))


def test_the_effect_of_pins_is_told_near_them_and_elsewhere(sets):
    def within(reach: int) -> Known:
        def answer(rgb, pins):
            ab = np.zeros((*rgb.shape[:2], 2), np.float32)
            for pin in pins:
                square = [slice(max(0, at - reach), at + reach) for at in (pin.y, pin.x)]
                ab[*square] = color_of(pin)
            return ab

        return Known(answer, takes_pins=True)

    photos = [*sets["photos"].rgb, render("Apple Rendered Red", size=300)]
    assert effect_of_pins(within(10_000), photos) == pytest.approx((1, 1))
    near, elsewhere = effect_of_pins(within(20), photos)
    assert 0.5 < near < 1 and elsewhere < near / 2
    assert effect_of_pins(Known(true_colors), photos) == (None, None)


def test_bad_colours_that_are_called_a_guess_are_told_from_good_ones(sets):
    """Lying photos get their true colours, standing ones none."""

    def lies(photo) -> bool:
        height, width = getattr(photo, "rgb", photo).shape[:2]
        return height < width

    colorizer = Known(lambda rgb, _: true_colors(rgb, _) if lies(rgb) else grey(rgb, _))
    shapes = {rgb.shape: rgb for rgb in sets["general"].rgb}
    photos = Photos([*shapes.values()] * 5, ["cid22"] * 10)
    for knows, told in ((lies, (1, 0)), (lambda photo: not lies(photo), (0, 1))):
        colorizer.knows = knows
        assert tuple(guessed_by_difference(colorizer, photos).values()) == told
        assert guessed(colorizer, photos) == 0.5


# What is written


@pytest.fixture
def measured(monkeypatch) -> list[list[str]]:
    """The sets that were measured by each call of the command, with made-up figures."""
    calls = []

    def made_up(colorizer, sets):
        calls.append(list(sets))
        kinds = {name: {"ciede2000_median": n} for n, name in enumerate(("Kiwi", "Lime"))}
        values = dict(zip(ROWS, np.linspace(0.01, 2, len(ROWS)).tolist(), strict=True))
        return {name: {"pictures": 1234, "kinds": kinds} | values for name in sets}

    monkeypatch.setattr(scorecard, "measure", made_up)
    return calls


def test_the_scorecard_writes_figures_table_and_varieties(folders, measured, cwd, capsys):
    """Sets that are not given keep the figures that they had of these weights."""
    assert main(["--more", str(folders["more"]), "--weights", "paper"]) == 0
    folder = cwd / "results" / "paper"
    assert "| - | 0.0100 (0.0022) | - | - | - |" in (folder / "scorecard.md").read_text()
    flags = [f"--{name}={folders[name]}" for name in ("data", "photos", "general")]
    assert main([*flags, "--weights", "paper"]) == 0
    assert measured == [["unseen"], ["classic", "photos", "general", "kodak"]]

    figures = json.loads((folder / "scorecard.json").read_text())
    assert set(figures) == set(SETS)
    table = (folder / "scorecard.md").read_text()
    assert table in capsys.readouterr().out
    assert "classic 1,234" in table and "--weights paper" in table
    lines = {line.split(" | ")[0].strip("| "): line for line in table.splitlines() if "|" in line}
    for key, (title, goals) in ROWS.items():
        value = f"{figures['classic'][key]:.{4 if key == 'ab_mse' else 2}f}"
        cells = [f"{value} ({goal})" if goal else value for goal in goals]
        assert lines[title] == f"| {title} | {' | '.join(cells)} |"
    rows = list(csv.DictReader((folder / "varieties.csv").read_text().splitlines()))
    assert [(row["set"], row["variety"]) for row in rows] == [
        (name, variety) for name in sorted(SETS) for variety in ("Lime", "Kiwi")
    ]  # the worst first


def test_without_any_folder_the_flags_are_named(cwd, capsys):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(flag in said for flag in ("--data", "--more", "--photos", "--general"))


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--weights", "nothing", "'nothing'"),
        ("--data", "/nowhere/at/all", "/nowhere/at/all"),
        ("--more", "/nowhere/at/all", "--more"),
        ("--photos", "/nowhere/at/all", "--photos"),
        ("--general", "/nowhere/at/all", "--general"),
    ],
)
def test_an_error_is_one_sentence(cwd, capsys, flag, value, told):
    assert main([flag, value]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and not (cwd / "results").exists()
    assert printed.err.startswith("model.scorecard: ") and printed.err.count("\n") == 1
    assert told in printed.err
