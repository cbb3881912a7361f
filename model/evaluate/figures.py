"""How well a colorizer does on pictures: the figures of one split of one collection."""

from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.color import normalize_ab, rgb_to_lab
from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor
from model.data import fruits360
from model.data.collections import Photos
from model.metrics import ab_mse, ciede2000, color_mask, colorfulness, fruit_mask
from model.photos import resize
from model.weights import available_weights


def evaluate(
    colorizer: Colorizer,
    pictures: fruits360.Pictures | Photos,
    *,
    kind: Callable[[str], str] = fruits360.kind_of,
) -> dict:
    """The figures for `pictures`, over all and for each kind of fruit.

    Args:
        colorizer: what colorizes.
        pictures: with their true colours.
        kind: the kind of a variety; `str` keeps the varieties themselves apart.

    Returns:
        pictures, and over whole pictures: ab_mse (the paper's loss), of_grey (its share of the loss
        of all grey); over all pixels of fruit (of a photo: all that are in colour):
        ciede2000_mean, ciede2000_median, colorfulness_ratio; `kinds` holds all but the first two
        for each kind.
    """
    losses = []
    # by kind: losses, difference, generated and true pixels of every picture
    measured = defaultdict(list)
    photos = isinstance(pictures, Photos)
    names = pictures.kinds if photos else map(kind, pictures.varieties)
    bar = tqdm(pictures.rgb, desc="evaluating", unit="", disable=None)
    for rgb, name in zip(bar, names, strict=True):
        ab = colorizer.predict_ab(rgb)
        true_ab = normalize_ab(rgb_to_lab(rgb)[..., 1:])
        losses.append(ab_mse(normalize_ab(resize(ab, rgb.shape[1::-1])), true_ab))
        of_grey = ab_mse(normalize_ab(np.zeros(2)), true_ab)
        mask = color_mask(rgb) if photos else fruit_mask(rgb)
        generated, true = recolor(rgb, ab)[mask], rgb[mask]
        difference = ciede2000(generated, true)
        measured[name].append((losses[-1], of_grey, difference, generated, true))
    return {
        "pictures": len(pictures.rgb),
        "ab_mse": float(np.mean(losses)),
        **_figures(list(chain(*measured.values()))),
        "kinds": {name: _figures(measured[name]) for name in sorted(measured)},
    }


def _figures(pictures: list[tuple]) -> dict[str, float | None]:
    losses, of_grey, *pixels = zip(*pictures, strict=True)
    difference, generated, true = map(np.concatenate, pixels)
    figures = {"of_grey": sum(losses) / sum(of_grey) if sum(of_grey) else None}
    if not len(difference):  # nothing but white, or grey photos
        return figures | dict.fromkeys(("ciede2000_mean", "ciede2000_median", "colorfulness_ratio"))
    of_true = colorfulness(true)  # 0 for grey pictures: there is no ratio
    return figures | {
        "ciede2000_mean": float(difference.mean()),
        "ciede2000_median": float(np.median(difference)),
        "colorfulness_ratio": colorfulness(generated) / of_true if of_true else None,
    }


def results_folder(weights: str, colorizer: Colorizer) -> Path:
    """The folder, made if need be, for the figures of `weights`: results/NAME of those that ship,
    else where their file is."""
    shipped = weights in available_weights()
    folder = Path("results") / colorizer.name if shipped else colorizer.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder
