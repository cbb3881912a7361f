"""The machine that rates: at a loss before true colours, sure of itself before grey."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.color import rgb_to_lab
from model.colorizer.pipeline import Colorizer
from model.data import fruits360
from model.data.rendered import render
from model.evaluate import machine_rater
from model.evaluate.machine_rater import classifier, encoded
from model.metrics import ciede2000


class TrueColours(Colorizer):
    """Knows the colours that it is asked for."""

    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        return rgb_to_lab(rgb)[..., 1:]


class AllGrey(Colorizer):
    def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
        return np.zeros((*rgb.shape[:2], 2), np.float32)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Fewer raters, each of which looks longer at the few photos there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_rater, "SEEDS", 2)
        patch.setattr(machine_rater, "EPOCHS", 20)
        patch.setattr(machine_rater, "BATCH", 8)
        yield


@pytest.fixture(scope="module")
def photos(rendered_dir: Path) -> np.ndarray:
    return fruits360.load_split(rendered_dir, "test").rgb


@pytest.fixture(scope="module")
def of_grey(photos) -> dict:
    loaded = Colorizer.load("paper")
    return machine_rater.machine_rater(AllGrey(loaded.network, loaded.path), photos)


def test_true_colours_cannot_be_told_from_true_colours(photos):
    loaded = Colorizer.load("paper")
    rated = machine_rater.machine_rater(TrueColours(loaded.network, loaded.path), photos)
    assert rated["photos"] == 36
    # the same picture gets the same answer, which is right for one of the two
    assert rated["accuracy"] == pytest.approx(0.5, abs=0.03)


def test_grey_is_found_out(of_grey):
    assert of_grey["photos"] == 36
    assert of_grey["accuracy"] > 0.9
    assert 0.5 < of_grey["lowest"] <= of_grey["accuracy"] <= of_grey["highest"] <= 1


def test_the_same_photos_get_the_same_verdict(photos):
    loaded = Colorizer.load("paper")
    verdicts = [machine_rater.machine_rater(loaded, photos[::4]) for _ in range(2)]
    assert verdicts[0] == verdicts[1]


def test_of_many_photos_some_from_everywhere_are_rated(photos, monkeypatch):
    seen = []

    class Noting(AllGrey):
        def predict_ab(self, rgb: np.ndarray, *, pins=()) -> np.ndarray:
            seen.append(next(n for n, photo in enumerate(photos) if photo is rgb))
            return super().predict_ab(rgb, pins=pins)

    photos = list(photos)
    monkeypatch.setattr(machine_rater, "MAX_PHOTOS", 8)
    loaded = Colorizer.load("paper")
    rated = machine_rater.machine_rater(Noting(loaded.network, loaded.path), photos)
    assert rated["photos"] == 8
    assert seen == [0, 5, 10, 15, 20, 25, 30, 35]


def test_the_encoder_leaves_shape_and_nearly_the_colours():
    rgb = render("Pear Rendered Green")
    assert encoded(rgb).shape == rgb.shape and encoded(rgb).dtype == np.uint8
    assert 0 < np.median(ciede2000(encoded(rgb), rgb)) < 3


def test_the_classifier_is_small_and_takes_any_size():
    network = classifier().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 25_000
    assert network(torch.rand(3, 3, 40, 60)).shape == (3, 1)
