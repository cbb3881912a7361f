"""Image files in, arrays out: every way in which a photo enters the product passes here."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

MAX_MEGAPIXELS = 50
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
SUFFIXES = {".jpg", ".jpeg", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}

Image.MAX_IMAGE_PIXELS = None  # `read_photo` has a limit of its own, and no warning before it


class PhotoError(ValueError):
    """A photo that cannot be used; the message is one sentence for the person who gave it."""


def read_photo(path: Path) -> np.ndarray:
    """Decode an image file as it is meant to be seen.

    EXIF orientation and an embedded colour profile are applied, transparency is put on white,
    16-bit and float pictures are brought to 8 bits, and of several frames the first is taken.

    Args:
        path: a JPEG, PNG, WebP, TIFF, BMP or GIF file.

    Returns:
        (H, W, 3) uint8 sRGB.

    Raises:
        PhotoError: not an image, damaged, or over `MAX_MEGAPIXELS` (found before decoding).
    """
    name = Path(path).name
    try:
        if Path(path).stat().st_size == 0:
            raise PhotoError(f"{name} is empty (0 bytes).")
        with Image.open(path, formats=FORMATS) as image:
            megapixels = image.width * image.height / 1e6
            if megapixels > MAX_MEGAPIXELS:
                raise PhotoError(
                    f"{name} has {megapixels:,.0f} megapixels; the limit is {MAX_MEGAPIXELS}."
                )
            image.load()
            return _to_rgb(image)
    except PhotoError:
        raise
    except Image.UnidentifiedImageError:
        raise PhotoError(f"{name} is not an image in JPEG, PNG, WebP, TIFF, BMP or GIF.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError(f"{name} does not exist.") from None
    except PermissionError:
        raise PhotoError(f"{name} may not be read (permission denied).") from None
    except IsADirectoryError:
        raise PhotoError(f"{name} is a folder, not an image.") from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        reason = getattr(error, "strerror", None) or error  # without the path
        raise PhotoError(f"{name} is damaged and cannot be read ({reason}).") from None


def array_to_rgb(photo: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a photo given as an array.

    Args:
        photo: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8, uint16, bool, or float in 0..1.

    Raises:
        PhotoError: another shape or type, no pixel, over `MAX_MEGAPIXELS`, or NaN.
    """
    photo = np.asarray(photo)
    if photo.ndim == 2:
        photo = photo[..., None]
    if photo.ndim != 3 or photo.shape[2] not in (1, 3, 4) or photo.size == 0:
        raise PhotoError(f"A photo has height, width and 1, 3 or 4 channels, not {photo.shape}.")
    if photo.shape[0] * photo.shape[1] > MAX_MEGAPIXELS * 1e6:
        raise PhotoError(f"The photo has over {MAX_MEGAPIXELS} megapixels, the limit.")
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


def _to_rgb(image: Image.Image) -> np.ndarray:
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF, of which Pillow raises many kinds, is no reason to refuse
        pass
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return array_to_rgb(_to_unit_range(np.asarray(image)))
    image = _to_srgb(image)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _to_unit_range(pixels: np.ndarray) -> np.ndarray:
    """Grey of 16 or 32 bits, or float of unknown range, as float in 0..1."""
    if not np.isfinite(pixels).all():
        raise PhotoError("The photo holds values that are not numbers (NaN or infinite).")
    if np.issubdtype(pixels.dtype, np.floating):
        return pixels / max(1.0, float(pixels.max()))
    return pixels / (65535 if pixels.max() <= 65535 else float(pixels.max()))


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
