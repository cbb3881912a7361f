"""Training samples: repeatable, of their sources in the shares stated, with hints that are true."""

from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from model.color import NEUTRAL, rgb_to_lab8
from model.data.rendered import render
from model.training import samples
from model.training.samples import HINTED_SHARE, MAX_HINT, SHARES, STUDIO, Samples, aged

CHROMA = {name: 20 + 15 * place for place, name in enumerate(SHARES)}  # tells a source
RED = (120, NEUTRAL + 60, NEUTRAL + 40)


def plain(chroma: int, *size: int) -> np.ndarray:
    """A picture of one colour."""
    return np.full((*size, 3), (150, NEUTRAL + chroma, NEUTRAL), np.uint8)


@pytest.fixture
def told_apart() -> dict[str, list[list[np.ndarray]]]:
    """Each source of another chroma, which neither gamma nor a turned hue changes."""
    sizes = dict.fromkeys(STUDIO, (100, 100)) | {"plates": (64, 64)}
    return {n: [[plain(chroma, *sizes.get(n, (200, 300)))]] for n, chroma in CHROMA.items()}


@pytest.fixture(scope="module")
def pictured() -> dict[str, list[list[np.ndarray]]]:
    """Rendered fruit, and as photos two enlarged ones."""
    fruit = [rgb_to_lab8(render(f"{kind} Rendered Red")) for kind in ("Apple", "Cherry")]
    photos = [np.repeat(np.repeat(picture, 3, 0), 3, 1) for picture in fruit]
    return {"classic": [fruit], "more": [fruit[:1]], "photos": [photos]}


@pytest.fixture
def red_square() -> np.ndarray:
    """A red square on white, as a fruit is shown."""
    picture = np.full((100, 100, 3), (255, NEUTRAL, NEUTRAL), np.uint8)
    picture[15:85, 15:85] = RED
    return picture


def chroma_of(lab8: np.ndarray) -> np.ndarray:
    """(..., 3, H, W) to (..., H, W)."""
    a, b = lab8[..., 1, :, :].astype(float), lab8[..., 2, :, :].astype(float)
    return np.hypot(a - NEUTRAL, b - NEUTRAL)


def counted(sources: dict, number: int = 500) -> Counter:
    """How many of this number of samples come from each source of `told_apart`."""
    lab8, _ = Samples(sources, 0, 0, canvas=32).batch(range(number))
    strongest = np.quantile(chroma_of(lab8), 0.9, axis=(1, 2))
    return Counter(min(CHROMA, key=lambda name: abs(CHROMA[name] - s)) for s in strongest)


@pytest.fixture
def never_aged(monkeypatch) -> None:
    monkeypatch.setattr(samples, "AGED_SHARE", 0)


# Which sample it is


@pytest.mark.parametrize("canvas", [32, 96, 160])
def test_a_batch_is_8_bit_lab_and_hints_of_the_size_asked_for(pictured, canvas):
    lab8, hints = Samples(pictured, 0, 0.3, canvas).batch(range(8))
    assert lab8.shape == hints.shape == (8, 3, canvas, canvas)
    assert lab8.dtype == hints.dtype == np.uint8


def test_a_sample_depends_on_the_seed_and_its_number_alone(pictured):
    source = Samples(pictured, 3, 0.3)
    together = source.batch(range(20))
    other_turn = Samples(pictured, 3, 0.3).batch(range(15, 20))
    for part, later in zip(together, other_turn, strict=True):
        np.testing.assert_array_equal(part[15:], later)
    np.testing.assert_array_equal(source.batch(range(7, 8))[0][0], together[0][7])


def test_another_seed_gives_other_samples_and_no_two_are_alike(pictured):
    first, second = (Samples(pictured, seed, 0.3).batch(range(20))[0] for seed in (0, 1))
    different = {sample.tobytes() for sample in np.concatenate([first, second])}
    assert len(different) == 40


def test_the_sources_are_left_as_they_are(pictured):
    before = [p.copy() for (pictures,) in pictured.values() for p in pictures]
    Samples(pictured, 0, 0.5).batch(range(30))
    after = [p for (pictures,) in pictured.values() for p in pictures]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


# Where it is from


def test_the_sources_have_their_shares(told_apart):
    counts = counted(told_apart)
    for name, share in SHARES.items():
        assert counts[name] / 500 == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(("balanced", "share"), [(True, 1 / 2), (False, 1 / 10)])
