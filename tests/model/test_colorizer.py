"""The one pipeline: any photo of any size in, a colour photo with the same luminance out."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from model.color import lab_to_rgb, rgb_to_lab, rgb_to_lab_exact
from model.colorizer.pins import MAX_PINS, Pin, PinError
from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor
from model.data.rendered import render
from model.metrics import ciede2000, fruit_mask
from model.networks.colornet import ColorNet
from model.networks.files import save_weights
from model.photos import PhotoError
from model.weights import WeightsError
from tests.support.painter import painter


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("paper")


@pytest.fixture(scope="module")
def apple() -> np.ndarray:
    return render("Apple Rendered Red", size=200)


def random_photo(height: int, width: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (height, width, *shape), dtype=np.uint8)


def luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb_to_lab_exact(rgb)[..., 0]


def grey(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) of an (H, W) photo."""
    return np.repeat(photo[..., None], 3, axis=2)


SIZES = [(1, 1), (1, 500), (500, 1), (333, 517)]


@pytest.mark.parametrize("size", SIZES)
def test_the_result_has_the_size_of_the_photo_and_its_luminance(colorizer, size):
    photo = random_photo(*size)
    result = colorizer.colorize(photo)
    assert result.shape == (*size, 3) and result.dtype == np.uint8
    assert np.abs(luminance(result) - luminance(grey(photo))).max() < 1


@pytest.mark.parametrize("kind", ["noise", "fruit", "every grey", "primaries"])
def test_luminance_is_kept_everywhere_whatever_the_colours_of_the_photo(colorizer, apple, kind):
    primaries = np.uint8(
        [[255 * (n >> 2 & 1), 255 * (n >> 1 & 1), 255 * (n & 1)] for n in range(8)]
    )
    photo = {
        "noise": random_photo(150, 150, 3),
        "fruit": apple,
        "every grey": grey(np.arange(256, dtype=np.uint8).reshape(16, 16)),
        "primaries": np.repeat(np.repeat(primaries[None], 20, axis=0), 5, axis=1),
    }[kind]
    assert np.abs(luminance(colorizer.colorize(photo)) - luminance(photo)).max() < 1


def test_a_photo_of_fruit_comes_out_in_colour(colorizer, apple):
    result = colorizer.colorize(recolor(apple, None))
    fruit = result[60:180, 60:140].astype(int)
    assert np.ptp(fruit, axis=-1).mean() > 20
    assert fruit[..., 0].mean() > fruit[..., 2].mean()


def test_a_white_background_stays_nearly_white(colorizer, apple):
    assert colorizer.colorize(apple)[:10, :10].min() > 235


def test_only_the_luminance_of_a_colour_photo_counts(colorizer, apple):
    from_colour, from_grey = colorizer.colorize(apple), colorizer.colorize(recolor(apple, None))
    difference = np.abs(from_colour.astype(int) - from_grey)
    assert difference.mean() < 1
    assert np.percentile(difference, 99.9) <= 6


def test_the_same_photo_gives_the_same_result_and_is_left_alone(colorizer, apple):
    before = apple.copy()
    first = colorizer.colorize(apple)
    np.testing.assert_array_equal(first, colorizer.colorize(apple))
    np.testing.assert_array_equal(apple, before)


@pytest.mark.parametrize("kind", ["(H, W)", "(H, W, 1)", "(H, W, 4)", "uint16", "float"])
def test_every_kind_of_array_gives_the_same_colours(colorizer, apple, kind):
    photo = apple[..., 1]
    same = {
        "(H, W)": photo,
        "(H, W, 1)": photo[..., None],
        "(H, W, 4)": np.dstack([grey(photo), np.full_like(photo, 255)]),
        "uint16": photo.astype(np.uint16) * 257,
        "float": photo / 255,
    }[kind]
    np.testing.assert_array_equal(colorizer.colorize(same), colorizer.colorize(grey(photo)))


