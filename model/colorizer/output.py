"""Results on disk: their names, the photo that each belongs to, and how they are written."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# Keyword of the PNG text that says which photo a result belongs to.
PHOTO = "Photo"
# Bytes at the beginning and at the end of a photo's file that go into its fingerprint.
FINGERPRINT_BYTES = 2**16
# Letters of a folder's name that go into the name of a result.
FOLDER_LETTERS = 40


def colorized_name(stem: str) -> str:
    """Name of a result: that of apple.jpg, whose stem is apple, is apple-colorized.png."""
    return f"{stem}-colorized.png"


def possible_results(photo: Path, folder: Path) -> list[Path]:
    """Every file in `folder` that may be the result of `photo`, whichever other photos come with
    it: called after its stem, after its full name, or after that, its folder and a digest of its
    path."""
    full = photo.name.replace(".", "-")
    path = Path(os.path.normpath(photo.absolute()))
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    unlike_any = f"{full}-{path.parent.name[:FOLDER_LETTERS]}-{digest}"
    stems = dict.fromkeys([photo.stem, full, unlike_any])
    return [folder / colorized_name(stem) for stem in stems]


def choose_results(possible: Sequence[Sequence[Path]]) -> list[Path]:
    """For each photo the first of its `possible_results` that no other photo may have, whatever the
    order of the photos."""
    wanted = Counter(chain.from_iterable(possible))
    return [next((file for file in files if wanted[file] == 1), files[-1]) for files in possible]


def find_result(photo: Path, possible: Sequence[Path], chosen: Path) -> tuple[Path, bool]:
    """The file for the result of `photo`, and whether an earlier call made it of the photo as it is
    now: one of the `possible` files, or else the `chosen` one unless it is of another photo.

    A result that does not say which photo it is of counts where it is the `chosen` one. A result
    that is older than `photo` may be overwritten.
    """
    with suppress(OSError):  # a photo that cannot be read has no result
        made_of = {file: _photo_of(file) for file in possible if _is_newer(file, photo)}
        for file, other in made_of.items():
            if other == fingerprint(photo) or (other is None and file == chosen):
                return file, True
        if made_of.get(chosen):
            return possible[-1], False
    return chosen, False


def _is_newer(file: Path, photo: Path) -> bool:
    return file.is_file() and file.stat().st_mtime >= photo.stat().st_mtime


def fingerprint(photo: Path) -> str:
    """A digest of a photo file's size, beginning and end, which identifies it wherever it lies: 32
    hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with photo.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        for start in (0, max(0, size - FINGERPRINT_BYTES)):
            file.seek(start)
            digest.update(file.read(FINGERPRINT_BYTES))
    return digest.hexdigest()[:32]


def _photo_of(result: Path) -> str | None:
    """Fingerprint of the photo that `result` belongs to; None where it does not say, "" where it is
    not a picture."""
    try:
        with Image.open(result, formats=["PNG"]) as image:
            return image.info.get(PHOTO)
    except (OSError, SyntaxError, ValueError):  # what Pillow raises on damaged files
        return ""


def save_png(rgb: np.ndarray, file: Path, *, photo: str | None = None) -> None:
    """Write (H, W, 3) uint8 RGB as a PNG, whole or not at all. Its only metadata is the fingerprint
    of the `photo` that it belongs to, where one is given.

    Raises:
        OSError: it cannot be written.
    """
    partial = file.with_name(file.name + ".partial")
    info = PngInfo()
    if photo:
        info.add_text(PHOTO, photo)
    try:
        Image.fromarray(rgb).save(partial, format="PNG", compress_level=1, pnginfo=info)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
