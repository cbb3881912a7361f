"""Pictures beyond the classic Fruits-360: further varieties, photos of fruit, and any photos.

`--more DIR` (or FRUITS360_MORE_DIR) holds `<variety>/<index>_100.jpg`, varieties that Fruits-360
gained after 2020. `--photos DIR` (or FRUIT_PHOTOS_DIR) holds `grocery/{train,val}/<kind>/*.jpg`
(GroceryStoreDataset, Klasson et al. 2019), `orchard-<fruit>/*.jpg` (LatHort) and `plates/*.jpg`
(DeepFruits). `--general DIR` (or GENERAL_PHOTOS_DIR) holds `{train,val}/<source>/*.jpg`, ordinary
photos of people, scenes and things.
"""

import argparse
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.data import fruits360
from model.data.fruits360 import DataError
from model.photos import PhotoError, read_photo, shrunk

# Whole varieties held out: the first for validation (the split `whole` trains on them too), the
# second for reporting, once.
VALIDATION_VARIETIES = ("Apple 9", "Apple 18", "Cherry 5")
TEST_VARIETIES = ("Apple 7", "Apple 13", "Apple 20", "Cherry Sour 1")

# Longer side at which photos are measured, in pixels.
PHOTO_SIDE = 256
# Number of photos of grocery/train to each one that is for validation.
VALIDATION_ONE_IN = 10

# The sources of ordinary photos that show people, and those that show single things; all others
# show scenes.
PEOPLE = ("london_faces", "webmorph_canada", "interfaces_cc0", "gsa_18f", "pif_gov")
THINGS = ("flower_photos", "clothing_cc0", "grocery", "webmorph_lisa_cc0")
# A standard test set among the ordinary photos for validation: reported, not chosen by.
KODAK = "kodak"

VARIABLES = {
    "data": "FRUITS360_DIR",
    "more": "FRUITS360_MORE_DIR",
    "photos": "FRUIT_PHOTOS_DIR",
    "general": "GENERAL_PHOTOS_DIR",
}
SPLITS = {
    "more-train": "further varieties without those of more-val and more-test",
    "more-val": "further varieties for validation; only --split whole trains on them",
    "more-test": "further varieties never trained on, for reporting only",
    "photos-train": "photos of grocery/train and the orchards without those of photos-val",
    "photos-val": "one in ten of grocery/train, for validation",
    "photos-test": "photos of grocery/val, for reporting only",
    "photos-plates": "small photos of fruit on plates, for training",
    "general-train": "ordinary photos of train",
    "general-val": "ordinary photos of val without kodak, for validation",
    "general-test": "kodak, for reporting only",
}


@dataclass(frozen=True)
class Photos:
    """Photos of any shape: each (H, W, 3) uint8 RGB, and the kind of fruit on each."""

    rgb: list[np.ndarray]
    kinds: list[str]


def load_more(more: str | Path | None, part: str) -> fruits360.Pictures:
    """Further varieties: `part` is train, val or test.

    Raises:
        DataError: no folder is given, or there are no such pictures in it.
    """
    root = _root(more, "more")
    held_out = dict.fromkeys(VALIDATION_VARIETIES, "val") | dict.fromkeys(TEST_VARIETIES, "test")
    files = sorted(root.glob("*/*_100.jpg"))
    chosen = [file for file in files if held_out.get(file.parent.name, "train") == part]
    if not chosen:
        raise DataError(
            f"{root} holds no pictures for more-{part}: expected DIR/<variety>/*_100.jpg."
        )
    return fruits360.read_pictures(chosen)


