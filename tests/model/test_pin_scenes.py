"""How far pins reach is measured on scenes with known objects."""

import numpy as np
import pytest

from model.colorizer.pipeline import Colorizer
from model.data.collections import VARIABLES
from model.evaluate import pins
from model.evaluate.pins import compose, measure, scenes
from tests.support.known import Known, color_of, grey


@pytest.fixture(scope="module")
def scene():
    return compose(np.full((120, 160, 3), 128, np.uint8), np.random.default_rng(1))


def test_the_objects_of_a_scene_are_where_it_says(scene):
    assert scene.coverage.sum(0).max() <= 1, "none hides another"
    changed = (scene.rgb != 128).any(-1)
    np.testing.assert_array_equal(changed, scene.coverage.any(0) & changed)
    for coverage, (x, y) in zip(scene.coverage, scene.places, strict=True):
        assert coverage[y, x] == 1
        assert changed[coverage > 0.5].mean() > 0.95


def test_a_network_that_keeps_to_the_objects_has_full_marks_and_one_that_does_not_is_told(scene):
    def perfect(rgb, given):
        ab = np.zeros((*rgb.shape[:2], 2), np.float32)
        for pin in given:
            (mask,) = (mask for mask in scene.coverage > 0.5 if mask[pin.y, pin.x])
            ab[mask] = color_of(pin)
        return ab

    def everywhere(rgb, given):
        ab = np.zeros((*rgb.shape[:2], 2), np.float32)
        return ab + color_of(given[-1]) if given else ab

    whole = (1, 0, 0), (1, 1, 1)
    for answer, expected in ((perfect, (1, 0, 0)), (everywhere, (1, 1, 1)), (grey, None)):
        figures = measure(Known(answer, takes_pins=True), [scene])
        if expected in whole:
            assert [*figures["one_pin"].values()] == pytest.approx(expected, abs=1e-3)
        if answer is perfect:
            assert [*figures["three_pins"].values()] == pytest.approx([1, 1, 1], abs=1e-3)


def test_scenes_are_the_same_each_time_and_need_room():
    photos = [np.full((100, 130, 3), 90 + number, np.uint8) for number in range(3)]
    photos.append(np.full((1, 1, 3), 90, np.uint8))
    first, again = (list(scenes(photos, 4)) for _ in range(2))
    assert len(first) == 3
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_without_photos_or_pins_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Colorizer, "load", lambda weights: Known(grey, takes_pins=True))
    monkeypatch.delenv(VARIABLES["general"], raising=False)
    assert pins.main([]) == 2
    assert pins.main(["--general", str(tmp_path)]) == 2
    monkeypatch.setattr(Colorizer, "load", lambda weights: Known(grey))
    assert pins.main(["--general", str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert ["--general" in said[0], "no photos" in said[1], "no pins" in said[2]] == [True] * 3
