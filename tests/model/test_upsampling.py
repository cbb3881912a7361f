"""Colours come up to the size of the photo smoothly, in their place and along its edges."""

import cv2
import numpy as np
import pytest

from model.color import rgb_to_lab, rgb_to_lab_exact
from model.colorizer import upsampling
from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor
from model.data.rendered import render
from model.photos import resize


@pytest.fixture(scope="module")
def apple() -> np.ndarray:
    return render("Apple Rendered Red", size=200)


def luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb_to_lab_exact(rgb)[..., 0]


def step(width: int) -> np.ndarray:
    """Colours (4, width, 2): neutral on the left, reddish on the right."""
    ab = np.zeros((4, width, 2), np.float32)
    ab[:, width // 2 :] = 30
    return ab


def test_colours_are_enlarged_smoothly_and_not_in_blocks():
    rgb = np.full((32, 80, 3), 128, np.uint8)
    a = rgb_to_lab(recolor(rgb, step(10)))[16, :, 1]  # 8 times as large
    steps = np.diff(a)
    assert a[-1] - a[0] > 28
    assert steps.max() < 30 / 8 + 2.5
    assert steps.min() > -1.5


def test_colours_stay_in_their_place_when_enlarged():
    rgb = np.full((33, 70, 3), 128, np.uint8)
    mirrored = recolor(rgb, step(10)[:, ::-1])[:, ::-1]
    assert np.abs(recolor(rgb, step(10)).astype(int) - mirrored).max() <= 2


def disc(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red disc on light grey, (size, size, 3) uint8 RGB, where it is, and how far its outline."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    distance = np.hypot(x, y) - size / 3
    rgb = np.where((distance < 0)[..., None], np.uint8([180, 40, 50]), np.uint8(200))
    return rgb, distance < 0, np.abs(distance)


def test_no_colour_bleeds_over_an_outline_at_20_times_the_size():
    rgb, inside, to_outline = disc(2000)
    small = rgb_to_lab(resize(rgb, (100, 100)))[..., 1:]
    bilinear = cv2.resize(small, (2000, 2000))[..., 0]
    a = rgb_to_lab(recolor(rgb, small))[..., 1]
    rim = ~inside & (to_outline > 1) & (to_outline < 20)
    assert np.abs(a[rim]).mean() < 0.6 * np.abs(bilinear[rim]).mean()
    assert np.abs(a[~inside & (to_outline > 60)]).max() < 1
    own = rgb_to_lab(rgb)[..., 1]
    rim = inside & (to_outline > 1) & (to_outline < 20)
    assert np.abs(a - own)[rim].mean() < 0.6 * np.abs(bilinear - own)[rim].mean()


def test_a_cherry_of_2000_pixels_has_no_red_rim_on_white():
    cherry = render("Cherry Rendered Red", size=250)
    photo = cv2.resize(cherry, (2000, 2000), interpolation=cv2.INTER_CUBIC)
    ab = rgb_to_lab(resize(cherry, (100, 100)))[..., 1:]
    colored = recolor(photo, ab)[::2, ::2]
    white = cv2.erode(np.uint8(photo[::2, ::2].min(-1) >= 250), np.ones((3, 3))) > 0
    assert np.percentile(np.ptp(colored[white].astype(int), axis=-1), 99.5) < 12


def test_a_texture_without_colour_gets_none():
    rng = np.random.default_rng(8)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (400, 400)).astype(np.float32), None, 4)
    rgb = np.repeat(cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)[..., None], 3, axis=2)
    ab = np.broadcast_to(np.float32([20, 10]), (50, 50, 2))
    got = rgb_to_lab(recolor(rgb.astype(np.uint8), ab))
    bright_enough = (got[..., 0] > 30) & (got[..., 0] < 80)
    assert np.abs(got[bright_enough][:, 1:] - [20, 10]).max() < 1.5


def test_the_own_colours_give_the_photo_back(apple):
    back = recolor(apple, rgb_to_lab(apple)[..., 1:])
    assert np.abs(back.astype(int) - apple).max() <= 2


def test_the_own_colours_at_half_the_size_nearly_do(apple):
    back = recolor(apple, resize(rgb_to_lab(apple)[..., 1:], (100, 100)))
    assert np.abs(back.astype(int) - apple).mean() < 2


def test_colours_of_a_larger_picture_are_averaged(apple):
    small = resize(apple, (50, 50))
    back = recolor(small, rgb_to_lab(apple)[..., 1:])
    assert np.abs(back.astype(int) - small).mean() < 2


def test_without_colours_the_photo_is_grey_and_as_light_as_before(apple):
    result = recolor(apple, None)
    assert (result == result[..., :1]).all()
    assert np.abs(luminance(result) - luminance(apple)).max() < 1


@pytest.mark.parametrize("vividness", [1, 2])
@pytest.mark.parametrize("kind", ["noise", "fruit"])
def test_luminance_is_kept_for_all_colours_at_every_size(apple, kind, vividness):
    rng = np.random.default_rng(9)
    rgb = {"noise": rng.integers(0, 256, (150, 170, 3), dtype=np.uint8), "fruit": apple}[kind]
    ab = rng.uniform(-100, 100, (20, 30, 2)).astype(np.float32) * vividness
    assert np.abs(luminance(recolor(rgb, ab)) - luminance(rgb)).max() < 1


@pytest.mark.parametrize("pixels", [1, 150, 4000, 2**15])
def test_tiles_leave_no_seam(monkeypatch, pixels):
    photo = cv2.resize(render("Apple Rendered Red Yellow"), (150, 301))
    ab = Colorizer.load("paper").predict_ab(photo)
    whole = recolor(photo, ab)
    monkeypatch.setattr(upsampling, "TILE_PIXELS", pixels)
    monkeypatch.setattr(upsampling, "TILE_SIDE", 140)
    np.testing.assert_array_equal(recolor(photo, ab), whole)


def test_threads_change_nothing(monkeypatch, apple):
    photo, ab = resize(apple, (1200, 900)), resize(rgb_to_lab(apple)[..., 1:], (100, 75))
    with_threads = recolor(photo, ab)
    monkeypatch.setattr(upsampling, "THREADS", 1)
    np.testing.assert_array_equal(recolor(photo, ab), with_threads)


@pytest.mark.parametrize("size", [(3, 40_000), (40_000, 3), (1, 1), (2, 300)])
def test_unusual_shapes_are_coloured_all_over(size):
    result = recolor(np.full((*size, 3), 128, np.uint8), np.full((1, 2, 2), 30, np.float32))
    assert result.shape == (*size, 3)
    assert np.ptp(result.astype(int), axis=-1).min() > 20
