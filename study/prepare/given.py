"""Pictures that were made elsewhere: a folder with one file for each picture of the study.

A file belongs to the picture of the same name, whatever its format; where two pictures have one
name, in different folders, so must their files. All files are looked at before the draw.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from model.color import rgb_to_lab
from model.colorizer.upsampling import recolor
from model.photos import FORMAT_NAMES, PhotoError, read_photo, resize, shrunk
from study.errors import StudyError
from study.plan.arms import Arm
from study.prepare import stimuli
from study.wording import count, some

# Side of the thumbnails by whose L a file is held against the pictures.
THUMB = 32
# A file shows another picture where their thumbnails correlate less than this...
SAME = 0.8
# ...although they differ by more than this, of 100, on average,
NEARLY = 3
# ...or where they are this many times as far from a perfect correlation as those of another.
TIMES = 3
# Correlations this near to each other count as equal.
TIE = 1e-4


@dataclass(frozen=True)
class Given:
    """The files of an arm by the names of the pictures; `left_out` ones belong to no picture."""

    arm: Arm
    files: dict[str, Path]
    left_out: list[str]

    def colored(self, photo: stimuli.Photo) -> np.ndarray:
        """What raters see of the file for `photo`, (H, W, 3) uint8 RGB of the photo's shape."""
        return on_luminance(self.arm, read_photo(self.files[photo.name]), photo)

    def told(self, pictures: Iterable[str]) -> dict:
        """For the manifest: the SHA-256 of each file by its picture, and what is left out."""
        return {
            "pictures": {
                name: hashlib.sha256(self.files[name].read_bytes()).hexdigest()
                for name in sorted(set(pictures))
            },
            "left_out": self.left_out,
        }


def on_luminance(arm: Arm, rgb: np.ndarray, photo: stimuli.Photo) -> np.ndarray:
    """What raters see of a picture made elsewhere, of the size of the photo or of what is shown."""
    given = shrunk(rgb, stimuli.SIDE)
    return given if arm.luminance == "own" else recolor(photo.rgb, rgb_to_lab(given)[..., 1:])


def is_another(given: np.ndarray, true: np.ndarray) -> bool:
    """Whether L of a picture is far from that of its photo; both are (H, W, 3) uint8 RGB."""
    thumbs = np.stack([_thumb(given), _thumb(true)])
    a, b = _standardized(thumbs)
    return a @ b < SAME and np.abs(thumbs[0] - thumbs[1]).mean() > NEARLY


def given_pictures(arms: Iterable[Arm], base: Path, pool: stimuli.Pool) -> dict[str, Given]:
    """The files of all `arms` that are folders, by the arms' names.

    Args:
        arms: arms of any kind.
        base: the folder that their names start from.
        pool: all pictures that may be drawn.

    Raises:
        StudyError: a picture has no file, or two; or a file is damaged, of another size or shows
            another picture. Each kind of mistake in a folder has a sentence of its own.
        PhotoError: a picture of the pool is damaged.
    """
    folders = [arm for arm in arms if arm.folder]
    if not folders:
        return {}
    candidates = sorted(
        (candidate for of_kind in pool.values() for candidate in of_kind),
        key=lambda candidate: candidate.name,
    )
    keys, mistakes = _keys(candidate.name for candidate in candidates)
    given = {}
    for arm in folders:
        given[arm.name], wrong = _matched(arm, base / arm.folder, keys)
        mistakes += wrong
    if not mistakes:
        mistakes = _looked_at(given.values(), candidates)
    if mistakes:
        raise StudyError("\n".join(mistakes))
    return given


def _keys(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """{what tells a picture, without its suffix: its name}, and what is wrong with it: the stem
    where that is enough, else the whole path."""
    names = list(names)
    for tells in (_stem, _place):
        keys: dict[str, list[str]] = {}
        for name in names:
            keys.setdefault(tells(name), []).append(name)
        if len(keys) == len(names):
            return {key: name for key, (name,) in keys.items()}, []
    same = [" and ".join(found) for found in keys.values() if len(found) > 1]
    return {}, [f"Pictures that differ in their suffix only cannot have files: {some(same)}."]


def _stem(name: str) -> str:
    return _place(PurePosixPath(name).name)


def _place(name: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(name).with_suffix("")))