@pytest.mark.parametrize("photo", [np.zeros((0, 5)), np.zeros((2, 2, 2)), np.full((2, 2), np.nan)])
def test_what_is_no_photo_is_refused(colorizer, photo):
    with pytest.raises(PhotoError):
        colorizer.colorize(photo)


def test_at_4_times_the_networks_size_colours_change_little_from_pixel_to_pixel(colorizer):
    photo = cv2.resize(render("Pear Rendered Yellow"), (400, 400), interpolation=cv2.INTER_CUBIC)
    ab = rgb_to_lab(colorizer.colorize(photo))[150:350, 150:250, 1:]
    small = rgb_to_lab(colorizer.colorize(render("Pear Rendered Yellow")))[37:88, 37:63, 1:]
    blocks = np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)
    largest, of_blocks = (np.percentile(np.abs(np.diff(x, axis=1)), 99.5) for x in (ab, blocks))
    assert largest < 0.6 * of_blocks


@pytest.mark.parametrize("size", [(3, 40_000), (40_000, 3)])
def test_a_photo_longer_than_32767_pixels_works(colorizer, size):
    photo = np.full(size, 128, np.uint8)
    result = colorizer.colorize(photo)
    assert result.shape == (*size, 3)
    assert np.abs(luminance(result) - luminance(grey(photo))).max() < 1


def test_a_photo_of_12_megapixels_works(colorizer):
    photo = cv2.resize(render("Cherry Rendered Red"), (4000, 3000))
    result = colorizer.colorize(photo)
    assert result.shape == (3000, 4000, 3)
    assert np.abs(luminance(result[::50, ::50]) - luminance(photo[::50, ::50])).max() < 1


