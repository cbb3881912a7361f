"""Every kind of picture file that people have, and every kind of broken one."""

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.Image import Transpose

from model.photos import FORMAT_NAMES, FORMATS, MAX_MEGAPIXELS, PhotoError, array_to_rgb, read_photo
from tests.support.handmade import bmp_of_runs, png, png_header

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
HEIGHT, WIDTH = 16, 24


def quadrants() -> Image.Image:
    """Red and green above blue and grey: every turn and mirror image looks different."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[: HEIGHT // 2, : WIDTH // 2], rgb[: HEIGHT // 2, WIDTH // 2 :] = RED, GREEN
    rgb[HEIGHT // 2 :, : WIDTH // 2], rgb[HEIGHT // 2 :, WIDTH // 2 :] = BLUE, (128, 128, 128)
    return Image.fromarray(rgb)


def half_transparent(mode: str) -> Image.Image:
    """Opaque red (or black) on the left, fully transparent on the right."""
    image = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    image.paste((*(RED if mode == "RGBA" else (0, 0, 0)), 255), (0, 0, WIDTH // 2, HEIGHT))
    return image.convert(mode)


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def grey_ramp(dtype, top: float) -> np.ndarray:
    return np.tile(np.linspace(0, top, 256).astype(dtype), (4, 1))


def png_of_only_a_header(width: int, height: int) -> bytes:
    """A PNG of 1 bit a pixel whose pixels are missing: it cannot be decoded."""
    return png(png_header(width, height, bits=1), (b"IDAT", b""))


def refusal(path, shown: str | None = None) -> str:
    """What `read_photo` says about an unusable file: one sentence, naming it without its folder."""
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{shown or path.name} ")
    assert sentence.endswith(".") and "\n" not in sentence
    assert str(path.parent) not in sentence and "Traceback" not in sentence
    return sentence


def assert_close(rgb: np.ndarray, expected, *, within: int) -> None:
    assert rgb.dtype == np.uint8
    expected = np.asarray(expected)
    assert rgb.shape == expected.shape
    assert np.abs(rgb.astype(int) - expected).max() <= within


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff", "a.gif", "A.PNG"])
def test_lossless_formats_give_the_exact_picture(tmp_path, name):
    quadrants().save(tmp_path / name)
    assert_close(read_photo(tmp_path / name), quadrants(), within=0)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.webp"])
def test_lossy_formats_give_nearly_the_picture(tmp_path, name):
    quadrants().save(tmp_path / name, quality=100)
    rgb, inside = read_photo(tmp_path / name), np.s_[2::4, 2::4]  # away from the colours' edges
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert_close(rgb[inside], np.asarray(quadrants())[inside], within=12)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA"])
def test_every_mode_of_png_gives_rgb(tmp_path, mode):
    image = quadrants().convert(mode)
    image.save(tmp_path / "photo.png")
    assert_close(read_photo(tmp_path / "photo.png"), image.convert("RGB"), within=0)


def test_a_one_bit_picture_is_black_and_white(tmp_path):
    quadrants().convert("1").save(tmp_path / "fax.tif", compression="group4")
    assert set(np.unique(read_photo(tmp_path / "fax.tif"))) == {0, 255}


def test_the_content_counts_not_the_name(tmp_path):
    quadrants().save(tmp_path / "really-a-png.jpg", format="PNG")
    assert_close(read_photo(tmp_path / "really-a-png.jpg"), quadrants(), within=0)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_white(tmp_path, mode):
    half_transparent(mode).save(tmp_path / "cut-out.png")
    rgb = read_photo(tmp_path / "cut-out.png")
    assert (rgb[:, WIDTH // 2 :] == WHITE).all()
    assert (rgb[:, : WIDTH // 2] == (RED if mode == "RGBA" else (0, 0, 0))).all()


def test_half_transparency_mixes_with_white(tmp_path):
    Image.new("RGBA", (3, 3), (0, 0, 0, 128)).save(tmp_path / "glass.png")
    assert_close(read_photo(tmp_path / "glass.png"), np.full((3, 3, 3), 127), within=1)


@pytest.mark.parametrize("name", ["logo.png", "logo.gif"])
def test_transparency_of_a_palette_is_white(tmp_path, name):
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette([*BLUE, *RED])
    image.paste(1, (0, 0, WIDTH // 2, HEIGHT))
    image.save(tmp_path / name, transparency=0)
    rgb = read_photo(tmp_path / name)
    assert (rgb[:, WIDTH // 2 :] == WHITE).all()
    assert (rgb[:, : WIDTH // 2] == RED).all()


def test_a_cmyk_jpeg_is_read(tmp_path):
    quadrants().convert("CMYK").save(tmp_path / "print.jpg", quality=100, subsampling=0)
    rgb = read_photo(tmp_path / "print.jpg")
    assert_close(rgb[2, 2], RED, within=12)
    assert_close(rgb[2, -3], GREEN, within=12)


@pytest.mark.parametrize("name", ["scan.png", "scan.tif"])
def test_16_bit_grey_keeps_its_range(tmp_path, name):
    Image.fromarray(grey_ramp(np.uint16, 65535)).save(tmp_path / name)
    rgb = read_photo(tmp_path / name)
    assert (rgb == rgb[..., :1]).all()
    assert_close(rgb[0, :, 0], np.arange(256), within=1)


@pytest.mark.parametrize("top", [1.0, 255.0, 40000.0])
def test_a_float_tiff_is_brought_to_8_bits(tmp_path, top):
    Image.fromarray(grey_ramp(np.float32, top)).save(tmp_path / "float.tif")
    assert_close(read_photo(tmp_path / "float.tif")[0, :, 0], np.arange(256), within=1)


def test_a_32_bit_tiff_is_brought_to_8_bits(tmp_path):
    Image.fromarray(grey_ramp(np.int32, 1_000_000)).save(tmp_path / "long.tif")
    assert_close(read_photo(tmp_path / "long.tif")[0, :, 0], np.arange(256), within=1)


def test_a_float_tiff_with_nan_is_refused(tmp_path):
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "nan.tif")
    assert "NaN" in refusal(tmp_path / "nan.tif")


STORED_FOR_ORIENTATION = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}


@pytest.mark.parametrize("name", ["phone.jpg", "phone.png"])
@pytest.mark.parametrize("orientation", STORED_FOR_ORIENTATION)
def test_every_exif_orientation_comes_out_upright(tmp_path, name, orientation):
    turn = STORED_FOR_ORIENTATION[orientation]
    stored = quadrants() if turn is None else quadrants().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / name, exif=exif, quality=100, subsampling=0)
    assert_close(read_photo(tmp_path / name), quadrants(), within=12)


@pytest.mark.parametrize("name", ["phone.jpg", "phone.png", "phone.webp"])
def test_broken_exif_is_no_reason_to_refuse_a_picture(tmp_path, name):
    Image.new("RGB", (8, 8), RED).save(tmp_path / name, exif=b"Exif\0\0garbage", quality=100)
    assert_close(read_photo(tmp_path / name), np.tile(np.uint8(RED), (8, 8, 1)), within=4)


@pytest.mark.parametrize(
    ("name", "options"), [("moving.gif", {}), ("moving.webp", {"lossless": True}), ("2.tif", {})]
)
def test_the_first_of_several_frames_is_taken(tmp_path, name, options):
    blue = Image.new("RGB", (WIDTH, HEIGHT), BLUE)
    quadrants().save(tmp_path / name, save_all=True, append_images=[blue, blue], **options)
    assert_close(read_photo(tmp_path / name), quadrants(), within=0)


def test_a_two_picture_jpeg_of_a_phone_gives_the_first(tmp_path):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE))
    red.save(tmp_path / "phone.mpo", save_all=True, append_images=[blue])
    assert_close(read_photo(tmp_path / "phone.mpo")[0, 0], RED, within=4)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the primaries red and blue changed over: what is stored as red is shown blue."""
    names = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    profile = bytearray(srgb_profile())
    (count,) = struct.unpack_from(">I", profile, 128)
    for place in range(132, 132 + 12 * count, 12):
        name = bytes(profile[place : place + 4])
        profile[place : place + 4] = names.get(name, name)
    return bytes(profile)


