"""The reported figures against published and hand-computed values."""

import math

import numpy as np
import pytest

from model.color import lab_to_rgb, rgb_to_lab8, rgb_to_lab_exact
from model.data.rendered import VARIETIES, render
from model.metrics import (
    COLOR_CHROMA,
    ab_mse,
    ciede2000,
    color_mask,
    colorfulness,
    fruit_ciede2000,
    fruit_mask,
    fruit_mask_lab8,
    is_in_color,
    photo_ciede2000,
)

# Test data of Sharma, Wu & Dalal (2005): two Lab colours and their CIEDE2000.
SHARMA = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (56, -27, -3), 31.9030),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


def published_formula(first, second) -> float:
    """CIEDE2000 of two Lab colours, written down from the paper step by step."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - math.sqrt(c7 / (c7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn, h = h2 - h1, (h1 + h2) / 2
    if c1 * c2 == 0:
        turn, h = 0, h1 + h2
    elif abs(turn) > 180:
        turn -= math.copysign(360, turn)
        h += 180 if h1 + h2 < 360 else -180
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    light, c = (l1 + l2) / 2, (c1 + c2) / 2

    def cos(degrees: float) -> float:
        return math.cos(math.radians(degrees))

    t = 1 - 0.17 * cos(h - 30) + 0.24 * cos(2 * h) + 0.32 * cos(3 * h + 6)
    t -= 0.20 * cos(4 * h - 63)
    sl = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rotation = -2 * math.sqrt(c**7 / (c**7 + 25**7))
    rotation *= math.sin(math.radians(60 * math.exp(-(((h - 275) / 25) ** 2))))
    l_term, c_term, h_term = dl / sl, dc / sc, dh / sh
    return math.sqrt(l_term**2 + c_term**2 + h_term**2 + rotation * c_term * h_term)


@pytest.fixture
def pairs() -> np.ndarray:
    """200 pairs of colours, half of them close together: (2, 200, 3) uint8."""
    rng = np.random.default_rng(4)
    first, far = rng.integers(0, 256, (2, 200, 3))
    near = np.clip(first[:100] + rng.integers(-6, 7, (100, 3)), 0, 255)
    return np.stack([first, np.concatenate([near, far[100:]])]).astype(np.uint8)


@pytest.mark.parametrize(("first", "second", "published"), SHARMA)
def test_the_formula_written_here_gives_the_published_values(first, second, published):
    assert published_formula(first, second) == pytest.approx(published, abs=5e-5)
    assert published_formula(second, first) == pytest.approx(published, abs=5e-5)


def test_ciede2000_agrees_with_the_formula(pairs):
    expected = [
        published_formula(*map(tuple, lab)) for lab in rgb_to_lab_exact(pairs).swapaxes(0, 1)
    ]
    np.testing.assert_allclose(ciede2000(*pairs), expected, atol=1e-6)


def test_equal_colours_do_not_differ_and_the_order_does_not_matter(pairs):
    first, second = pairs
    assert (ciede2000(first, first) == 0).all()
    np.testing.assert_allclose(ciede2000(first, second), ciede2000(second, first), atol=1e-9)


def test_ciede2000_keeps_the_shape_of_pictures():
    black, white = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 255, np.uint8)
    np.testing.assert_allclose(ciede2000(black, white), np.full((4, 5), 100), atol=0.01)


def test_grey_is_not_colourful():
    greys = np.repeat(np.random.default_rng(0).integers(0, 256, (30, 30, 1)), 3, axis=2)
    assert colorfulness(greys.astype(np.uint8)) == 0


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        # red - green is 255, (red + green) / 2 - blue is 127.5; nothing spreads
        ([[255, 0, 0]], 0.3 * math.hypot(255, 127.5)),
        # beside black, means and standard deviations are half of that
        ([[255, 0, 0], [0, 0, 0]], 1.3 * math.hypot(127.5, 63.75)),
        # red and green: red - green spreads by 255 around 0, the other is 127.5 throughout
        ([[255, 0, 0], [0, 255, 0]], 255 + 0.3 * 127.5),
    ],
)
def test_colourfulness_by_hand(pixels, expected):
    assert colorfulness(np.uint8(pixels)) == pytest.approx(expected)


def test_colourfulness_of_a_picture_is_that_of_its_pixels():
    picture = render("Apple Rendered Red")
    assert colorfulness(picture) == pytest.approx(colorfulness(picture.reshape(-1, 3)))


@pytest.mark.parametrize("variety", [*VARIETIES][::4])
def test_the_mask_holds_the_fruit_and_not_the_background(variety):
    rgb = render(variety)
    mask = fruit_mask(rgb)
    assert mask.shape == (100, 100) and mask.dtype == bool
    for corner in (mask[:5, :5], mask[:5, -5:], mask[-5:, :5], mask[-5:, -5:]):
        assert not corner.any()
    assert mask[50:85, 45:55].all()
    skin = (rgb < 200).any(axis=2)
    assert mask[skin].mean() > 0.85


def test_a_highlight_inside_the_fruit_is_fruit():
    rgb = render("Cherry Rendered Dark")
    rgb[60:70, 45:55] = 255
    assert fruit_mask(rgb)[60:70, 45:55].all()


def test_the_rim_where_fruit_and_background_mix_is_left_out():
    rgb = np.full((9, 9, 3), 255, np.uint8)
    rgb[2:7, 2:7] = 100
    expected = np.zeros((9, 9), bool)
    expected[3:6, 3:6] = True
    np.testing.assert_array_equal(fruit_mask(rgb), expected)


def test_a_white_picture_has_no_fruit_and_a_dark_one_no_background():
    assert not fruit_mask(np.full((8, 8, 3), 255, np.uint8)).any()
    assert fruit_mask(np.zeros((8, 8, 3), np.uint8)).all()


@pytest.mark.parametrize("variety", [*VARIETIES][::4])
def test_the_mask_is_all_but_the_same_from_8_bit_lab(variety):
    rgb = render(variety)
    assert (fruit_mask(rgb) == fruit_mask_lab8(rgb_to_lab8(rgb))).mean() > 0.99


def test_what_is_more_than_tinted_is_in_colour():
    """Rising chroma from left to right, at a luminance where all of it can be shown."""
    chroma = np.linspace(0, 20, 64, dtype=np.float32)[None].repeat(8, 0)
    rgb = lab_to_rgb(np.full_like(chroma, 60), np.dstack([chroma, np.zeros_like(chroma)]))
    mask = color_mask(rgb)
    assert mask.shape == (8, 64) and mask.dtype == bool
    assert not mask[chroma < COLOR_CHROMA - 0.7].any()
    assert mask[chroma > COLOR_CHROMA + 0.7].all()


@pytest.mark.parametrize("variety", [*VARIETIES][::4])
def test_fruit_is_in_colour_and_its_background_is_not(variety):
    rgb = render(variety)
    assert color_mask(rgb)[fruit_mask(rgb)].mean() > 0.7
    assert not color_mask(rgb)[:5, :5].any() and not color_mask(rgb)[-5:, -5:].any()
    assert is_in_color(rgb)


def test_a_grey_scan_is_not_in_colour():
    rng = np.random.default_rng(0)
    sepia = np.clip(rng.integers(40, 220, (50, 50, 1)) + np.array([2, 0, -3]), 0, 255)
    assert not color_mask(sepia.astype(np.uint8)).any()
    assert not is_in_color(sepia.astype(np.uint8))


def test_the_difference_on_the_fruit_leaves_the_background_out():
    true = render("Apple Rendered Red")
    tinted = true.copy()
    tinted[~fruit_mask(true)] = (200, 220, 255)
    assert fruit_ciede2000(tinted, true) == 0
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert fruit_ciede2000(black, white) == pytest.approx(100, abs=0.01)  # no fruit: all of it


def test_the_difference_of_photos_is_that_of_what_is_in_colour():
    true = np.full((30, 40, 3), 128, np.uint8)
    true[:5] = (180, 40, 40)
    tinted = true.copy()
    tinted[5:] = (90, 120, 200)
    assert photo_ciede2000(tinted, true) == 0
    assert photo_ciede2000(true[5:], tinted[5:]) > 10
    assert photo_ciede2000(tinted[5:], true[5:]) > 10  # no colour: all of it


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [([0, 0], [0, 0], 0), ([1, -1], [0, 0], 1), ([[0.5], [0]], [[0], [0]], 0.125)],
)
def test_ab_mse_by_hand(predicted, true, expected):
    assert ab_mse(np.float32(predicted), np.float32(true)) == expected


def test_ab_mse_of_many_small_errors_loses_no_precision():
    predicted = np.full((4, 2, 500, 500), 1e-3, np.float32)
    assert ab_mse(predicted, np.zeros_like(predicted)) == pytest.approx(1e-6, rel=1e-6)