def _matched(arm: Arm, folder: Path, keys: dict[str, str]) -> tuple[Given, list[str]]:
    """The files of a folder, and the mistakes in their names."""
    by_stem = all("/" not in key for key in keys)
    found: dict[str, list[Path]] = {}
    for file in stimuli.photos_in(folder):
        place = file.relative_to(folder).as_posix()
        found.setdefault(_stem(place) if by_stem else _place(place), []).append(file)
    missing = [name for key, name in keys.items() if key not in found]
    twice = [
        " and ".join(file.relative_to(folder).as_posix() for file in files)
        for key, files in found.items()
        if key in keys and len(files) > 1
    ]
    mistakes = []
    if missing:
        mistakes.append(
            f"{arm.folder} lacks {len(missing)} of {count(len(keys), 'picture')}, {some(missing)}:"
            f" each needs a file of the same name{'' if by_stem else ' in the same folder'}, in"
            f" {FORMAT_NAMES}."
        )
    if twice:
        mistakes.append(f"{arm.folder} has two files for one picture: {some(twice)}.")
    left_out = [
        file.relative_to(folder).as_posix()
        for key, files in found.items()
        for file in files
        if key not in keys
    ]
    files = {name: found[key][0] for key, name in keys.items() if key in found}
    return Given(arm, files, left_out), mistakes


def _looked_at(given: Iterable[Given], candidates: Sequence[stimuli.Candidate]) -> list[str]:
    """The mistakes in the files themselves."""
    given = list(given)
    damaged, sizes = ({each.arm.name: [] for each in given} for _ in range(2))
    thumbs = {each.arm.name: [] for each in given}
    true = []
    for candidate in tqdm(candidates, unit=" pictures", desc="checking", disable=None):
        photo = candidate.load()
        shown = shrunk(photo, stimuli.SIDE)
        true.append(_thumb(shown))
        for each in given:
            file, name = each.files[candidate.name], each.arm.name
            try:
                rgb = read_photo(file)
            except PhotoError as error:
                damaged[name].append(str(error).rstrip("."))
                thumbs[name].append(true[-1])
                continue
            if rgb.shape not in (photo.shape, shown.shape):
                sizes[name].append(f"{file.name} ({_size(rgb)}, not {_size(photo)})")
            thumbs[name].append(_thumb(rgb))
    names = [candidate.name for candidate in candidates]
    mistakes = []
    for each in given:
        folder, name = each.arm.folder, each.arm.name
        if damaged[name]:
            mistakes.append(f"{folder} has damaged files: {some(damaged[name], '; ')}.")
        if sizes[name]:
            mistakes.append(f"{folder} has files of another size: {some(sizes[name])}.")
        wrong = _others(np.stack(thumbs[name]), np.stack(true), each, names)
        if wrong:
            mistakes.append(f"{folder} has files that show another picture: {some(wrong, '; ')}.")
    return mistakes


def _thumb(rgb: np.ndarray) -> np.ndarray:
    """L of a small version, (`THUMB` ** 2,) float32."""
    return rgb_to_lab(resize(rgb, (THUMB, THUMB)))[..., 0].ravel()


def _others(given: np.ndarray, true: np.ndarray, of: Given, names: Sequence[str]) -> list[str]:
    """The files whose L is not that of their picture, in words; thumbnails are (N, pixels)."""
    a, b = (_standardized(thumbs) for thumbs in (given, true))
    wrong = []
    for index, name in enumerate(names):
        like = b @ a[index]
        best, own = int(like.argmax()), like[index]
        far = np.abs(given[index] - true[index]).mean()
        file = of.files[name].name
        if TIMES * (1 - like[best] + TIE) < 1 - own:
            wrong.append(f"{file} looks like {names[best]}")
        elif own < SAME and far > NEARLY:
            wrong.append(f"the luminance of {file} is {far:.0f} of 100 from that of {name}")
    return wrong


def _standardized(thumbs: np.ndarray) -> np.ndarray:
    """Rows whose products are correlations."""
    centred = thumbs - thumbs.mean(axis=1, keepdims=True)
    return centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6)


def _size(rgb: np.ndarray) -> str:
    return f"{rgb.shape[1]} x {rgb.shape[0]}"
