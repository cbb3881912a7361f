"""Image files in, arrays out: every photo enters the product through here."""

import io
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

# Every format of pictures that is read, with its file names' suffixes. Pillow knows the formats by
# the same names in capitals. Sentences for people about formats are made from this table.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
FORMAT_NAMES = " or ".join(", ".join(FORMATS).rsplit(", ", 1))
MAX_MEGAPIXELS = 50
# Longest side of a photo, in pixels: beyond it, OpenCV's tables take more memory than the picture.
MAX_SIDE = 1_000_000
# Pixels of a decoded picture that are converted at a time, so that memory stays bounded.
BAND_PIXELS = 2**21

Image.MAX_IMAGE_PIXELS = None  # `read_photo` has a limit of its own, and no warning before it


class PhotoError(ValueError):
    """A photo that cannot be used; the message is one sentence for the person who gave it."""


def read_photo(path: Path) -> np.ndarray:
    """Decode an image file as it is meant to be seen.

    EXIF orientation and an embedded colour profile are applied, transparency is put on white,
    16-bit and float pictures are brought to 8 bits, and of several frames the first is taken.

    Args:
        path: a file in one of `FORMATS`.

    Returns:
        (H, W, 3) uint8 sRGB.

    Raises:
        PhotoError: not an image, damaged, or over `MAX_MEGAPIXELS` or `MAX_SIDE` (found before
            decoding).
    """
    name = shown_name(path)
    try:
        if Path(path).stat().st_size == 0:
            raise PhotoError(f"{name} is empty (0 bytes).")
        with Image.open(path, formats=[name.upper() for name in FORMATS]) as image:
            megapixels = image.width * image.height / 1e6
            if megapixels > MAX_MEGAPIXELS:
                raise PhotoError(
                    f"{name} has {megapixels:,.0f} megapixels; the limit is {MAX_MEGAPIXELS}."
                )
            if max(image.size) > MAX_SIDE:
                raise PhotoError(f"{name} has over {MAX_SIDE:,} pixels a side, the limit.")
            if not megapixels:
                raise PhotoError(f"{name} has no pixels.")
            image.load()
            return _to_rgb(image, name)
    except PhotoError:
        raise
    except Image.UnidentifiedImageError:
        raise PhotoError(f"{name} is not an image in {FORMAT_NAMES}.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError(f"{name} does not exist.") from None
    except PermissionError:
        raise PhotoError(f"{name} may not be read (permission denied).") from None
    except IsADirectoryError:
        raise PhotoError(f"{name} is a folder, not an image.") from None
    except MemoryError:
        raise PhotoError(f"There is not enough memory to read {name}.") from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        reason = getattr(error, "strerror", None) or error  # without the path
        raise PhotoError(f"{name} is damaged and cannot be read ({_printable(reason)}).") from None


def shown_name(path: Path) -> str:
    """The name of a file, short and printable enough for a sentence."""
    name = _printable(Path(path).name)
    return name if len(name) <= 80 else f"{name[:50]}...{name[-20:]}"


def _printable(text: object) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


def array_to_rgb(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a photo given as an array.

    Args:
        photo: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8, uint16, bool, or float in 0..1.

    Raises:
        PhotoError: another shape or type, no pixel, over `MAX_MEGAPIXELS` or `MAX_SIDE`, or NaN.
    """
    try:
        photo = np.asarray(photo)
    except ValueError:
        raise PhotoError("The rows of a photo have the same length; these do not.") from None
    if photo.ndim == 2:
        photo = photo[..., None]
    if photo.ndim != 3 or photo.shape[2] not in (1, 3, 4) or photo.size == 0:
        raise PhotoError(f"A photo has height, width and 1, 3 or 4 channels, not {photo.shape}.")
    if photo.shape[0] * photo.shape[1] > MAX_MEGAPIXELS * 1e6:
        raise PhotoError(f"The photo has over {MAX_MEGAPIXELS} megapixels, the limit.")
    if max(photo.shape) > MAX_SIDE:
        raise PhotoError(f"The photo has over {MAX_SIDE:,} pixels a side, the limit.")
    if photo.dtype == bool:
        photo = photo * np.uint8(255)
    elif photo.dtype.newbyteorder("=") == np.uint16:
        photo = (photo / 257).round().astype(np.uint8)
    elif np.issubdtype(photo.dtype, np.floating):
        if not np.isfinite(photo).all():
            raise PhotoError("The photo holds values that are not numbers (NaN or infinite).")
        photo = (photo.clip(0, 1) * 255).round().astype(np.uint8)
    elif photo.dtype != np.uint8:
        raise PhotoError(f"A photo is uint8, uint16, bool or float in 0..1, not {photo.dtype}.")
    if photo.shape[2] == 4:
        return _on_white(Image.fromarray(photo))
    return np.ascontiguousarray(np.broadcast_to(photo, (*photo.shape[:2], 3)))


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    with suppress(Exception):  # broken EXIF, of many kinds to Pillow, is no reason to refuse
        ImageOps.exif_transpose(image, in_place=True)
    deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    white = _white_level(image, name) if deep else None
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        if deep:
            rgb[rows] = array_to_rgb(np.asarray(band, np.float32) / np.float32(white))
        else:
            rgb[rows] = _band_to_rgb(band)
    return rgb


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """All rows of the picture, some at a time."""
    height = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, height):
        bottom = min(top + height, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _white_level(image: Image.Image, name: str) -> float:
    """The value that counts as white in grey of 16 or 32 bits, or float of unknown range."""
    greatest = -math.inf
    for _, band in _bands(image):
        values = np.asarray(band)
        if not np.isfinite(values).all():
            raise PhotoError(f"{name} holds values that are not numbers (NaN or infinite).")
        greatest = max(greatest, float(values.max()))
    if image.mode == "F":
        return max(1.0, greatest)
    return 65535 if greatest <= 65535 else greatest


def _band_to_rgb(image: Image.Image) -> np.ndarray:
    image = _to_srgb(image)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB where it carries another RGB or CMYK profile, such as Display P3."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile is no reason to refuse the picture


def _on_white(image: Image.Image) -> np.ndarray:
    white = Image.new("RGBA", image.size, "white")
    return np.array(Image.alpha_composite(white, image).convert("RGB"))


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) `picture` at (width, height) `size`: area averages on the way down, cubic on the
    way up."""
    import cv2  # not needed, and not loaded, by processes that only read photos

    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    shrinking = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)


def shrunk(rgb: np.ndarray, side: int) -> np.ndarray:
    """`rgb`, (H, W, 3) uint8, by area averages with at most `side` pixels on the longer side."""
    factor = side / max(rgb.shape[:2])
    if factor >= 1:
        return rgb
    width, height = (max(1, round(length * factor)) for length in rgb.shape[1::-1])
    return resize(rgb, (width, height))