def test_groups_are_drawn_alike_where_that_is_asked_for(balanced, share):
    rare, common = plain(80, 100, 100), plain(20, 100, 100)
    source = Samples({"classic": [[rare], [common] * 9]}, 0, 0, balanced=balanced)
    strongest = chroma_of(source.batch(range(150))[0]).max((1, 2))
    assert np.mean(strongest > 50) == pytest.approx(share, abs=0.1)


def test_a_missing_source_leaves_its_share_to_the_others(told_apart):
    gone = "more"
    rest = {name: pictures for name, pictures in told_apart.items() if name != gone}
    counts = counted(rest | {gone: []})
    assert counts == counted(rest)
    total = 1 - SHARES[gone]
    assert set(counts) == set(rest)
    for name in rest:
        assert counts[name] / 500 == pytest.approx(SHARES[name] / total, abs=0.05)


def test_one_source_alone_is_enough(told_apart):
    assert counted({"photos": told_apart["photos"]}, 40) == {"photos": 40}


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (60, 50), (1000, 700)])
def test_photos_of_any_size_fill_the_canvas(size, never_aged):
    lab8, _ = Samples({"photos": [[plain(60, *size)]]}, 0, 0).batch(range(10))
    np.testing.assert_allclose(chroma_of(lab8), 60, atol=1)


# Fruit on white and elsewhere


@pytest.mark.parametrize("canvas", [96, 160])
def test_most_fruit_on_white_keeps_its_size(red_square, canvas, never_aged):
    lab8, _ = Samples({"classic": [[red_square]]}, 0, 0, canvas).batch(range(60))
    area = (chroma_of(lab8) > 50).sum((1, 2))
    assert (area == 70 * 70).mean() == pytest.approx(samples.NEAR_NATIVE, abs=0.1)


def test_without_backgrounds_fruit_is_on_white(red_square):
    lab8, _ = Samples({"classic": [[red_square]]}, 0, 0).batch(range(40))
    corners = lab8[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners > 250).mean() > 0.9


def test_on_backgrounds_the_fruit_keeps_its_colours(red_square, monkeypatch):
    monkeypatch.setattr(samples, "RECOLORED_SHARE", 0)
    lab8, _ = Samples({"classic": [[red_square]]}, 0, 1).batch(range(40))
    ab = lab8[:, 1:].astype(int) - NEUTRAL
    fruit = np.abs(ab - np.reshape(RED[1:], (2, 1, 1)) + NEUTRAL).max(1) <= 1
    assert (fruit.mean((1, 2)) > 0.03).all()  # it is there in every sample
    neutral = np.abs(ab).max(1) <= 1
    assert (fruit | neutral).mean() > 0.9  # the rest is the soft rim
    assert (neutral.mean((1, 2)) > 0.03).all()
    grey = lab8[:, 0][neutral]
    assert (grey > 250).mean() < 0.2 and grey.std() > 30  # and seldom white


def test_backgrounds_come_from_photos_too(red_square, monkeypatch):
    monkeypatch.setattr(samples, "RECOLORED_SHARE", 0)
    green = np.full((200, 300, 3), (120, NEUTRAL - 50, NEUTRAL), np.uint8)
    sources = {"classic": [[red_square]], "photos": [[green]]}
    lab8, _ = Samples(sources, 0, 1, shares={"classic": 1, "photos": 0}).batch(range(60))
    on_green = (np.abs(lab8[:, 1].astype(int) - NEUTRAL + 50) <= 1).mean((1, 2)) > 0.03
    assert 0.3 < on_green.mean() < 0.9


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_share_of_the_samples_has_a_background(red_square, share):
    lab8, _ = Samples({"classic": [[red_square]]}, 0, share).batch(range(150))
    on_white = (lab8[:, 0] > 250).mean((1, 2)) > 0.1
    assert 1 - on_white.mean() == pytest.approx(share, abs=0.12)


# Old prints


def test_an_old_print_changes_light_alone_but_for_a_border():
    rng = np.random.default_rng(0)
    picture = rng.integers(20, 236, (64, 48, 3), np.uint8)
    before = picture.copy()
    prints = [aged(picture, np.random.default_rng(seed)) for seed in range(40)]
    np.testing.assert_array_equal(picture, before)
    assert {(made.shape, made.dtype) for made in prints} == {((64, 48, 3), np.dtype(np.uint8))}
    bordered = 0
    for made in prints:
        covered = (made[..., 1:] != picture[..., 1:]).any(-1)
        assert (made[covered][:, 1:] == NEUTRAL).all()
        assert (made[covered][:, 0] == made[0, 0, 0]).all()
        assert not covered[8:-8, 8:-8].any()
        bordered += covered.any()
    assert 0 < bordered < len(prints) / 2
    assert np.mean([(made[..., 0] != picture[..., 0]).any() for made in prints]) > 0.8