def test_threads_get_what_one_after_the_other_gets(colorizer):
    photos = [render(name, size=120) for name in ("Pear Rendered Green", "Apple Rendered Red")]
    photos += [random_photo(90, 140), random_photo(61, 33, 3)]
    expected = [colorizer.colorize(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        for result, wanted in zip(
            pool.map(colorizer.colorize, 3 * photos), 3 * expected, strict=True
        ):
            np.testing.assert_array_equal(result, wanted)


def test_unknown_weights_are_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match="'nothing'.*paper"):
        Colorizer.load("nothing")


def test_weights_are_known_by_their_name(colorizer):
    assert colorizer.name == "paper"
    assert colorizer.path.is_file()


# The scale at which the network sees the photo


def seen(photo: np.ndarray) -> tuple[int, int]:
    """Height and width of what a network for fruit of 100 and photos of 256 pixels is shown."""
    colorizer = painter()
    colorizer.colorize(photo)
    return tuple(colorizer.network.seen)


PEAR = render("Pear Rendered Green", size=300)


def on_white(size: int, share: float) -> np.ndarray:
    """A pear that takes up this share of a white picture of `size` x `size` pixels."""
    pear = cv2.resize(PEAR, (round(size * share),) * 2)
    rest = size - len(pear)
    borders = (rest // 2, rest - rest // 2) * 2
    return cv2.copyMakeBorder(pear, *borders, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def scene(height: int, width: int) -> np.ndarray:
    """A photo without white: smooth greys and an apple."""
    ramp = np.linspace(60, 190, width)[None].repeat(height, axis=0)
    return cv2.circle(ramp.astype(np.uint8), (width // 2, height // 2), height // 5, 90, -1)


def test_a_fruits_360_picture_stays_as_it_is():
    photo = render("Apple Rendered Red")
    np.testing.assert_array_equal(painter().prepare(photo).small, photo)


@pytest.mark.parametrize("size", [256, 2000])
def test_a_fruit_that_fills_a_white_picture_is_shown_at_100_pixels(apple, size):
    assert seen(cv2.resize(apple, (size, size))) == (100, 100)


def test_small_fruit_on_white_looks_nearly_the_same_mirrored_and_photos_take_one_view():
    loaded = Colorizer.load("colornet")
    chroma = loaded.photo_chroma
    plain = Colorizer(loaded.network, loaded.path, photo_chroma=chroma, averages=False)

    def asymmetry(colorizer: Colorizer, photo: np.ndarray) -> float:
        ab, mirrored = colorizer.predict_ab(photo), colorizer.predict_ab(photo[:, ::-1])
        return float(np.abs(ab - mirrored[:, ::-1]).mean())

    apple, photo = render("Apple Rendered Red"), cv2.merge([scene(200, 256)] * 3)
    assert 0 < asymmetry(loaded, apple) < asymmetry(plain, apple) / 2
    np.testing.assert_array_equal(loaded.predict_ab(photo), plain.predict_ab(photo))


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_fruit_on_white_is_shown_as_large_as_in_training_whatever_the_size(share):
    extent = np.ptp(np.nonzero(fruit_mask(recolor(on_white(1000, share), None)))[0]) / 1000
    sizes = np.array([seen(on_white(size, share))[0] for size in (256, 512, 1024)])
    assert np.abs(sizes * extent - 100).max() < 8
    assert np.ptp(sizes) <= 0.02 * sizes.mean()


def test_of_several_equal_fruits_on_white_each_is_shown_as_large_as_in_training():
    height, width = seen(np.hstack([on_white(500, 0.9), on_white(500, 0.9)]))
    extent = np.ptp(np.nonzero(fruit_mask(recolor(on_white(500, 0.9), None)))[0]) / 500
    assert abs(height * extent - 100) < 15 and width == 2 * height  # a thin stem does not count


def test_a_small_fruit_on_white_is_not_shown_larger_than_a_photo():
    assert seen(on_white(1000, 0.2)) == (256, 256)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((256, 256), (256, 256)),
        ((600, 1200), (128, 256)),
        ((180, 120), (180, 120)),
    ],
)
def test_another_photo_is_shown_at_256_pixels_at_most_and_never_enlarged(size, expected):
    assert seen(scene(*size)) == expected


def test_colour_or_grey_a_photo_is_shown_alike():
    lemon = on_white(600, 0.6)
    assert seen(lemon) == seen(recolor(lemon, None))


@pytest.mark.parametrize("photo", [on_white(400, 0.5), scene(300, 400), scene(30, 40)])
def test_the_papers_network_sees_every_photo_at_100_pixels(colorizer, photo):
    assert max(colorizer.predict_ab(np.dstack(3 * [photo])[..., :3]).shape) == 100


def test_a_white_or_black_page_is_no_fruit_and_no_failure():
    for value in (0, 255):
        assert painter().colorize(np.full((300, 200), value, np.uint8)).shape == (300, 200, 3)


def print_of_a_photo() -> np.ndarray:
    """(150, 200, 3) uint8 RGB, grey, from nearly black to nearly white."""
    coarse = np.random.default_rng(3).integers(10, 230, (6, 8)).astype(np.float32)
    return grey(np.clip(cv2.resize(coarse, (200, 150)), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("value", [0, 255])
def test_the_border_of_a_print_is_not_shown_and_gets_no_colour(value):
    photo = print_of_a_photo()
    framed = cv2.copyMakeBorder(photo, *[9] * 4, cv2.BORDER_CONSTANT, value=[value] * 3)
    prepared = painter().prepare(framed)
    assert prepared.mask is None
    extended = cv2.copyMakeBorder(photo, *[9] * 4, cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(prepared.seen, rgb_to_lab(extended)[..., 0], atol=0.1)
    colored = painter().colorize(framed)
    np.testing.assert_array_equal(colored[:8], framed[:8])
    assert (np.ptp(colored[40:-40, 40:-40], axis=-1) > 10).mean() > 0.9


def test_a_faded_print_is_shown_nearly_as_the_photo_and_others_as_they_are():
    photo = print_of_a_photo()
    shown = painter().prepare(photo).seen
    np.testing.assert_array_equal(shown, rgb_to_lab(photo)[..., 0])
    faded = painter().prepare(np.rint(photo * 0.5 + 64).astype(np.uint8)).seen
    assert np.abs(faded - shown).mean() < 6


# Pins, vividness, likely colours, alternatives

RED_PIN = (200, 30, 40)


def redness(rgb: np.ndarray) -> np.ndarray:
    return rgb_to_lab(rgb)[..., 1]


@pytest.mark.parametrize(
    ("x", "y"),
    [(0, 0), (999.9, 0), (0, 499.9), (999.9, 499.9), (500, 250), (250, 400), (7, 493)],
)
def test_a_pin_colours_its_spot_and_not_the_rest(x, y):
    photo = np.full((500, 1000), 120, np.uint8)
    plain = painter(reach=4)
    pinned = plain.colorize(photo, pins=[Pin(x, y, RED_PIN)], reach="spot")
    change = redness(pinned) - redness(plain.colorize(photo))
    assert change[int(y), int(x)] > 30
    rows, columns = np.nonzero(change > 10)
    away = np.hypot(rows + 0.5 - y, columns + 0.5 - x)
    assert away.max() < 100


def test_on_a_photo_a_pin_may_change_all_that_had_its_places_colour():
    """The network turns all of a picture with a pin, as it learned to."""
    photo = np.full((200, 256), 60, np.uint8)
    photo[:, 128:] = 150
    turning = painter()
    following = turning.network.forward

    def forward(luminance, hints=None):
        if hints is not None:
            return following(luminance, hints)
        right = (luminance > 0).float()
        return torch.cat([0.5 - right, 0.3 * torch.ones_like(right)], 1)  # red, and green right

    turning.network.forward = forward
    freely = turning.predict_ab(np.dstack([photo] * 3))
    pin = Pin(20, 20, (40, 60, 200))
    pinned = turning.predict_ab(np.dstack([photo] * 3), pins=[pin], reach="everything")
    assert (np.abs(pinned - freely)[:, :128] > 20).any(-1).all(), "all of the left is blue"
    assert np.abs(pinned - freely)[:, 128:].max() < 1


@pytest.mark.parametrize("places", [[(50, 55)], [(50, 55), (40, 70)]])
def test_on_a_fruit_on_white_a_pins_place_has_its_colour_though_the_network_hesitates(places):
    apple = render("Apple Rendered Red", size=100)
    hesitant = painter(reach=4)
    bold = hesitant.network.forward
    hesitant.network.forward = lambda *given: 0.5 * bold(*given)
    wanted = rgb_to_lab(np.uint8([[RED_PIN]]))[0, 0, 1:]
    freely = hesitant.predict_ab(apple)
    pinned = hesitant.predict_ab(apple, pins=[Pin(x, y, RED_PIN) for x, y in places])
    for x, y in places:
        np.testing.assert_allclose(pinned[y, x], wanted, atol=3)
    change = np.linalg.norm(pinned - freely, axis=-1)
    assert change[-1, -1] < 0.01 * change[y, x], "the background is as it was"


def test_a_pin_keeps_its_colour_where_it_is_hard_to_tell_whether_a_fruit_is_on_white():
    """A dark frame takes up about a third of the outermost pixels."""
    hesitant, pin = painter(reach=4), Pin(250, 300, RED_PIN)
    bold = hesitant.network.forward
    hesitant.network.forward = lambda *given: 0.5 * bold(*given)
    judged = set()
    for up in range(150, 166):
        photo = on_white(500, 0.75)
        photo[-5:] = photo[-up:, :5] = 40
        prepared = hesitant.prepare(photo)
        judged.add(prepared.mask is None)
        assert np.abs(hesitant.predict_ab(prepared, pins=[pin])).max() < 70, up  # the pin has 64
    assert judged == {True, False}


def test_a_photo_prepared_once_gives_what_it_gives_by_itself():
    unsure, pin = painter(yellow=0.5, green=0.2, red=0.3), Pin(150, 160, RED_PIN)
    for photo in (on_white(200, 0.7), scene(170, 200)):
        prepared = unsure.prepare(photo)
        assert unsure.alternatives(prepared) == unsure.alternatives(photo) != []
        assert unsure.likely_colors(prepared, 9, 9) == unsure.likely_colors(photo, 9, 9)
        np.testing.assert_array_equal(
            unsure.colorize(prepared, pins=[pin]), unsure.colorize(photo, pins=[pin])
        )
        preview = cv2.resize(prepared.rgb, (100, 80))
        assert unsure.colorize(prepared.onto(preview), pins=[pin]).shape == (80, 100, 3)


@pytest.mark.parametrize(
    "photo", [render("Apple Rendered Red", size=100), np.dstack([scene(100, 100)] * 3)]
)
def test_specks_that_a_network_leaves_at_a_pin_are_smoothed(photo):
    speckled = painter()
    clean = speckled.network.forward

    def forward(luminance, hints=None):
        ab = clean(luminance, hints)
        checks = torch.ones_like(ab)
        checks[..., ::2, ::2] = -1
        return ab if hints is None else ab + 0.2 * checks * hints[:, 2:]  # 25 units

    speckled.network.forward = forward
    pinned = speckled.predict_ab(photo, pins=[Pin(50, 50, RED_PIN)])[40:60, 40:60]
    assert np.abs(np.diff(pinned, axis=0)).max() < 10 > np.abs(np.diff(pinned, axis=1)).max()


def test_of_two_pins_at_one_place_the_later_counts():
    colorizer, photo = painter(), scene(200, 256)
    red, blue = Pin(50, 50, RED_PIN), Pin(50, 50, (30, 40, 200))
    for pins, later in (([red, blue], blue), ([blue, red], red)):
        np.testing.assert_array_equal(
            colorizer.colorize(photo, pins=pins), colorizer.colorize(photo, pins=[later])
        )


def test_of_a_pins_colour_only_a_and_b_count():
    photo = np.full((60, 60), 120, np.uint8)
    lab = np.float32([[[30, 30, 20], [60, 30, 20]]])
    dark, light = lab_to_rgb(lab[..., 0], lab[..., 1:])[0].tolist()
    difference = painter().colorize(photo, pins=[Pin(9, 9, dark)]).astype(int) - painter().colorize(
        photo, pins=[Pin(9, 9, light)]
    )
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize("vividness", [0, 2])
def test_luminance_is_kept_with_pins_and_vividness(apple, vividness):
    pins = [Pin(100, 120, (255, 0, 0)), Pin(5, 5, (0, 0, 255)), Pin(80, 150, (0, 255, 0))]
    for photo in (apple, random_photo(300, 260)):
        result = painter(reach=30).colorize(photo, pins=pins, vividness=vividness)
        grey_photo = photo if photo.ndim == 3 else grey(photo)
        assert np.abs(luminance(result) - luminance(grey_photo)).max() < 1


def test_vividness_is_a_factor_on_the_chroma():
    photo = np.full((40, 40), 140, np.uint8)
    colored = [painter().colorize(photo, vividness=v) for v in (0, 0.5, 1, 1.5)]
    chroma = [np.hypot(*rgb_to_lab(rgb)[20, 20, 1:]) for rgb in colored]
    assert np.ptp(colored[0], axis=-1).max() == 0
    np.testing.assert_allclose(chroma[1:], [20, 40, 60], atol=1.5)


def test_the_chroma_that_photos_need_is_for_photos_alone_and_not_for_pins():
    """A pinned colour comes out as it was pinned."""
    scenes = {"photo": np.full((100, 100), 140, np.uint8), "white": on_white(200, 0.9)}
    pin = Pin(50, 50, (150, 110, 100))
    ab = {}
    for factor in (1.0, 1.5):
        colorizer = painter(photo_chroma=factor)
        for name, rgb in scenes.items():
            ab[name, factor] = colorizer.predict_ab(grey(rgb) if rgb.ndim == 2 else rgb)
        pinned = colorizer.colorize(scenes["photo"], pins=[pin])
        wanted = rgb_to_lab(np.uint8([[pin.rgb]]))[0, 0, 1:]
        np.testing.assert_allclose(rgb_to_lab(pinned)[50, 50, 1:], wanted, atol=1.5)
    np.testing.assert_allclose(ab["photo", 1.5], 1.5 * ab["photo", 1.0], rtol=1e-5)
    np.testing.assert_array_equal(ab["white", 1.5], ab["white", 1.0])


def test_weights_bring_the_chroma_that_their_photos_need(tmp_path):
    photo, ab = np.full((100, 100), 140, np.uint8), {}
    torch.manual_seed(1)
    network = ColorNet()
    for name, facts in {"plain": {}, "strong": {"photo_chroma": 1.5}}.items():
        save_weights(network, tmp_path / f"{name}.safetensors", facts)
        colorizer = Colorizer.load(tmp_path / f"{name}.safetensors")
        ab[name] = colorizer.predict_ab(grey(photo))
    assert np.abs(ab["plain"]).max() > 1
    np.testing.assert_allclose(ab["strong"], 1.5 * ab["plain"], rtol=1e-5)


@pytest.mark.parametrize("vividness", [-0.1, 2.01, np.nan, np.inf])
def test_another_vividness_is_refused(colorizer, apple, vividness):
    with pytest.raises(ValueError, match="from 0"):
        colorizer.colorize(apple, vividness=vividness)


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ([Pin(200, 5, RED_PIN)], "200, 5 is outside the photo of 200 x 100 pixels"),
        ([Pin(5, 100, RED_PIN)], "outside the photo"),
        ([Pin(-0.1, 5, RED_PIN)], "outside the photo"),
        ([Pin(np.nan, 5, RED_PIN)], "outside the photo"),
        ([Pin(5, np.inf, RED_PIN)], "outside the photo"),
        ([Pin(5, 5, (256, 0, 0))], "three numbers from 0 to 255"),
        ([Pin(5, 5, (0, -1, 0))], "three numbers from 0 to 255"),
        ([Pin(5, 5, (0, np.nan, 0))], "three numbers from 0 to 255"),
        ([Pin(5, 5, (1, 2))], "three numbers from 0 to 255"),
        ([Pin(5, 5, "red")], "three numbers from 0 to 255"),
        ([Pin(5, 5, None)], "three numbers from 0 to 255"),
        (10_000 * [Pin(5, 5, RED_PIN)], "10,000 pins; the limit is 256"),
    ],
)
def test_a_pin_that_cannot_be_used_is_one_sentence(pins, said):
    with pytest.raises(PinError) as caught:
        painter().colorize(np.full((100, 200), 99, np.uint8), pins=pins)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_the_limit_of_pins_is_usable():
    pins = [Pin(n % 60, n // 60, RED_PIN) for n in range(MAX_PINS)]
    assert painter().colorize(np.full((60, 60), 99, np.uint8), pins=pins).shape == (60, 60, 3)


def test_a_network_without_hints_says_that_it_takes_no_pins(colorizer, apple):
    assert not colorizer.takes_pins and painter().takes_pins
    with pytest.raises(PinError, match="paper take no pins"):
        colorizer.colorize(apple, pins=[Pin(5, 5, RED_PIN)])


def test_a_pin_is_read_from_text():
    assert Pin.parse("120,80.5,#c03020") == Pin(120, 80.5, (192, 48, 32))
    assert Pin.parse(" 0, 0, #FFFFFF ") == Pin(0, 0, (255, 255, 255))
    assert Pin.parse("-3,1e2,#000000") == Pin(-3, 100, (0, 0, 0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2",
        "1,2,red",
        "1,2,#fff",
        "1,2,#gggggg",
        "a,2,#ffffff",
        "1.2.3,2,#ffffff",
        "1,2,#ffffff,9",
    ],
)
def test_text_that_is_no_pin_is_refused_with_an_example(text):
    with pytest.raises(PinError, match="X,Y,#RRGGBB, such as"):
        Pin.parse(text)


def test_likely_colours_come_in_their_order_and_with_the_luminance_of_the_place():
    photo = np.full((100, 200), 60, np.uint8)
    photo[:, 100:] = 150
    unsure = painter(red=0.5, yellow=0.3, green=0.2)
    for x, value in ((20, 60), (199.9, 150)):
        colors = unsure.likely_colors(photo, x, 50, count=3)
        lab = rgb_to_lab(np.uint8([colors]))[0]
        assert lab[0, 1] > 20 and abs(lab[1, 1]) < 12 and lab[2, 1] < -15  # red, yellow, green
        wanted = rgb_to_lab(np.full((1, 1, 3), value, np.uint8))[0, 0, 0]
        assert np.abs(lab[:, 0] - wanted).max() < 1


def test_likely_colours_are_plainly_different_and_at_most_count():
    unsure = painter(red=0.4, yellow=0.3, green=0.3)
    photo = np.full((50, 50), 120, np.uint8)
    colors = unsure.likely_colors(photo, 3, 3, count=5)
    assert len(colors) == 3  # nothing that is unlikely
    assert unsure.likely_colors(photo, 3, 3, count=2) == colors[:2]
    for number, color in enumerate(colors):
        assert all(ciede2000(np.uint8(color), np.uint8(c)) >= 10 for c in colors[:number])


def test_a_pin_that_sways_all_does_not_hide_what_is_likely_without_it():
    unsure, photo = painter(red=0.6, yellow=0.4), np.full((50, 50), 120, np.uint8)
    freely, swayed = unsure.network.distribution, painter(green=1).network.distribution
    unsure.network.distribution = lambda luminance, hints=None: (
        freely(luminance) if hints is None else swayed(luminance, hints)
    )
    before = unsure.likely_colors(photo, 3, 3)
    after = unsure.likely_colors(photo, 3, 3, pins=[Pin(40, 40, (60, 200, 60))])
    assert len(before) == 2 and len(after) == 3 and set(before) < set(after)


def test_likely_colours_need_a_place_in_the_photo(colorizer, apple):
    with pytest.raises(PinError, match="outside the photo"):
        painter().likely_colors(apple, 200, 0)
    assert colorizer.likely_colors(apple, 5, 5) == []


@pytest.mark.parametrize("photo", [on_white(500, 0.95), on_white(300, 0.5), scene(400, 500)])
def test_alternatives_are_the_other_likely_versions_likeliest_first(photo):
    unsure = painter(yellow=0.5, green=0.2, red=0.3)
    red, green = unsure.alternatives(photo)
    middle = tuple(side // 2 for side in photo.shape[:2])
    assert redness(unsure.colorize(photo, pins=red))[middle] > 15
    assert redness(unsure.colorize(photo, pins=green))[middle] < -10


def test_the_pins_of_an_alternative_are_on_the_fruit_and_not_on_highlights():
    photo = on_white(500, 0.6)
    for pins in painter(yellow=0.5, green=0.2, red=0.3).alternatives(photo):
        assert 2 <= len(pins) <= 4
        for pin in pins:
            assert rgb_to_lab(photo)[int(pin.y), int(pin.x), 0] < 92
            assert fruit_mask(photo)[int(pin.y), int(pin.x)]


def test_alternatives_are_at_most_count():
    unsure = painter(yellow=0.5, green=0.2, red=0.3)
    assert len(unsure.alternatives(on_white(300, 0.9), count=1)) == 1
    assert unsure.alternatives(on_white(300, 0.9), count=0) == []


def test_where_there_is_no_doubt_there_is_no_alternative(colorizer, apple):
    assert painter(yellow=1).alternatives(apple) == []
    assert painter(yellow=0.99, red=0.01).alternatives(apple) == []
    assert colorizer.alternatives(apple) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 2), (9, 17)])
def test_pins_and_alternatives_of_unusual_shapes(size):
    photo = random_photo(*size)
    unsure = painter(yellow=0.5, green=0.2, red=0.3)
    for pins in unsure.alternatives(photo) or [[Pin(0, 0, RED_PIN)]]:
        assert unsure.colorize(photo, pins=pins).shape == (*size, 3)
    assert unsure.likely_colors(photo, size[1] - 0.5, size[0] - 0.5)
