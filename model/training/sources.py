"""The samples of a recipe, and the pictures to choose by, from the collections."""

from collections.abc import Sequence

import numpy as np

from model.color import rgb_to_lab8
from model.data import fruits360
from model.data.collections import Photos, load_more, load_photos
from model.training.loop import to_lab
from model.training.recipes import Recipe
from model.training.samples import Samples

TRAINING_SIDE = 320  # kept for training, which also zooms in


def load_samples(
    split: str, seed: int, recipe: Recipe, *, data=None, more=None, photos=None
) -> Samples:
    """The samples of a recipe, of all three collections, Fruits-360's by its `split`; `whole` also
    takes the varieties of more-val.

    Raises:
        DataError: a folder is missing or unusable.
    """
    parts = ("train", "val") if split == "whole" else ("train",)
    loaded = {
        "classic": [fruits360.load_split(data, split)],
        "more": [load_more(more, part) for part in parts],
        "photos": [load_photos(photos, "train", side=TRAINING_SIDE)],
    }
    sources = {name: _grouped(pictures) for name, pictures in loaded.items()}
    return Samples(sources, seed, recipe.backgrounds, recipe.balanced, recipe.shares)


def _grouped(parts: Sequence[fruits360.Pictures | Photos]) -> list[list[np.ndarray]]:
    """8-bit Lab pictures by variety or kind."""
    groups: dict[str, list] = {}
    for part in parts:
        names = part.kinds if isinstance(part, Photos) else part.varieties
        for rgb, name in zip(part.rgb, names, strict=True):
            groups.setdefault(name, []).append(rgb_to_lab8(rgb))
    return list(groups.values())


def load_validation(
    split: str, *, data=None, more=None, photos=None
) -> dict[str, list[np.ndarray] | np.ndarray]:
    """Pictures to choose by, (3, H, W) uint8 Lab, by collection: of the turntables, where
    neighbours are alike, every fourth frame. The split `whole` leaves photos alone."""
    shops = {"photos": [to_lab(rgb[None])[0] for rgb in load_photos(photos, "val").rgb]}
    part = {"train": "val", "seen": "seen-val"}.get(split)
    if part is None:
        return shops
    turntables = {"classic": fruits360.load_split(data, part), "more": load_more(more, "val")}
    return {name: to_lab(pictures.rgb[::4]) for name, pictures in turntables.items()} | shops