def load_photos(photos: str | Path | None, part: str, *, side: int = PHOTO_SIDE) -> Photos:
    """Photos of fruit with at most `side` pixels on the longer side: `part` is train, val, test or
    plates.

    Raises:
        DataError: no folder is given, or there are no such photos in it.
    """
    root = _root(photos, "photos")
    if part == "plates":
        chosen = sorted(root.glob("plates/*.jpg"))
    elif part == "test":
        chosen = sorted(root.glob("grocery/val/*/*.jpg"))
    else:
        shops = sorted(root.glob("grocery/train/*/*.jpg"))
        chosen = [file for file in shops if _is_validation(file) == (part == "val")]
        chosen += sorted(root.glob("orchard-*/*.jpg")) if part == "train" else []
    if not chosen:
        raise DataError(
            f"{root} holds no photos for photos-{part}: expected DIR/grocery/train/<kind>/*.jpg,"
            " DIR/grocery/val/<kind>/*.jpg, DIR/orchard-<fruit>/*.jpg and DIR/plates/*.jpg."
        )
    return _read(root, chosen, side)


def load_general(general: str | Path | None, part: str, *, side: int = PHOTO_SIDE) -> Photos:
    """Ordinary photos with at most `side` pixels on the longer side; their kinds are their sources.
    `part` is train, val or test.

    Raises:
        DataError: no folder is given, or there are no such photos in it.
    """
    root = _root(general, "general")
    files = sorted(root.glob("train/*/*.jpg" if part == "train" else "val/*/*.jpg"))
    if part != "train":
        files = [file for file in files if (file.parent.name == KODAK) == (part == "test")]
    if not files:
        raise DataError(
            f"{root} holds no photos for general-{part}: expected DIR/train/<source>/*.jpg and"
            " DIR/val/<source>/*.jpg."
        )
    return _read(root, files, side)


def _read(root: Path, files: list[Path], side: int) -> Photos:
    loaded = Photos([], [])
    for file in tqdm(files, desc="reading photos", unit="", disable=None):
        try:
            loaded.rgb.append(shrunk(read_photo(file), side))
        except PhotoError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        loaded.kinds.append(file.parent.name)
    if not loaded.rgb:
        raise DataError(f"Not one photo in {root} can be read; see the list above.")
    return loaded


def load_split(
    split: str, *, data=None, more=None, photos=None, general=None, side: int = PHOTO_SIDE
) -> fruits360.Pictures | Photos:
    """The pictures of a split of `fruits360.SPLITS` or of `SPLITS`, from the folder it is in;
    photos with at most `side` pixels on the longer side.

    Raises:
        DataError: unknown split, or unusable folder.
    """
    collection, _, part = split.partition("-")
    if split not in SPLITS:
        return fruits360.load_split(data, split)
    if collection == "more":
        return load_more(more, part)
    if collection == "general":
        return load_general(general, part, side=side)
    return load_photos(photos, part, side=side)


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The flags that name the folders of pictures."""
    parser.add_argument("--data", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    parser.add_argument("--more", help="further varieties (default: FRUITS360_MORE_DIR)")
    parser.add_argument("--photos", help="photos of fruit (default: FRUIT_PHOTOS_DIR)")
    parser.add_argument("--general", help="ordinary photos (default: GENERAL_PHOTOS_DIR)")


def folders_of(arguments: argparse.Namespace) -> dict[str, str | None]:
    """The folders that these flags gave, by name."""
    return {name: getattr(arguments, name) for name in VARIABLES}


def is_given(split: str, folders: dict[str, str | None]) -> bool:
    """Whether the folder of a split is given, in `folders` (data, more, photos, general) or by its
    environment variable."""
    name = split.partition("-")[0] if split in SPLITS else "data"
    return bool(folders.get(name) or os.environ.get(VARIABLES[name]))


def _root(given: str | Path | None, name: str) -> Path:
    given = given or os.environ.get(VARIABLES[name])
    if not given:
        raise DataError(f"Give the folder with --{name} DIR or {VARIABLES[name]}.")
    root = Path(given).expanduser()
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; give another one with --{name}.")
    return root


def _is_validation(file: Path) -> bool:
    return zlib.crc32(f"{file.parent.name}/{file.name}".encode()) % VALIDATION_ONE_IN == 0
