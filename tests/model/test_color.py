"""Colours go into Lab and come back as they were; luminance is kept whatever the colours."""

import cv2
import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from model.color import (
    AB_BINS,
    BIN_SIZE,
    denormalize_ab,
    lab_to_rgb,
    normalize,
    normalize_ab,
    normalize_luminance,
    rgb_to_lab,
    rgb_to_lab8,
    rgb_to_lab_exact,
)

GREYS = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


@pytest.fixture
def random_rgb() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)


def recolored(*, chroma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random luminance (H, W), random ab (H, W, 2) of this chroma, and the RGB of both."""
    rng = np.random.default_rng(2)
    luminance = rng.uniform(0, 100, (150, 150)).astype(np.float32)
    hue = rng.uniform(0, 2 * np.pi, luminance.shape)
    ab = (chroma * np.stack([np.cos(hue), np.sin(hue)], axis=-1)).astype(np.float32)
    return luminance, ab, lab_to_rgb(luminance, ab)


def test_colours_come_back_from_lab_within_one_level(random_rgb):
    lab = rgb_to_lab(random_rgb)
    back = lab_to_rgb(lab[..., 0], lab[..., 1:])
    assert back.dtype == np.uint8
    assert np.abs(back.astype(int) - random_rgb).max() <= 1


def test_the_fast_conversion_is_within_half_a_unit_of_the_formulas(random_rgb):
    assert np.abs(rgb_to_lab(random_rgb) - rgb_to_lab_exact(random_rgb)).max() < 0.5


def test_greys_stay_grey():
    lab = rgb_to_lab(GREYS)
    assert np.abs(lab[..., 1:]).max() < 0.5
    back = lab_to_rgb(lab[..., 0], np.zeros_like(lab[..., 1:])).astype(int)
    assert np.ptp(back, axis=-1).max() <= 1
    assert np.abs(back - GREYS).max() <= 1


@pytest.mark.parametrize("chroma", [0, 20, 60, 128])
def test_luminance_stays_for_colours_inside_and_outside_the_gamut(chroma):
    luminance, _, rgb = recolored(chroma=chroma)
    assert np.abs(rgb_to_lab_exact(rgb)[..., 0] - luminance).max() < 1


@pytest.mark.parametrize("chroma", [60, 128])
def test_hue_stays_roughly_where_chroma_has_to_give_way(chroma):
    luminance, ab, rgb = recolored(chroma=chroma)
    got = rgb_to_lab_exact(rgb)[..., 1:]
    plainly_coloured = (np.hypot(*np.moveaxis(got, -1, 0)) > 20) & (luminance > 10)
    assert plainly_coloured.mean() > 0.3
    turned = np.angle((got[..., 0] + 1j * got[..., 1]) * (ab[..., 0] - 1j * ab[..., 1]), deg=True)[
        plainly_coloured
    ]
    assert np.median(np.abs(turned)) < 5
    assert np.percentile(np.abs(turned), 99) < 30


def test_no_colour_gains_chroma_and_none_is_lost_for_nothing():
    luminance, _, rgb = recolored(chroma=60)
    chroma = np.hypot(*np.moveaxis(rgb_to_lab_exact(rgb)[..., 1:], -1, 0))
    assert chroma[luminance > 10].max() < 64
    assert np.median(chroma[(luminance > 50) & (luminance < 70)]) > 40


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_hardly_more_chroma_is_lost_than_the_gamut_asks_for():
    """By scikit-image: the largest chroma of which nothing is clipped."""
    luminance, hue = np.meshgrid(np.arange(15, 90, 7.3), np.arange(0, 2 * np.pi, 0.37))
    fitting = np.zeros_like(luminance)
    for chroma in range(1, 128):
        lab = np.dstack([luminance, chroma * np.cos(hue), chroma * np.sin(hue)])
        there_and_back = rgb2lab(lab2rgb(lab))
        fits = np.abs(there_and_back - lab).max(-1) < 0.01
        fitting[fits & (fitting == chroma - 1)] = chroma
    vivid = 128 * np.dstack([np.cos(hue), np.sin(hue)])
    rgb = lab_to_rgb(luminance.astype(np.float32), vivid.astype(np.float32))
    kept = np.hypot(*np.moveaxis(rgb_to_lab_exact(rgb)[..., 1:], -1, 0))
    assert (kept > 0.94 * fitting - 1).all()


def test_colours_inside_the_gamut_are_left_alone():
    _, ab, rgb = recolored(chroma=15)
    got = rgb_to_lab_exact(rgb)
    inside = (got[..., 0] > 20) & (got[..., 0] < 90)
    assert inside.any()
    assert np.abs(got[..., 1:] - ab)[inside].max() < 1.5


@pytest.mark.parametrize("luminance", [0, 100])
def test_black_and_white_take_no_colour(luminance):
    rgb = lab_to_rgb(np.full((1, 1), luminance, np.float32), np.full((1, 1, 2), 80, np.float32))
    assert np.abs(rgb_to_lab_exact(rgb)[0, 0, 0] - luminance) < 1
    if luminance == 100:
        assert rgb.min() > 248


@pytest.mark.parametrize(("value", "expected"), [(0, -1), (127.5, 0), (255, 1)])
def test_the_papers_range_is_minus_one_to_one(value, expected):
    assert normalize(value) == expected


@pytest.mark.parametrize(("luminance", "expected"), [(0, -1), (50, 0), (100, 1)])
def test_real_luminance_has_the_same_range(luminance, expected):
    assert normalize_luminance(luminance) == expected


def test_both_ways_to_the_papers_luminance_agree(random_rgb):
    from_8_bit = normalize(rgb_to_lab8(random_rgb)[..., 0].astype(np.float32))
    from_real = normalize_luminance(rgb_to_lab(random_rgb)[..., 0])
    assert np.abs(from_8_bit - from_real).max() < 0.02


def test_denormalized_ab_is_what_was_normalized():
    real = np.arange(-128, 128, dtype=np.float64)
    np.testing.assert_allclose(denormalize_ab(normalize(real + 128)), real)


def test_ab_in_the_papers_range_come_back():
    real = np.arange(-128, 128, dtype=np.float32)
    assert np.abs(normalize_ab(real)).max() == 1
    np.testing.assert_array_equal(denormalize_ab(normalize_ab(real)), real)
    np.testing.assert_array_equal(denormalize_ab(normalize_ab(real[1:-1] + 0.4)), real[1:-1])


def test_every_colour_is_near_a_bin_and_no_two_bins_are_alike(random_rgb):
    """The classes of Zhang et al. 2016: a grid of BIN_SIZE over what sRGB can show."""
    assert (AB_BINS % BIN_SIZE == 0).all()
    assert len({tuple(center) for center in AB_BINS.tolist()}) == len(AB_BINS)
    assert [0, 0] in AB_BINS.tolist()
    ab = rgb_to_lab(random_rgb[:40, :40])[..., 1:].reshape(-1, 1, 2)
    nearest = np.abs(ab - AB_BINS).max(-1).min(-1)
    assert (nearest <= BIN_SIZE / 2 + 0.01).mean() > 0.99
    assert nearest.max() < BIN_SIZE


def test_ab_beyond_the_range_is_clipped():
    np.testing.assert_array_equal(denormalize_ab(np.array([-7.0, 7.0])), [-128, 127])


@pytest.mark.parametrize(
    ("rgb", "lab8"),
    [
        ((255, 255, 255), (255, 128, 128)),
        ((0, 0, 0), (0, 128, 128)),
        ((255, 0, 0), (136, 208, 195)),
        ((0, 255, 0), (224, 42, 211)),
        ((0, 0, 255), (82, 207, 20)),
    ],
)
def test_known_colours_in_8_bit_lab(rgb, lab8):
    assert rgb_to_lab8(np.uint8([[rgb]])).tolist() == [[list(lab8)]]


def test_8_bit_lab_is_opencvs(random_rgb):
    bgr = np.ascontiguousarray(random_rgb[..., ::-1])
    np.testing.assert_array_equal(rgb_to_lab8(random_rgb), cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB))


def test_the_number_of_bins_stays_that_of_the_weights():
    assert AB_BINS.shape == (260, 2)
