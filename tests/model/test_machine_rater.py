"""The classifier two-sample test: at a loss before true colours, sure of itself before grey."""

from pathlib import Path

import numpy as np
import pytest

from model.data import fruits360
from model.data.rendered import render
from model.evaluate import machine_rater
from model.evaluate.machine_rater import classifier, encoded
from model.metrics import ciede2000
from tests.support.known import Known, grey, true_colors


@pytest.fixture(scope="module")
def photos(rendered_dir: Path) -> np.ndarray:
    return fruits360.load_split(rendered_dir, "test").rgb


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Fewer classifiers, each of which looks longer at the few photos there are."""
    monkeypatch.setattr(machine_rater, "SEEDS", 2)
    monkeypatch.setattr(machine_rater, "EPOCHS", 20)
    monkeypatch.setattr(machine_rater, "BATCH", 4)
    monkeypatch.setattr(machine_rater, "MAX_PHOTOS", 16)


def test_true_colours_cannot_be_told_from_true_colours(photos, monkeypatch):
    monkeypatch.setattr(machine_rater, "EPOCHS", 1)
    rated = machine_rater.machine_rater(Known(true_colors), photos)
    # the same picture gets the same answer, which is right for one of the two
    assert rated["accuracy"] == pytest.approx(0.5, abs=0.03)


def test_grey_is_found_out_and_found_out_again(photos):
    rated, again = (machine_rater.machine_rater(Known(grey), photos) for _ in range(2))
    assert rated["accuracy"] > 0.9
    assert 0.5 < rated["lowest"] <= rated["accuracy"] <= rated["highest"] <= 1
    assert again == rated


def test_of_many_photos_some_from_everywhere_are_rated(photos, monkeypatch):
    seen = []

    def note(rgb, pins):
        seen.append(next(n for n, photo in enumerate(many) if photo is rgb))
        return grey(rgb, pins)

    many = list(photos[[n % len(photos) for n in range(36)]].copy())
    monkeypatch.setattr(machine_rater, "MAX_PHOTOS", 8)
    monkeypatch.setattr(machine_rater, "EPOCHS", 1)
    rated = machine_rater.machine_rater(Known(note), many)
    assert rated["photos"] == 8
    assert seen == [0, 5, 10, 15, 20, 25, 30, 35]


def test_the_encoder_leaves_shape_and_nearly_the_colours():
    rgb = render("Pear Rendered Green")
    assert encoded(rgb).shape == rgb.shape and encoded(rgb).dtype == np.uint8
    assert 0 < np.median(ciede2000(encoded(rgb), rgb)) < 3


def test_the_classifier_is_small():
    assert sum(parameter.numel() for parameter in classifier().parameters()) < 25_000
