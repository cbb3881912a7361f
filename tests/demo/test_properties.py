"""What holds for all inputs, and what becomes of inputs that nobody should send."""

import os

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from demo.colorize import pictures
from demo.colorize.handlers import name_of
from demo.server.internals import Photo
from model.color import (
    LUMINANCE_TOLERANCE,
    denormalize_ab,
    lab_to_rgb,
    luminance_to_gray,
    normalize_ab,
    rgb_to_lab,
    rgb_to_lab_exact,
)
from model.colorizer.pins import Pin, PinError
from model.colorizer.pipeline import MAX_VIVIDNESS, VividnessError
from model.photos import PhotoError, array_to_rgb
from tests.corpus import whole
from tests.support.painter import painter
from tests.support.posting import Api, Refused, is_one_sentence

SIDES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)
PICTURES = SIDES.flatmap(lambda shape: arrays(np.uint8, (*shape, 3)))
NUMBERS = st.floats() | st.integers()
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
COLORS = st.text("0123456789abcdefABCDEF", min_size=6, max_size=6).map("#{}".format)
DTYPES = ["u1", "u2", ">u2", "i4", "i8", "f2", "f4", "f8", "?", "c8", "M8[s]", "U1"]


@st.composite
def labs(draw) -> tuple[np.ndarray, np.ndarray]:
    """Real L, (H, W), and real a and b, (H, W, 2), float32 of any colours, also impossible ones."""
    shape = draw(SIDES)
    luminance = draw(arrays(np.float32, shape, elements=st.floats(0, 100, width=32)))
    ab = draw(arrays(np.float32, (*shape, 2), elements=st.floats(-128, 127, width=32)))
    return luminance, ab


def exact_luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb_to_lab_exact(rgb)[..., 0]


# Colour conversion


@given(PICTURES)
def test_every_colour_comes_back_from_lab(rgb):
    lab = rgb_to_lab(rgb)
    assert np.abs(lab - rgb_to_lab_exact(rgb)).max() < 0.5
    assert np.abs(lab_to_rgb(lab[..., 0], lab[..., 1:]).astype(int) - rgb).max() <= 1


@given(labs())
def test_every_lab_gives_a_colour_of_its_luminance(lab):
    luminance, ab = lab
    rgb = lab_to_rgb(luminance, ab)
    assert rgb.dtype == np.uint8 and rgb.shape == (*luminance.shape, 3)
    assert np.abs(rgb_to_lab(rgb)[..., 0] - luminance).max() <= LUMINANCE_TOLERANCE
    assert np.abs(exact_luminance(rgb) - luminance).max() < 1


@given(labs())
def test_a_pixel_is_what_it_is_whatever_surrounds_it(lab):
    luminance, ab = lab
    alone = lab_to_rgb(luminance[:1, :1], ab[:1, :1])
    np.testing.assert_array_equal(lab_to_rgb(luminance, ab)[:1, :1], alone)


@given(labs())
def test_grey_has_the_luminance_and_no_colour(lab):
    luminance, _ = lab
    gray = luminance_to_gray(luminance)
    assert (gray == gray[..., :1]).all()
    assert np.abs(exact_luminance(gray) - luminance).max() < 0.5


@given(labs())
def test_the_papers_encoding_of_ab_is_taken_back(lab):
    _, ab = lab
    encoded = normalize_ab(ab)
    assert np.abs(encoded).max() <= 1 + 1e-6
    np.testing.assert_array_equal(denormalize_ab(encoded), np.rint(ab))


# What programs and strangers hand over


@given(st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(dtype, array_shapes(max_side=5))))
def test_any_array_is_a_photo_or_refused_in_one_sentence(photo):
    try:
        rgb = array_to_rgb(photo)
    except PhotoError as error:
        assert is_one_sentence(str(error))
    else:
        assert rgb.dtype == np.uint8 and rgb.shape == (*photo.shape[:2], 3)


@given(
    st.text(max_size=60) | st.tuples(NUMBERS, NUMBERS, COLORS).map("{0[0]},{0[1]},{0[2]}".format)
)
def test_any_text_is_a_pin_or_refused_in_one_sentence(text):
    try:
        Pin.parse(text).check(40, 30)
    except PinError as error:
        assert is_one_sentence(str(error))


@given(JSON | st.lists(st.tuples(JSON, JSON, COLORS | JSON).map(list), max_size=3))
@example([[1, 2, "#a02818\N{LINE SEPARATOR}"]])
def test_any_json_is_pins_or_refused_in_one_sentence(sent):
    try:
        for pin in pictures.parse_pins(sent):
            pin.check(40, 30)
    except PinError as error:
        assert is_one_sentence(str(error))