@pytest.mark.parametrize("profile", [srgb_profile(), b"no profile at all"], ids=["srgb", "broken"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_an_srgb_or_broken_profile_changes_nothing(tmp_path, mode, profile):
    image = quadrants().convert(mode)
    image.save(tmp_path / "photo.png", icc_profile=profile)
    assert_close(read_photo(tmp_path / "photo.png"), image.convert("RGB"), within=1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_another_colour_profile_is_applied(tmp_path, mode):
    image = Image.new("RGB", (8, 8), RED).convert(mode)
    image.save(tmp_path / "photo.png", icc_profile=swapped_profile())
    assert_close(read_photo(tmp_path / "photo.png")[0, 0], BLUE, within=3)


def test_a_single_pixel_is_a_photo(tmp_path):
    Image.new("RGB", (1, 1), GREEN).save(tmp_path / "dot.png")
    assert read_photo(tmp_path / "dot.png").tolist() == [[list(GREEN)]]


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "nothing.jpg").touch()
    assert "empty" in refusal(tmp_path / "nothing.jpg")


@pytest.mark.parametrize("content", [b"Dear all,\nno picture here.\n", b"<svg/>", b"\0" * 999])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "letter.png").write_bytes(content)
    assert "not an image" in refusal(tmp_path / "letter.png")


def test_an_image_in_another_format_is_refused_with_the_known_ones(tmp_path):
    quadrants().save(tmp_path / "old.png", format="PCX")
    assert f"is not an image in {FORMAT_NAMES}." in refusal(tmp_path / "old.png")


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_file_is_refused(tmp_path, format):
    whole = io.BytesIO()
    noise().save(whole, format.upper())
    (tmp_path / "half.dat").write_bytes(whole.getvalue()[: whole.tell() // 2])
    assert "damaged" in refusal(tmp_path / "half.dat")


def test_a_missing_file_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "gone.jpg")


def test_a_missing_file_below_a_file_is_refused(tmp_path):
    quadrants().save(tmp_path / "apple.png")
    assert "does not exist" in refusal(tmp_path / "apple.png" / "pear.png")


def test_too_long_a_name_is_refused_and_shown_in_short(tmp_path):
    refusal(tmp_path / f"{'a' * 300}.jpg", shown=f"{'a' * 50}...{'a' * 16}.jpg")


def test_what_cannot_be_printed_of_a_name_is_not_shown(tmp_path):
    refusal(tmp_path / "a\nb\x1b[31m\u202egnp.jpg", shown="a?b?[31m?gnp.jpg")


def test_a_picture_without_pixels_is_refused(tmp_path):
    (tmp_path / "none.bmp").write_bytes(bmp_of_runs(0, 9, b"\0\1"))
    refusal(tmp_path / "none.bmp")


@pytest.mark.parametrize(("width", "height"), [(1_000_001, 1), (1, 1_000_001)])
def test_too_long_a_picture_is_refused_before_its_pixels_are_read(tmp_path, width, height):
    (tmp_path / "thread.png").write_bytes(png_of_only_a_header(width, height))
    assert "over 1,000,000 pixels a side" in refusal(tmp_path / "thread.png")


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "I;16", "F", "P"])
def test_a_large_picture_is_the_same_all_over(tmp_path, mode):
    image = Image.new(mode, (2_100, 1_100), 99 if mode in ("I;16", "F", "P") else "#204060")
    image.save(tmp_path / "large.tif")
    rgb = read_photo(tmp_path / "large.tif")
    assert rgb.shape == (1_100, 2_100, 3) and (rgb == rgb[0, 0]).all()


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "album.jpg").mkdir()
    assert "folder" in refusal(tmp_path / "album.jpg")


