"""The weights that ship with the project: there, small, and better than the paper's on fruit that
needs no download."""

import numpy as np
import pytest
from skimage.data import coins, moon, page

from model.color import rgb_to_lab
from model.colorizer.pins import Pin
from model.colorizer.pipeline import Colorizer
from model.data.fruits360 import read_pictures, split_files
from model.data.rendered import VARIETIES, render
from model.metrics import color_mask, fruit_ciede2000, fruit_mask
from model.weights import WEIGHTS_FOLDER, available_weights


@pytest.fixture(scope="module")
def colornet() -> Colorizer:
    return Colorizer.load("colornet")


@pytest.mark.parametrize("weights", available_weights())
def test_every_weights_file_has_a_card_and_loads(weights):
    assert f"# Weights `{weights}`" in (WEIGHTS_FOLDER / f"{weights}.md").read_text()
    colored = Colorizer.load(weights).colorize(render("Apple Rendered Red", size=60))
    assert color_mask(colored).mean() > 0.1


def test_colornet_is_the_default_and_small(colornet):
    assert Colorizer.load().name == "colornet"
    assert colornet.path.stat().st_size <= 16e6
    assert sum(weight.numel() for weight in colornet.network.parameters()) <= 8e6


def test_colornet_is_nearer_to_the_truth_than_the_papers_network(colornet, fruits360_dir):
    paper = Colorizer.load("paper")
    fruit = read_pictures(split_files(fruits360_dir, "test")[::100]).rgb
    ours, theirs = (
        np.median([fruit_ciede2000(colorizer.colorize(rgb), rgb) for rgb in fruit])
        for colorizer in (colornet, paper)
    )
    assert ours < theirs / 1.5


def test_colornet_keeps_a_white_background_white(colornet):
    rgb = render("Apple Rendered Red", size=200, seed=1)
    colored = colornet.colorize(rgb)
    away = ~fruit_mask(rgb) & (rgb.min(-1) > 250)
    assert np.linalg.norm(rgb_to_lab(colored)[away][:, 1:], axis=-1).mean() < 2, "hardly to be seen"


@pytest.mark.parametrize("wanted", [(190, 30, 30), (40, 60, 200)])
def test_a_pin_recolours_the_whole_fruit_and_nothing_else(colornet, wanted):
    rgb = render("Apple Rendered Green", size=200, seed=2)
    fruit = fruit_mask(rgb)
    colored = colornet.colorize(rgb, pins=[Pin(100, 120, wanted)])
    a, b = rgb_to_lab(np.uint8([[wanted]]))[0, 0, 1:]
    angle = np.arctan2(b, a)
    got = rgb_to_lab(colored)[..., 1:][fruit & color_mask(colored)]
    off = np.angle(np.exp(1j * (np.arctan2(got[:, 1], got[:, 0]) - angle)))
    assert np.median(np.abs(np.degrees(off))) < 20
    assert np.linalg.norm(rgb_to_lab(colored)[~fruit][:, 1:], axis=-1).mean() < 3


def test_colornet_is_sure_of_fruit_and_guesses_where_nobody_could_tell(colornet):
    known = [colornet.knows(render(variety, size=100, seed=3)) for variety in VARIETIES]
    assert np.mean(known) > 0.8
    assert not any(colornet.knows(photo) for photo in (coins(), moon()))
    calm = colornet.colorize(page())
    assert np.linalg.norm(rgb_to_lab(calm)[..., 1:], axis=-1).mean() < 30
