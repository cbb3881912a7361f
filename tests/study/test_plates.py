"""The plates: who reads them, who does not, and that they are the same every time."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from study.plan import plates

NORMAL = {"normal": np.eye(3)}
DIGITS = {"demonstration": "2", "protan": "5", "deutan": "7"}


def separation(plate: plates.Plate, seen_by: np.ndarray) -> float:
    """How far the dots of the digit are from the others for somebody: in standard deviations, of L,
    a or b, whichever tells most."""
    places, _, colors = plates.dots(plate)
    lab = rgb2lab(plates.encoded(colors @ seen_by.T)[None])[0]
    digit = plates.inside(plate, places)
    figure, ground = lab[digit], lab[~digit]
    spread = np.sqrt((figure.var(axis=0) + ground.var(axis=0)) / 2)
    return float((np.abs(figure.mean(axis=0) - ground.mean(axis=0)) / spread).max())


def test_everybody_reads_the_demonstration():
    (plate,) = [plate for plate in plates.PLATES if plate.name == "demonstration"]
    for seen_by in (NORMAL | plates.MACHADO).values():
        assert separation(plate, seen_by) > 10


@pytest.mark.parametrize("name", plates.MACHADO)
def test_a_plate_is_read_with_normal_colour_vision_only(name):
    (plate,) = [plate for plate in plates.PLATES if plate.name == name]
    assert separation(plate, NORMAL["normal"]) > 10
    assert separation(plate, plates.MACHADO[name]) < 0.3


@pytest.mark.parametrize("plate", plates.PLATES, ids=lambda plate: plate.name)
def test_a_plate_is_a_picture_with_a_digit_in_its_middle(plate):
    picture = np.asarray(Image.open(io.BytesIO(plates.draw(plate))))
    assert picture.shape == (plates.SIZE, plates.SIZE, 3)
    assert plate.digit == DIGITS[plate.name]
    places, radii, colors = plates.dots(plate)
    digit = plates.inside(plate, places)
    assert 0.05 < digit.mean() < 0.4
    assert (np.abs(places[digit].mean(axis=0) / plates.SIZE - 0.5) < 0.1).all()
    assert colors.min() >= 0
    assert colors.max() <= 1, "no colour is cut off, which would tell the digit by its hue"
    between = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(between, np.inf)
    assert (between > radii[:, None] + radii[None]).all(), "dots do not overlap"


def test_a_plate_is_drawn_the_same_every_time():
    first = plates.draw(plates.PLATES[1])
    plates.draw.cache_clear()
    assert plates.draw(plates.PLATES[1]) == first
