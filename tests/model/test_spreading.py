"""How far pins reach, and how they divide a picture."""

import cv2
import numpy as np
import pytest

from model.color import rgb_to_lab
from model.colorizer.pins import MAX_PINS, Pin, PinError
from model.colorizer.spreading import REACHES
from tests.support.painter import YELLOW, painter

RED, BLUE, GREEN = (200, 30, 40), (40, 60, 220), (40, 140, 40)
LEFT, RIGHT = (64, 90), (190, 90)  # x and y of the balls


def balls() -> np.ndarray:
    """Two shaded balls with a highlight each on a table with a grain, (180, 256) uint8."""
    rows, columns = np.mgrid[:180, :256]
    grey = 190 + np.random.default_rng(1).normal(0, 1, (180, 256))
    for x, y in (LEFT, RIGHT):
        across, down = (columns - x) / 40, (rows - y) / 40
        inside = across**2 + down**2 < 1
        shade = 110 - 45 * (across + down) / 1.5
        shade += 100 * np.exp(-40 * ((across + 0.35) ** 2 + (down + 0.35) ** 2))
        grey[inside] = shade[inside]
    return cv2.GaussianBlur(grey.clip(0, 255).astype(np.uint8), None, 0.7)


def ball(x: int, y: int) -> np.ndarray:
    return cv2.circle(np.zeros((180, 256), np.uint8), (x, y), 38, 1, -1).astype(bool)


def ab_of(color: tuple[int, int, int]) -> np.ndarray:
    return rgb_to_lab(np.uint8([[color]]))[0, 0, 1:]


def taken(ab: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """The share of the way from the network's colour to `color` that each place has gone."""
    way = ab_of(color) - YELLOW
    return (ab - YELLOW) @ way / (way @ way)


@pytest.fixture
def swayed():
    """A network that paints a whole picture in the mean colour of its hints."""
    return painter(reach=256)


def test_a_pin_colours_the_object_that_it_is_on_and_nothing_else(swayed):
    share = taken(swayed.predict_ab(balls(), pins=[Pin(*LEFT, RED)]), RED)
    assert share[ball(*LEFT)].mean() > 0.9
    assert np.abs(share[ball(*RIGHT)]).mean() < 0.05
    assert np.abs(share[:30]).mean() < 0.05, "the table"


def test_pins_on_several_objects_divide_the_picture(swayed):
    pins = [Pin(*LEFT, RED), Pin(*RIGHT, BLUE), Pin(128, 20, GREEN)]
    ab = swayed.predict_ab(balls(), pins=pins)
    assert taken(ab, RED)[ball(*LEFT)].mean() > 0.9
    assert taken(ab, BLUE)[ball(*RIGHT)].mean() > 0.9
    assert taken(ab, GREEN)[:30].mean() > 0.9


def test_a_longer_reach_takes_more(swayed):
    shares = [
        taken(swayed.predict_ab(balls(), pins=[Pin(*LEFT, RED)], reach=reach), RED)
        for reach in REACHES
    ]
    spot, whole, everything = (float((share > 0.5).mean()) for share in shares)
    assert 0 < spot < whole / 2 and whole < everything / 2
    assert shares[2][ball(*RIGHT)].mean() > 0.9, "the other ball is like it"
    for share in shares:
        assert share[LEFT[1], LEFT[0]] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("reach", REACHES)
def test_every_pins_place_has_its_colour_though_its_neighbour_contradicts(swayed, reach):
    pins = [Pin(64, 90, RED), Pin(65, 90, BLUE), Pin(64, 91, GREEN)]
    ab = swayed.predict_ab(balls(), pins=pins, reach=reach)
    for pin in pins:
        np.testing.assert_allclose(ab[pin.y, pin.x], ab_of(pin.rgb), atol=1.5)


def test_as_many_pins_as_may_be_in_one_object_each_have_their_colour():
    colors = np.random.default_rng(1).integers(0, 256, (MAX_PINS, 3)).tolist()
    places = [(n % 16, n // 16) for n in range(MAX_PINS)]
    pins = [
        Pin(48 + 2 * x, 74 + 2 * y, tuple(color))
        for (x, y), color in zip(places, colors, strict=True)
    ]
    ab = painter().predict_ab(balls(), pins=pins)
    for pin in pins[::15]:
        np.testing.assert_allclose(ab[pin.y, pin.x], ab_of(pin.rgb), atol=1.5)


@pytest.mark.parametrize("reach", REACHES)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 2)])
def test_a_pin_in_the_smallest_pictures(swayed, size, reach):
    pinned = swayed.colorize(np.full(size, 120, np.uint8), pins=[Pin(0, 0, RED)], reach=reach)
    assert pinned.shape == (*size, 3)
    np.testing.assert_allclose(rgb_to_lab(pinned)[0, 0, 1:], ab_of(RED), atol=3)


@pytest.mark.parametrize("reach", ["objects", "", None, 1, ["object"]])
def test_another_reach_is_refused_in_one_sentence(swayed, reach):
    with pytest.raises(PinError, match="spot, object, everything, not"):
        swayed.colorize(balls(), pins=[Pin(*LEFT, RED)], reach=reach)


def test_pins_that_cannot_show_their_colours_are_named(swayed):
    photo = balls()
    photo[:40, :40], photo[:40, -40:] = 255, 0
    pins = [Pin(9, 9, RED), Pin(*LEFT, RED), Pin(250, 9, BLUE), Pin(9, 9, (128, 128, 128))]
    note = swayed.note_on_pins(photo, pins)
    assert note.startswith("Pins 1 and 3 are on places too bright or too dark")
    assert swayed.note_on_pins(photo, pins[:1]).startswith("Pin 1 is on a place")
    assert swayed.note_on_pins(photo, pins[1:2]) == swayed.note_on_pins(photo, []) == ""
