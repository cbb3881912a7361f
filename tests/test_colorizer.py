"""The one pipeline: any photo of any size in, a colour photo with the same luminance out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from model import colorizer as pipeline
from model.color import rgb_to_lab, rgb_to_lab_exact
from model.colorizer import Colorizer, colorized_name, main, recolor, save_png
from model.networks import WeightsError, available_weights
from model.photos import PhotoError, read_photo
from model.rendered import render


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


SIZES = [(1, 1), (1, 500), (500, 1), (3000, 20), (333, 517), (2, 3)]


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


# The colours are brought up to the size of the photo


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
    assert steps.max() < 30 / 8 + 1.5
    assert steps.min() > -1.5


def test_colours_stay_in_their_place_when_enlarged():
    rgb = np.full((33, 70, 3), 128, np.uint8)
    mirrored = recolor(rgb, step(10)[:, ::-1])[:, ::-1]
    assert np.abs(recolor(rgb, step(10)).astype(int) - mirrored).max() <= 2


def test_at_4_times_the_networks_size_colours_change_little_from_pixel_to_pixel(colorizer):
    photo = cv2.resize(render("Pear Rendered Yellow"), (400, 400), interpolation=cv2.INTER_CUBIC)
    ab = rgb_to_lab(colorizer.colorize(photo))[150:350, 150:250, 1:]
    small = rgb_to_lab(colorizer.colorize(render("Pear Rendered Yellow")))[37:88, 37:63, 1:]
    blocks = np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)
    largest, of_blocks = (np.percentile(np.abs(np.diff(x, axis=1)), 99.5) for x in (ab, blocks))
    assert largest < 0.6 * of_blocks


def test_the_own_colours_give_the_photo_back(apple):
    back = recolor(apple, rgb_to_lab(apple)[..., 1:])
    assert np.abs(back.astype(int) - apple).max() <= 2


def test_without_colours_the_photo_is_grey_and_as_light_as_before(apple):
    result = recolor(apple, None)
    assert (result == result[..., :1]).all()
    assert np.abs(luminance(result) - luminance(apple)).max() < 1


@pytest.mark.parametrize("rows", [1, 7, 256])
def test_strips_leave_no_seam(colorizer, monkeypatch, rows):
    photo = cv2.resize(render("Apple Rendered Red Yellow"), (150, 601))
    monkeypatch.setattr(pipeline, "STRIP_ROWS", 10**9)
    whole = colorizer.colorize(photo)
    monkeypatch.setattr(pipeline, "STRIP_ROWS", rows)
    np.testing.assert_array_equal(colorizer.colorize(photo), whole)


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
            pool.map(colorizer.colorize, 5 * photos), 5 * expected, strict=True
        ):
            np.testing.assert_array_equal(result, wanted)


def test_unknown_weights_are_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match="'nothing'.*paper"):
        Colorizer.load("nothing")


def test_weights_are_known_by_their_name(colorizer):
    assert colorizer.name == "paper"
    assert colorizer.path.is_file()


# The command line


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def results(out: Path) -> list[str]:
    return sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file())


PEAR = Image.fromarray(render("Pear Rendered Green", size=60))
GOOD = (
    "photo.jpg",
    "CAPITALS.JPG",
    "photo2.jpeg",
    "photo3.png",
    "photo4.webp",
    "photo5.tif",
    "photo6.tiff",
    "photo7.bmp",
    "photo8.gif",
)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with a photo of every format and one more of each unusual mode."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in GOOD:
        PEAR.save(folder / name)
    PEAR.convert("L").save(folder / "grey.png")
    PEAR.convert("1").save(folder / "fax.tif")
    PEAR.convert("CMYK").save(folder / "print.jpg")
    PEAR.convert("RGBA").save(folder / "cut-out.png")
    Image.fromarray(np.full((9, 9), 30000, np.uint16)).save(folder / "scan.png")
    (folder / "notes.txt").write_text("no photo, and not named as one")
    return folder


def test_every_photo_of_a_folder_is_colorized(album, tmp_path, capsys):
    assert run(album, "--out", tmp_path / "out") == 0
    names = [file for file in album.iterdir() if file.suffix != ".txt"]
    assert results(tmp_path / "out") == sorted(f"{file.stem}-colorized.png" for file in names)
    for file in names:
        result = read_photo(tmp_path / "out" / colorized_name(file.stem))
        assert np.abs(luminance(result) - luminance(read_photo(file))).max() < 1
    assert f"{len(names)} of {len(names)} photos colorized" in capsys.readouterr().out


def test_a_broken_photo_is_named_and_the_others_are_done(album, tmp_path, capsys):
    (album / "broken.jpg").write_bytes((album / "photo.jpg").read_bytes()[:400])
    assert run(album, "--out", tmp_path / "out") == 1
    printed = capsys.readouterr()
    failed = [line for line in printed.err.splitlines() if line.startswith("failed:")]
    assert len(failed) == 1 and "broken.jpg is damaged" in failed[0]
    assert "14 of 15 photos colorized" in printed.out
    assert "broken-colorized.png" not in results(tmp_path / "out")
    assert len(results(tmp_path / "out")) == 14


def test_the_command_line_and_the_function_give_the_same(album, tmp_path, colorizer):
    run(album / "photo3.png", "--out", tmp_path / "out")
    np.testing.assert_array_equal(
        read_photo(tmp_path / "out" / "photo3-colorized.png"),
        colorizer.colorize(read_photo(album / "photo3.png")),
    )


@pytest.mark.parametrize("given", ["missing.jpg", "album/notes.txt"])
def test_a_file_that_is_no_photo_fails_by_name(album, tmp_path, capsys, given):
    assert run(tmp_path / given, "--out", tmp_path / "out") == 1
    assert f"failed: {Path(given).name} " in capsys.readouterr().err


@pytest.mark.parametrize(
    "names",
    [
        ["apple.jpg", "apple.png"],
        ["apple.jpg", "apple.png", "apple-png.jpg"],
        ["apple.jpg", "apple.png", "apple.gif", "apple.tif", "apple.tiff"],
        ["one/apple.jpg", "two/apple.jpg", "three/apple.jpg"],
    ],
)
def test_no_result_is_written_over_another(tmp_path, names):
    photos = [tmp_path / "album" / name for name in names]
    for place, photo in enumerate(photos):
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5 + place, 5)).save(photo)
    in_one_folder = len({photo.parent for photo in photos}) == 1
    given = [tmp_path / "album"] if in_one_folder else photos
    assert run(*given, "--out", tmp_path / "out") == 0
    widths = [Image.open(tmp_path / "out" / name).width for name in results(tmp_path / "out")]
    assert sorted(widths) == [5 + place for place in range(len(names))]


def test_subfolders_keep_their_place(tmp_path):
    for name in ("a.png", "x/a.png", "x/y/a.png"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        PEAR.save(tmp_path / "album" / name)
    assert run(tmp_path / "album", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == [
        "a-colorized.png",
        "x/a-colorized.png",
        "x/y/a-colorized.png",
    ]


def test_a_folder_named_like_a_photo_is_a_folder(tmp_path):
    (tmp_path / "album" / "party.jpg").mkdir(parents=True)
    PEAR.save(tmp_path / "album" / "party.jpg" / "pear.png")
    assert run(tmp_path / "album", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == ["party.jpg/pear-colorized.png"]


@pytest.mark.parametrize("inside", [".", "colorized"])
def test_results_inside_the_folder_are_not_taken_for_photos(tmp_path, inside):
    PEAR.save(tmp_path / "pear.png")
    for _ in range(2):
        assert run(tmp_path, "--out", tmp_path / inside) == 0
    assert set(results(tmp_path)) == {
        "pear.png",
        str(Path(inside) / "pear-colorized.png"),
    }


def test_an_empty_folder_is_no_success(tmp_path, capsys):
    (tmp_path / "album").mkdir()
    assert run(tmp_path / "album", "--out", tmp_path / "out") != 0
    assert "0 of 0 photos" in capsys.readouterr().out


def test_unknown_weights_are_one_sentence(album, tmp_path, capsys):
    assert run(album, "--out", tmp_path / "out", "--weights", "nothing") == 2
    said = capsys.readouterr().err
    assert said.startswith("model.colorizer: ") and said.count("\n") == 1
    assert "'nothing'" in said and all(name in said for name in available_weights())
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_made_is_one_sentence(album, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert run(album, "--out", tmp_path / "taken" / "out") == 2
    said = capsys.readouterr().err
    assert "taken" in said and said.count("\n") == 1


def test_a_result_that_cannot_be_written_is_named(album, tmp_path, capsys):
    (tmp_path / "out" / "photo3-colorized.png").mkdir(parents=True)
    assert run(album / "photo3.png", album / "grey.png", "--out", tmp_path / "out") == 1
    assert "photo3-colorized.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "grey-colorized.png").is_file()
    assert not list((tmp_path / "out").glob("*.partial"))


def test_results_tell_nothing_but_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PEAR.save(tmp_path / "pear.jpg", exif=exif, icc_profile=profile, comment="taken at home")
    run(tmp_path / "pear.jpg", "--out", tmp_path / "out")
    with Image.open(tmp_path / "out" / "pear-colorized.png") as result:
        assert (result.format, result.mode, result.size) == ("PNG", "RGB", PEAR.size)
        assert result.info == {} and not result.getexif()


def test_a_written_picture_is_read_as_it_was(tmp_path):
    rgb = random_photo(20, 30, 3)
    save_png(rgb, tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), rgb)
    assert results(tmp_path) == ["a.png"]