@pytest.mark.parametrize("side", [7_072, 65_000])
def test_too_large_a_picture_is_refused_before_its_pixels_are_read(tmp_path, side):
    (tmp_path / "huge.png").write_bytes(png_of_only_a_header(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the sentence is enough
        assert f"the limit is {MAX_MEGAPIXELS}" in refusal(tmp_path / "huge.png")


def test_the_header_alone_tells_nothing_of_a_picture_within_the_limit(tmp_path):
    (tmp_path / "large.png").write_bytes(png_of_only_a_header(7_000, 7_000))
    assert "damaged" in refusal(tmp_path / "large.png")


def test_a_whole_picture_of_50_megapixels_is_read(tmp_path):
    Image.new("1", (10_000, 5_000), 1).save(tmp_path / "limit.png")
    rgb = read_photo(tmp_path / "limit.png")
    assert rgb.shape == (5_000, 10_000, 3)
    assert (rgb[::1000, ::1000] == 255).all()


@pytest.mark.parametrize(
    ("dtype", "top"),
    [
        (np.uint8, 255),
        (np.uint16, 65535),
        (np.float16, 1),
        (np.float32, 1),
        (np.float64, 1),
        (bool, True),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)])
def test_arrays_of_every_type_and_shape(dtype, top, shape):
    for value, expected in ((0, 0), (top, 255)):
        photo = np.full(shape, value, dtype)
        if shape[-1] == 4:
            photo[..., 3] = top
        rgb = array_to_rgb(photo)
        assert rgb.flags.c_contiguous
        assert_close(rgb, np.full((2, 3, 3), expected), within=0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float32(0.5), 128), (np.float64(-3), 0), (np.float32(7), 255), (np.uint16(32768), 128)],
)
def test_values_in_between_and_beyond(value, expected):
    assert_close(array_to_rgb(np.full((1, 1), value)), [[[expected] * 3]], within=1)


