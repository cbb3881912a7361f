"""Skin is judged in the middle of portraits alone, by difference, hue and group."""

import numpy as np
import pytest

from model.color import lab_to_rgb
from model.data.collections import Photos
from model.evaluate.portraits import skin
from tests.support.known import Known, one_color, true_colors

SKIN = (18, 20)  # real a and b: a hue of 48 degrees


def portrait(luminance: float, *, around: tuple[float, float] = SKIN) -> np.ndarray:
    """100 x 75 pixels with skin in the middle fifth, and other colours around it."""
    ab = np.full((100, 75, 2), around, np.float32)
    ab[40:60, 30:45] = SKIN
    return lab_to_rgb(np.full((100, 75), luminance, np.float32), ab)


@pytest.fixture
def photos() -> Photos:
    """Six London faces, another portrait, and a green thing."""
    rgb = [portrait(level) for level in (60, 30, 40, 70, 50, 65)]
    rgb += [portrait(60, around=(-40, -20)), portrait(50, around=(-30, 30))]
    return Photos(rgb, ["london_faces"] * 6 + ["webmorph_canada", "flower_photos"])


def test_right_skin_is_right_whatever_is_around_it(photos):
    figures = skin(Known(true_colors), photos)
    assert figures["skin"] < 0.6 and figures["skin_worst"] < 0.6
    assert figures["skin_hue"] == 1
    figures = skin(Known(one_color(*SKIN)), photos)
    assert figures["skin"] < 0.6 and figures["skin_hue"] == 1


def test_skin_of_another_hue_is_told(photos):
    assert skin(Known(one_color(-20, 20)), photos)["skin_hue"] == 0
    assert skin(Known(one_color(-20, 20)), photos)["skin"] > 10
    assert skin(Known(one_color(5, 25)), photos)["skin_hue"] == 0


def test_the_worst_group_is_told_apart(photos):
    """Grey skin where it is dark: one third of the London faces."""

    def answer(rgb, pins):
        return true_colors(rgb, pins) * (rgb[50, 37].mean() > 110)

    figures = skin(Known(answer), photos)
    dark, middle, light = figures["skin_by_luminance"]
    assert figures["skin_worst"] == dark > 10
    assert middle < 0.6 and light < 0.6
    assert figures["skin"] < 0.6 and figures["skin_hue"] == pytest.approx(5 / 7)


def test_without_portraits_there_is_nothing_to_tell(photos):
    figures = skin(Known(true_colors), Photos(photos.rgb[-1:], photos.kinds[-1:]))
    assert figures["skin"] is None and figures["skin_worst"] is None
