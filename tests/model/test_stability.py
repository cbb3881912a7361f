"""Changes that say nothing about a photo's colours, and colorizers that follow them or do not."""

import numpy as np
import pytest

from model.evaluate import stability
from tests.support.known import Known, grey, one_color

CHANGES = {"at_512", "at_1024", "white_border", "black_border", "sepia", "half_contrast"}


@pytest.fixture
def photos() -> list[np.ndarray]:
    """One lying and one standing photo, of few and of many pixels."""
    rng = np.random.default_rng(0)
    return [rng.integers(60, 200, size, np.uint8) for size in ((300, 400, 3), (90, 60, 3))]


def test_the_same_colours_do_not_differ(photos):
    figures = stability.stability(Known(one_color(20, 10)), photos)
    assert set(figures) == CHANGES
    assert all(difference < 0.1 for difference in figures.values())


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("at_512", lambda rgb: max(rgb.shape) == 512),
        ("at_1024", lambda rgb: max(rgb.shape) == 1024),
        ("white_border", lambda rgb: rgb[0].min() == 255),
        ("black_border", lambda rgb: rgb[0].max() == 0),
        ("sepia", lambda rgb: np.all(rgb[..., 2] < rgb[..., 0])),
        ("half_contrast", lambda rgb: np.ptp(rgb) < 72),
    ],
)
def test_colours_that_a_change_takes_away_are_found_out(photos, change, seen):
    """The colorizer is shown each change, and no other figure than that of it tells."""

    def answer(rgb, pins):
        return grey(rgb, pins) if seen(rgb) else one_color(30, 30)(rgb, pins)

    figures = stability.stability(Known(answer), photos[:1])
    assert figures[change] > 10
    assert all(figures[other] < 0.1 for other in CHANGES - {change})


def test_only_what_is_inside_a_border_counts(photos):
    """Colours of the border itself make no difference, at whatever scale they are predicted."""

    def answer(rgb, pins):
        ab = one_color(20, 10)(rgb, pins)
        width = round(max(rgb.shape[:2]) * 0.04 / 1.08)
        if rgb[0].min() == 255 or rgb[0].max() == 0:
            ab[:width], ab[-width:], ab[:, :width], ab[:, -width:] = -60, -60, -60, -60
        return ab[::2, ::2]

    figures = stability.stability(Known(answer), photos)
    assert figures["white_border"] < 0.1 and figures["black_border"] < 0.1