@pytest.mark.parametrize("dtype", [">u2", "<u2"])
def test_the_byte_order_of_16_bit_arrays_does_not_matter(dtype):
    assert_close(array_to_rgb(np.full((1, 1), 65535, dtype)), [[[255] * 3]], within=0)


def test_transparent_arrays_are_put_on_white():
    assert (array_to_rgb(np.zeros((2, 2, 4), np.uint8)) == 255).all()


@pytest.mark.parametrize(
    "shape", [(), (3,), (2, 3, 2), (2, 3, 5), (1, 2, 3, 3), (0, 5), (5, 0, 3), (2, 3, 0)]
)
def test_arrays_of_another_shape_are_refused(shape):
    with pytest.raises(PhotoError, match="height, width and 1, 3 or 4 channels"):
        array_to_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint32, complex, object, "U1"])
def test_arrays_of_another_type_are_refused(dtype):
    with pytest.raises(PhotoError, match="uint8, uint16, bool or float"):
        array_to_rgb(np.zeros((2, 2), dtype))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_arrays_with_nan_are_refused(value):
    with pytest.raises(PhotoError, match="NaN or infinite"):
        array_to_rgb(np.array([[0.5, value]]))


@pytest.mark.parametrize("photo", [None, "apple.jpg", [[1, 2], [3]]])
def test_what_is_no_array_is_refused(photo):
    with pytest.raises(PhotoError):
        array_to_rgb(photo)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_too_large_an_array_is_refused_before_it_is_copied(dtype):
    photo = np.broadcast_to(np.zeros((), dtype), (1_000_000, 1_000_000, 3))  # no memory for these
    with pytest.raises(PhotoError, match=f"over {MAX_MEGAPIXELS} megapixels"):
        array_to_rgb(photo)
