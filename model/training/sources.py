"""The pictures of a run: what it learns from, and what its weights are chosen by."""

from collections.abc import Sequence

import numpy as np

from model.color import rgb_to_lab8
from model.data import fruits360
from model.data.collections import PEOPLE, THINGS, Photos, load_general, load_more, load_photos
from model.training.recipes import Recipe, Run
from model.training.samples import Samples

# Longer side of the photos kept for training, which also zooms in, in pixels.
TRAINING_SIDE = 320
# Step between the turntable frames that validation takes: neighbouring frames are alike.
EVERY = 4


def load_pictures(
    run: Run, *, data=None, more=None, photos=None, general=None
) -> tuple[np.ndarray | Samples, np.ndarray | dict[str, Sequence[np.ndarray]]]:
    """What `train` takes: samples and validation pictures of all collections, or, for a
    recipe without samples, the pictures of Fruits-360 alone.

    Raises:
        DataError: a folder is missing or unusable.
        ValueError: the split leaves the recipe nothing to choose by.
    """
    if run.recipe.samples:
        folders = {"data": data, "more": more, "photos": photos, "general": general}
        samples = load_samples(run.split, run.seed, run.recipe, **folders)
        return samples, load_validation(run.split, **folders)
    if run.split == "whole":
        raise ValueError("--split whole leaves this recipe no pictures to choose by.")
    validation = "seen-val" if run.split == "seen" else "val"
    training, chosen_by = (
        to_lab(fruits360.load_split(data, split).rgb) for split in (run.split, validation)
    )
    return training, chosen_by


def load_samples(
    split: str, seed: int, recipe: Recipe, *, data=None, more=None, photos=None, general=None
) -> Samples:
    """The samples of a recipe, of all collections, Fruits-360's by its `split`; `whole` also takes
    the varieties of more-val.

    Raises:
        DataError: a folder is missing or unusable.
    """
    parts = ("train", "val") if split == "whole" else ("train",)
    ordinary = load_general(general, "train", side=TRAINING_SIDE)
    loaded = {
        "classic": [fruits360.load_split(data, split)],
        "more": [load_more(more, part) for part in parts],
        "photos": [load_photos(photos, "train", side=TRAINING_SIDE)],
        "plates": [load_photos(photos, "plates", side=TRAINING_SIDE)],
    }
    sources = {name: _grouped(pictures) for name, pictures in loaded.items()} | _by_motif(ordinary)
    return Samples(
        sources,
        seed,
        recipe.backgrounds,
        canvas=recipe.canvas,
        photo_canvas=recipe.photo_canvas,
        balanced=recipe.balanced,
        shares=recipe.shares,
    )


def load_validation(
    split: str, *, data=None, more=None, photos=None, general=None
) -> dict[str, list[np.ndarray] | np.ndarray]:
    """Validation pictures, (3, H, W) uint8 Lab, by collection. The split `whole` leaves photos
    alone.

    Raises:
        DataError: a folder is missing or unusable.
    """
    loaded = {"photos": load_photos(photos, "val"), "general": load_general(general, "val")}
    others = {name: [to_lab(rgb[None])[0] for rgb in part.rgb] for name, part in loaded.items()}
    part = {"train": "val", "seen": "seen-val"}.get(split)
    if part is None:
        return others
    turntables = {"classic": fruits360.load_split(data, part), "more": load_more(more, "val")}
    return {name: to_lab(pictures.rgb[::EVERY]) for name, pictures in turntables.items()} | others


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) uint8 Lab (OpenCV's 8-bit) of (N, H, W, 3) uint8 RGB."""
    return np.stack([rgb_to_lab8(picture) for picture in rgb]).transpose(0, 3, 1, 2)


def _grouped(parts: Sequence[fruits360.Pictures | Photos]) -> list[list[np.ndarray]]:
    """8-bit Lab pictures by variety or kind."""
    groups: dict[str, list] = {}
    for part in parts:
        names = part.kinds if isinstance(part, Photos) else part.varieties
        for rgb, name in zip(part.rgb, names, strict=True):
            groups.setdefault(name, []).append(rgb_to_lab8(rgb))
    return list(groups.values())


def _by_motif(photos: Photos) -> dict[str, list[list[np.ndarray]]]:
    """Ordinary photos as 8-bit Lab, those of people, of scenes and of things, each a group."""
    motifs: dict[str, list] = {"people": [[]], "scenes": [[]], "things": [[]]}
    for rgb, source in zip(photos.rgb, photos.kinds, strict=True):
        motif = "people" if source in PEOPLE else "things" if source in THINGS else "scenes"
        motifs[motif][0].append(rgb_to_lab8(rgb))
    return {motif: groups for motif, groups in motifs.items() if groups[0]}
