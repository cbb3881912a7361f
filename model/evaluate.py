"""How well weights colorize a split of a collection.

    python -m model.evaluate --weights paper --data DIR --split test
    python -m model.evaluate --more DIR --split more-val --machine-rater

Prints the paper's loss over whole pictures and, on the fruit alone, the colour difference
CIEDE2000 and the colourfulness of the generated pictures over that of the true ones. On request
also how well a classifier tells these apart, `model.machine_rater`.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from itertools import chain

import numpy as np
import pandas as pd
from tqdm import tqdm

from model import datasets, fruits360
from model.color import normalize_ab, rgb_to_lab
from model.colorizer import DEFAULT_WEIGHTS, MAX_VIVIDNESS, Colorizer
from model.datasets import Photos
from model.machine_rater import machine_rater
from model.metrics import ab_mse, ciede2000, color_mask, colorfulness, fruit_mask
from model.networks import WeightsError
from model.upsampling import recolor, resize


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
        pictures, ab_mse (the paper's loss, whole pictures), and over all pixels of fruit (of a
        photo: all that are in colour): ciede2000_mean, ciede2000_median, colorfulness_ratio;
        `kinds` holds the last three for each kind.
    """
    losses = []
    fruit = defaultdict(list)  # by kind: difference, generated and true pixels of each picture
    photos = isinstance(pictures, Photos)
    names = pictures.kinds if photos else map(kind, pictures.varieties)
    bar = tqdm(pictures.rgb, desc="evaluating", unit="", disable=None)
    for rgb, name in zip(bar, names, strict=True):
        ab = colorizer.predict_ab(rgb)
        paper_units = map(normalize_ab, (resize(ab, rgb.shape[1::-1]), rgb_to_lab(rgb)[..., 1:]))
        losses.append(ab_mse(*paper_units))
        mask = color_mask(rgb) if photos else fruit_mask(rgb)
        generated, true = recolor(rgb, ab)[mask], rgb[mask]
        fruit[name].append((ciede2000(generated, true), generated, true))
    return {
        "pictures": len(pictures.rgb),
        "ab_mse": float(np.mean(losses)),
        **_figures(list(chain(*fruit.values()))),
        "kinds": {name: _figures(fruit[name]) for name in sorted(fruit)},
    }


def _figures(pictures: list[tuple]) -> dict[str, float | None]:
    difference, generated, true = map(np.concatenate, zip(*pictures, strict=True))
    if not len(difference):  # nothing but white, or grey photos
        return dict.fromkeys(("ciede2000_mean", "ciede2000_median", "colorfulness_ratio"))
    of_true = colorfulness(true)  # 0 for grey pictures: there is no ratio
    return {
        "ciede2000_mean": float(difference.mean()),
        "ciede2000_median": float(np.median(difference)),
        "colorfulness_ratio": colorfulness(generated) / of_true if of_true else None,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (%(default)s)")
    datasets.add_folders(parser)
    splits = (fruits360.SPLITS | datasets.SPLITS).items()
    told = ", ".join(f"{name}: {what}" for name, what in splits)
    parser.add_argument("--split", default="test", help=f"{told} (default: %(default)s)")
    parser.add_argument(
        "--machine-rater", action="store_true", help="can a classifier tell them from true ones?"
    )
    parser.add_argument(
        "--photo-chroma", type=float, metavar="FACTOR", help="in place of the weights' own"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)
    try:
        colorizer = Colorizer.load(arguments.weights)
        if (factor := arguments.photo_chroma) is not None:
            if not 0 <= factor <= MAX_VIVIDNESS:
                raise fruits360.DataError(f"--photo-chroma is {factor}: 0 to {MAX_VIVIDNESS}.")
            colorizer.photo_chroma = factor
        folders = datasets.folders_of(arguments)
        if arguments.machine_rater and arguments.split.startswith("photos"):
            raise fruits360.DataError("--machine-rater takes pictures of one size, not photos.")
        pictures = datasets.load_split(arguments.split, **folders)
        figures = evaluate(colorizer, pictures)
        if arguments.machine_rater:
            figures["machine_rater"] = machine_rater(colorizer, pictures.rgb)
    except (WeightsError, fruits360.DataError) as error:
        print(f"model.evaluate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    figures = {"weights": colorizer.name, "split": arguments.split, **figures}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"{colorizer.name} on {arguments.split}, {figures['pictures']:,} pictures")
    print(f"ab mean squared error (the paper's loss): {figures['ab_mse']:.5f}")
    rows = {"all": {name: figures[name] for name in next(iter(figures["kinds"].values()))}}
    print("on all that is in colour:" if isinstance(pictures, Photos) else "on the fruit alone:")
    print(pd.DataFrame(rows | figures["kinds"]).T.to_string(float_format="{:.2f}".format))
    if arguments.machine_rater:
        rated = figures["machine_rater"]
        print(
            f"machine rater: {rated['accuracy']:.1%} right on pictures it did not learn from"
            f" (50 % is chance; {rated['lowest']:.1%} to {rated['highest']:.1%})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
