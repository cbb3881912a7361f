"""The Fruits-360 pictures: where they are, the paper's subset, the splits, loading.

The folder holds `Training/<variety>/<index>_100.jpg` and `Test/<variety>/<index>_100.jpg`, the
layout of the public archive (Muresan & Oltean, "Fruit recognition from images using deep learning",
2018). It is given by `--data` or by the environment variable FRUITS360_DIR.
"""

import os
import sys
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.photos import PhotoError, read_photo

# Height and width of every picture, in pixels.
SIZE = 100

# Varieties and their numbers of pictures (Training, Test) in version 2020.05.18 under the
# paper's rule, `is_in_paper`. Together the paper's 15,377 and 5,135.
PAPER_COUNTS = {
    "Apple Braeburn": (492, 164),
    "Apple Crimson Snow": (444, 148),
    "Apple Golden 1": (480, 160),
    "Apple Golden 2": (492, 164),
    "Apple Golden 3": (481, 161),
    "Apple Granny Smith": (492, 164),
    "Apple Pink Lady": (456, 152),
    "Apple Red 1": (492, 164),
    "Apple Red 2": (492, 164),
    "Apple Red 3": (429, 144),
    "Apple Red Delicious": (490, 166),
    "Apple Red Yellow 1": (492, 164),
    "Apple Red Yellow 2": (672, 219),
    "Cherry 1": (492, 164),
    "Cherry 2": (738, 246),
    "Cherry Rainier": (738, 246),
    "Cherry Wax Black": (492, 164),
    "Cherry Wax Red": (492, 164),
    "Cherry Wax Yellow": (492, 164),
    "Pear": (492, 164),
    "Pear 2": (696, 232),
    "Pear Abate": (490, 166),
    "Pear Forelle": (702, 234),
    "Pear Kaiser": (300, 102),
    "Pear Monster": (490, 166),
    "Pear Red": (666, 222),
    "Pear Stone": (711, 237),
    "Pear Williams": (490, 166),
    "Tomato Cherry Red": (492, 164),
}

# Kept out whole by the splits `seen` and `unseen`: fruit that training never saw.
HELD_OUT_VARIETIES = (
    "Apple Golden 3",
    "Apple Granny Smith",
    "Apple Red 2",
    "Apple Red Yellow 1",
    "Cherry 2",
    "Cherry Wax Yellow",
    "Pear Kaiser",
    "Pear Williams",
)

SPLITS = {
    "train": "Training without the validation arcs",
    "val": "one arc of every turntable sequence of Training",
    "test": "Test, for reporting only",
    "whole": "all of Training, for weights whose recipe was chosen on train and val",
    "seen": "train without the held-out varieties",
    "seen-val": "val without the held-out varieties",
    "unseen": "Training of the held-out varieties, for weights trained on seen",
}
# Share of each turntable sequence that is its validation arc.
VALIDATION_SHARE = 0.1
# Frames left out on either side of an arc, since they nearly repeat its ends.
GUARD_FRAMES = 3


class DataError(ValueError):
    """A data set that cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory.

    Attributes:
        rgb: (N, 100, 100, 3) uint8.
        varieties: N canonical variety names.
        rejected: a sentence for each file that was left out.
    """

    rgb: np.ndarray
    varieties: list[str]
    rejected: list[str]


def is_in_paper(variety: str) -> bool:
    """The paper's rule, case-sensitive: it takes in Tomato Cherry Red, and not Pineapple."""
    return any(fruit in variety for fruit in ("Apple", "Cherry", "Pear"))


def canonical_name(folder: str) -> str:
    """The 2020 name of a variety folder: later releases append a number (Apple Braeburn 1)."""
    shorter = folder.removesuffix(" 1")
    return shorter if folder not in PAPER_COUNTS and shorter in PAPER_COUNTS else folder


def kind_of(variety: str) -> str:
    """apple, cherry, pear or tomato."""
    return variety.split()[0].lower()


def find_root(data: str | Path | None) -> Path:
    """The data set's folder from `--data` or FRUITS360_DIR.

    Raises:
        DataError: neither is given, or the folder does not have the expected layout.
    """
    given = data or os.environ.get("FRUITS360_DIR")
    if not given:
        raise DataError("Give the Fruits-360 folder with --data DIR or FRUITS360_DIR.")
    root = Path(given).expanduser()
    if not any(root.glob("Training/*/*_100.jpg")):
        raise DataError(
            f"{root} holds no Fruits-360 pictures: expected"
            " DIR/Training/<variety>/<index>_100.jpg and DIR/Test/<variety>/<index>_100.jpg."
        )
    return root