@given(NUMBERS | JSON)
def test_any_vividness_colorizes_or_is_refused_in_one_sentence(vividness):
    try:
        painter().colorize(np.full((5, 5), 99, np.uint8), vividness=vividness)
    except VividnessError as error:
        assert is_one_sentence(str(error))
    else:
        assert 0 <= vividness <= MAX_VIVIDNESS


@given(st.text(max_size=400))
@example("../../etc/passwd")
@example("\N{PEAR}" * 300)
@example("..")
@example("half a letter \ud800.png")
def test_a_download_has_a_name_that_a_file_can_have(given_name):
    name = name_of(Photo(path="upload.png", orig_name=given_name))
    assert name.endswith("-colorized.png") and len(os.fsencode(name)) <= 255
    assert min(name) >= " " and not set(name) & set('/\\"<>|?*')


# The same over HTTP


@pytest.fixture(scope="module")
def api(server) -> Api:
    return Api(server.url)


@pytest.fixture(scope="module")
def photo(api) -> dict:
    return api.upload("fruit.png", whole()["fruit.png"])


def answer(api: Api, function: str, *inputs: object) -> None:
    """Ask; the page has to give a result or to refuse in one sentence."""
    try:
        api.call(function, *inputs)
    except Refused as refused:
        assert is_one_sentence(str(refused)), refused


NAN, HUGE = float("nan"), 10**400
PLACES = {"photo": 0, "weights": 1, "pins": 2, "vividness": 3, "reach": 4}


@pytest.mark.parametrize(
    ("place", "given"),
    [
        *(("photo", given) for given in (7, "a.png", [], [{}], {}, {"path": 7}, {"path": ""})),
        *(("photo", {"path": path}) for path in ("/", ".", "\0", "http://127.0.0.1:1/a.png")),
        ("photo", {"path": "a.png", "orig_name": 7, "meta": {"_type": "gradio.FileData"}}),
        ("photo", {"url": "http://127.0.0.1:1/a.png"}),
        *(("weights", given) for given in (None, 7, NAN, "nobody", ["paper"], {}, "x" * 5_000)),
        *(("weights", given) for given in ("../paper", "model/weights/paper.safetensors", "")),
        *(("pins", given) for given in (None, 7, "1,2,#a02818", {}, [7], [[]], [[1, 2]], [None])),
        *(("pins", [[x, 2, "#a02818"]]) for x in (NAN, HUGE, -1, 48, "x", None, [1], 1e308)),
        *(("pins", [[1, 2, color]]) for color in (None, 7, "red", "#12", "#" * 999, "#a02818\n7")),
        ("pins", [[1, 2, "#a02818"]] * 9_000),
        *(("reach", given) for given in (None, 7, NAN, "all", ["object"], {}, "x" * 5_000)),
        *(("vividness", given) for given in (None, NAN, HUGE, -1, 3, "1", [1], {}, "x" * 5_000)),
    ],
)
def test_a_wrong_input_is_refused_in_one_sentence(api, photo, place, given):
    inputs = [photo, "paper" if place != "pins" else "colornet", [], 1, "object"]
    inputs[PLACES[place]] = given
    with pytest.raises(Refused) as refused:
        api.call("colorize", *inputs)
    assert is_one_sentence(str(refused.value)), refused.value


@pytest.mark.parametrize("count", [NAN, HUGE, -1, 9, "1", [1], {}])
def test_a_wrong_count_is_refused_in_one_sentence(api, photo, count):
    with pytest.raises(Refused) as refused:
        api.call("alternatives", photo, "colornet", count)
    assert is_one_sentence(str(refused.value)), refused.value


@pytest.mark.parametrize("inputs", [(), ("colornet",), (None, "colornet", [], 1, 5, 6)])
def test_another_number_of_inputs_is_no_trouble(api, inputs):
    answer(api, "colorize", *inputs)


def test_a_call_without_the_reach_works_as_before_there_was_one(api, photo):
    assert api.is_png(api.call("colorize", photo, "colornet", [[9, 9, "#a02818"]], 1)[1]["url"])
    assert isinstance(api.call("alternatives", photo, "colornet", 1)[0], list)


@given(place=st.sampled_from([*PLACES]), given=JSON)
def test_any_json_is_answered(api, photo, place, given):
    inputs = [photo, "paper", [], 1, "object"]
    inputs[PLACES[place]] = given
    answer(api, "colorize", *inputs)


@pytest.mark.parametrize("name", ["", "..", "a\nb.png", "\ud800.png", "l" * 5_000])
def test_any_name_is_no_reason_to_refuse_a_photo(api, photo, name):
    assert api.is_png(api.call("colorize", photo | {"orig_name": name}, "paper", [], 1)[1]["url"])


def test_after_all_that_a_good_photo_works(api, photo):
    pins = [[24, 24, "#a02818"]]
    assert api.is_png(api.call("colorize", photo, "colornet", pins, 1.5)[1]["url"])