@pytest.mark.parametrize(("source", "may_be_old"), [("classic", False), ("people", True)])
def test_photos_may_look_old_and_fruit_on_white_never_does(
    pictured, monkeypatch, source, may_be_old
):
    made = []
    for share in (0, 1):
        monkeypatch.setattr(samples, "AGED_SHARE", share)
        monkeypatch.setattr(samples, "HINTED_SHARE", 0)
        made.append(Samples({source: pictured["photos"]}, 0, 0, 64).batch(range(20))[0])
    different = (made[0] != made[1]).any((1, 2, 3))
    assert different.mean() > 0.8 if may_be_old else not different.any()


# Hints


def squares(mask: np.ndarray) -> list[tuple[slice, slice]]:
    """The hints that stand alone: full squares in a (H, W) mask of 0 and 1."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    found = []
    for place in ndimage.find_objects(labels):
        height, width = mask[place].shape
        if height == width <= MAX_HINT and mask[place].all():
            found.append(place)
    return found


def test_some_samples_have_hints_and_all_is_0_where_there_are_none(pictured):
    _, hints = Samples(pictured, 0, 0.3).batch(range(300))
    mask = hints[:, 2]
    assert set(np.unique(mask)) == {0, 1}
    assert not hints[np.repeat(mask[:, None] == 0, 3, axis=1)].any()
    assert mask.any((1, 2)).mean() == pytest.approx(HINTED_SHARE, abs=0.09)
    assert mask.mean() < 0.02  # a few small squares


def test_a_hint_is_the_true_mean_colour_of_its_square(pictured):
    lab8, hints = Samples(pictured, 0, 0.3).batch(range(200))
    sides, colours = set(), []
    for picture, given in zip(lab8, hints, strict=True):
        for place in squares(given[2]):
            true = picture[1:, *place].reshape(2, -1).mean(1)
            told = given[:2, *place].reshape(2, -1)
            if (told != told[:, :1]).any():  # two hints that make one square
                continue
            np.testing.assert_allclose(told[:, 0], true, atol=0.51)
            sides.add(given[2][place].shape[0])
            colours.append(told[:, 0].astype(int) - NEUTRAL)
    assert sides == set(range(1, MAX_HINT + 1)) and len(colours) > 80
    assert (np.abs(colours).max(1) > 8).mean() > 0.5  # mostly on the fruit


def test_hues_are_turned_only_where_hints_tell_and_luminance_stays(
    pictured, monkeypatch, never_aged
):
    source = Samples(pictured, 0, 0)
    lab8, hints = source.batch(range(200))
    monkeypatch.setattr(samples, "_turn_hue", lambda picture, angle: picture)
    as_they_were, _ = source.batch(range(200))
    np.testing.assert_array_equal(lab8[:, 0], as_they_were[:, 0])
    turned = (lab8 != as_they_were).any((1, 2, 3))
    hinted = hints[:, 2].any((1, 2))
    assert not turned[~hinted].any()
    assert turned[hinted].mean() == pytest.approx(samples.RECOLORED_SHARE, abs=0.15)


def test_turned_hues_keep_their_chroma_and_go_all_round(monkeypatch, never_aged):
    monkeypatch.setattr(samples, "HINTED_SHARE", 1)
    monkeypatch.setattr(samples, "RECOLORED_SHARE", 1)
    lab8, _ = Samples({"photos": [[plain(40, 200, 300)]]}, 0, 0).batch(range(40))
    np.testing.assert_allclose(chroma_of(lab8), 40, atol=1)
    ab = lab8[:, 1:, 0, 0].astype(int) - NEUTRAL
    quarters = {tuple(sign) for sign in (ab > 0).tolist()}
    assert len(quarters) == 4


def test_grey_stays_grey_when_hues_are_turned(monkeypatch):
    monkeypatch.setattr(samples, "HINTED_SHARE", 1)
    monkeypatch.setattr(samples, "RECOLORED_SHARE", 1)
    lab8, hints = Samples({"photos": [[plain(0, 200, 300)]]}, 0, 0).batch(range(10))
    assert (lab8[:, 1:] == NEUTRAL).all()
    assert (hints[:, :2][np.repeat(hints[:, 2:] == 1, 2, axis=1)] == NEUTRAL).all()