def list_files(root: Path, folder: str) -> list[Path]:
    """The paper's subset of `<root>/<folder>`, in turntable order within each variety."""
    files = (f for f in (root / folder).glob("*/*_100.jpg") if is_in_paper(f.parent.name))
    return sorted(files, key=lambda file: (file.parent.name, *_frame(file)))


def split_files(root: Path, split: str) -> list[Path]:
    """The files of one of `SPLITS`, the same on every machine.

    Validation takes contiguous arcs of the turntable, never single frames: neighbouring frames
    are near-duplicates, and `GUARD_FRAMES` of them beside each arc are in neither part.

    Raises:
        DataError: an unknown split.
    """
    if split not in SPLITS:
        raise DataError(f"There is no split {split!r}; there are {', '.join(SPLITS)}.")
    if split == "test":
        return list_files(root, "Test")
    files = list_files(root, "Training")
    if split == "whole":
        return files
    if split == "unseen":
        return [file for file in files if _is_held_out(file)]
    chosen = []
    for _, group in groupby(files, key=_sequence):
        arc, rest = _cut_arc(list(group))
        chosen += arc if split.endswith("val") else rest
    if split.startswith("seen"):
        chosen = [file for file in chosen if not _is_held_out(file)]
    return chosen


def read_pictures(files: list[Path]) -> Pictures:
    """Read `files` into memory with a progress bar, leaving out and naming unusable files.

    Raises:
        DataError: not a single usable picture.
    """
    rgb = np.empty((len(files), SIZE, SIZE, 3), np.uint8)
    varieties: list[str] = []
    rejected: list[str] = []
    for file in tqdm(files, desc="reading pictures", unit="", disable=None):
        where = f"{file.parent.parent.name}/{file.parent.name}"
        try:
            picture = read_photo(file)
        except PhotoError as error:
            rejected.append(f"{where}: {error}")
            continue
        if picture.shape != (SIZE, SIZE, 3):
            height, width = picture.shape[:2]
            rejected.append(f"{where}: {file.name} is {width}x{height}, not {SIZE}x{SIZE}.")
            continue
        rgb[len(varieties)] = picture
        varieties.append(canonical_name(file.parent.name))
    for sentence in rejected:
        print(f"left out: {sentence}", file=sys.stderr)
    if rejected:
        print(f"{len(rejected)} of {len(files)} pictures left out.", file=sys.stderr)
    if not varieties:
        raise DataError("Not one usable picture was found; see the list above, or check --data.")
    return Pictures(rgb[: len(varieties)], varieties, rejected)


def load_split(data: str | Path | None, split: str) -> Pictures:
    """`read_pictures` of `split_files` under `find_root(data)`."""
    return read_pictures(split_files(find_root(data), split))


def unlike_the_paper(root: Path) -> list[str]:
    """The paper's varieties of which `root` has not as many training pictures, and how many."""
    found = Counter(canonical_name(file.parent.name) for file in list_files(root, "Training"))
    return [
        f"{variety} ({found[variety]} training pictures, not {count})"
        for variety, (count, _) in PAPER_COUNTS.items()
        if found[variety] != count
    ]


def _frame(file: Path) -> tuple[str, int]:
    """Axis of rotation ("", "r", "r2") and index of a frame such as r2_17_100.jpg."""
    *axis, index, _ = file.stem.split("_")
    return "_".join(axis), int(index) if index.isdigit() else 0


def _sequence(file: Path) -> tuple[str, str]:
    return canonical_name(file.parent.name), _frame(file)[0]


def _is_held_out(file: Path) -> bool:
    return canonical_name(file.parent.name) in HELD_OUT_VARIETIES


def _cut_arc(sequence: list[Path]) -> tuple[list[Path], list[Path]]:
    """One contiguous arc of a turntable sequence, and the rest without the guard frames. The
    last frame neighbours the first: the table has turned once."""
    length = max(1, round(len(sequence) * VALIDATION_SHARE))
    seed = zlib.crc32(" ".join(_sequence(sequence[0])).encode())
    start = seed % (len(sequence) - length + 1)
    guarded = range(start - GUARD_FRAMES, start + length + GUARD_FRAMES)
    left_out = {index % len(sequence) for index in guarded}
    rest = [file for index, file in enumerate(sequence) if index not in left_out]
    return sequence[start : start + length], rest
