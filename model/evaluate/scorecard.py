"""Measure a network: every figure that is reported of it, on pictures that it never learned from.

    python -m model.scorecard --data DIR --more DIR --photos DIR --general DIR

The pictures are the classic test split, varieties and shop photos never trained on, ordinary photos
for validation, by which choices were made, and those of kodak. A folder that is not given leaves
its columns as they were. Writes scorecard.json, the table scorecard.md, and varieties.csv, the
worst first, into results/<weights>/, or beside weights that are given as a file.
`python -m model.evaluate.published` brings the figures into README, docs and cards.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from model.color import lab_to_rgb, rgb_to_lab, rgb_to_lab_exact
from model.colorizer.pins import Pin
from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor
from model.data import collections
from model.data.collections import PHOTO_SIDE, Photos
from model.data.fruits360 import DataError, Pictures
from model.evaluate.figures import evaluate, results_folder
from model.evaluate.goals import SETS, as_markdown, sets_of
from model.evaluate.machine_rater import machine_rater
from model.evaluate.portraits import skin
from model.evaluate.stability import SIDES, stability
from model.metrics import WHITE, fruit_ciede2000, fruit_mask, photo_ciede2000
from model.photos import shrunk
from model.weights import DEFAULT_WEIGHTS, WeightsError

# Step between the turntable frames on which white, pins and guesses are measured: neighbours are
# alike.
EVERY = 8


def white_chroma(colorizer: Colorizer, pictures: Pictures) -> float:
    """Mean chroma on the white background, of the generated pictures over that of the true ones."""
    added = []
    for rgb in tqdm(pictures.rgb[::EVERY], desc="white", unit="", disable=None):
        white = ~cv2.dilate(fruit_mask(rgb).astype(np.uint8), np.ones((5, 5))).astype(bool)
        white &= rgb.min(-1) > WHITE
        generated = recolor(rgb, colorizer.predict_ab(rgb))
        chroma = [
            np.hypot(*np.moveaxis(rgb_to_lab_exact(version[white])[..., 1:], -1, 0))
            for version in (generated, rgb)
        ]
        added.append(chroma[0] - chroma[1])
    return float(np.concatenate(added).mean())


def with_pins(colorizer: Colorizer, pictures: Pictures, count: int) -> float:
    """Median over pictures of the median CIEDE2000 on the fruit after `count` pins of the true
    colour, the mean of 5 x 5 pixels, at random places of it."""
    differences = []
    for number, rgb in enumerate(tqdm(pictures.rgb[::EVERY], desc="pins", unit="", disable=None)):
        places, smooth = np.argwhere(fruit_mask(rgb)), cv2.blur(rgb, (5, 5))
        if len(places) < count:
            continue
        rows = np.random.default_rng(number).choice(len(places), count, replace=False)
        pins = [Pin(int(x), int(y), tuple(smooth[y, x].tolist())) for y, x in places[rows]]
        generated = recolor(rgb, colorizer.predict_ab(rgb, pins=pins))
        differences.append(fruit_ciede2000(generated, rgb))
    return float(np.median(differences))


def effect_of_pins(
    colorizer: Colorizer, photos: list[np.ndarray]
) -> tuple[float | None, float | None]:
    """Mean over photos of how far a pin changes ab, as a share of the change at its place: of what
    has truly its place's colour within 25 pixels, and of what has another colour. The place is
    random among what is in colour, its hue turned by a third of the circle. Left out: photos of one
    colour, and those where the pin does little; None where no photo is left."""
    near, elsewhere = [], []
    for number, rgb in enumerate(tqdm(photos, desc="pins", unit="", disable=None)):
        lab, rng = rgb_to_lab(rgb), np.random.default_rng(number)
        places = np.argwhere(np.linalg.norm(lab[..., 1:], axis=-1) > 25)
        if not len(places):
            continue
        y, x = rng.choice(places)
        turn = rng.choice([-1, 1]) * 2 * np.pi / 3
        turned = lab[y, x, 1:] @ np.array(
            [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        )
        color = lab_to_rgb(lab[y : y + 1, x : x + 1, 0], np.float32(turned)[None, None])[0, 0]
        freely = colorizer.predict_ab(rgb)
        pinned = colorizer.predict_ab(rgb, pins=[Pin(int(x), int(y), tuple(color.tolist()))])
        change = cv2.resize(np.linalg.norm(pinned - freely, axis=-1), rgb.shape[1::-1])
        rows, columns = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
        difference = np.linalg.norm(lab[..., 1:] - lab[y, x, 1:], axis=-1)
        alike = (difference < 12) & (np.hypot(rows - y, columns - x) < 25)
        if change[y, x] > 25 and (difference > 30).any():
            near.append(change[alike].mean() / change[y, x])
            elsewhere.append(change[difference > 30].mean() / change[y, x])
    return tuple(float(np.mean(shares)) if shares else None for shares in (near, elsewhere))


def guessed(colorizer: Colorizer, pictures: Pictures | Photos) -> float:
    """Share of pictures whose colours the colorizer calls a guess."""
    shown = pictures.rgb if isinstance(pictures, Photos) else pictures.rgb[::EVERY]
    bar = tqdm(shown, desc="guesses", unit="", disable=None)
    return float(np.mean([not colorizer.knows(rgb) for rgb in bar]))


def guessed_by_difference(colorizer: Colorizer, photos: Photos) -> dict[str, float]:
    """The same of the worst fifth of the photos, guessed_worst, and of the best half, guessed_best,
    by `photo_ciede2000`."""
    found = []
    for rgb in tqdm(photos.rgb, desc="guesses", unit="photo", disable=None):
        prepared = colorizer.prepare(rgb)
        generated = recolor(rgb, colorizer.predict_ab(prepared))
        found.append((photo_ciede2000(generated, rgb), not colorizer.knows(prepared)))
    called = [guess for _, guess in sorted(found)]
    return {
        "guessed_worst": float(np.mean(called[-max(1, len(called) // 5) :])),
        "guessed_best": float(np.mean(called[: max(1, len(called) // 2)])),
    }


def _rated(colorizer: Colorizer, pictures: Pictures) -> dict:
    rated = machine_rater(colorizer, pictures.rgb)
    return {"machine_rater": rated["accuracy"], "machine_rater_details": rated}


def _with_pins(colorizer: Colorizer, pictures: Pictures) -> dict[str, float]:
    counts = {"one_pin": 1, "three_pins": 3} if colorizer.takes_pins else {}
    return {key: with_pins(colorizer, pictures, count) for key, count in counts.items()}


def _effect_of_pins(colorizer: Colorizer, photos: Photos) -> dict[str, float | None]:
    effects = effect_of_pins(colorizer, photos.rgb) if colorizer.takes_pins else ()
    return dict(zip(("pin_near", "pin_elsewhere"), effects, strict=False))


# What is measured beside the figures of `evaluate`: a key of `goals.ROWS`, which says in which
# sets, and the function that gives its figure and those that belong to it.
MEASURES: dict[str, Callable[..., dict]] = {
    "white_chroma": lambda *given: {"white_chroma": white_chroma(*given)},
    "machine_rater": _rated,
    "one_pin": _with_pins,
    "pin_near": _effect_of_pins,
    "skin": skin,
    "guessed": lambda *given: {"guessed": guessed(*given)},
    "guessed_worst": guessed_by_difference,
}


def measure(colorizer: Colorizer, sets: dict[str, Pictures | Photos]) -> dict[str, dict]:
    """All figures, by set."""
    figures = {}
    for name, pictures in sets.items():
        measured = figures[name] = {}
        if name in sets_of("at_512"):
            measured |= stability(colorizer, pictures.rgb)
        if isinstance(pictures, Photos):
            pictures = replace(pictures, rgb=[shrunk(rgb, PHOTO_SIDE) for rgb in pictures.rgb])
        measured |= evaluate(colorizer, pictures, kind=str)
        for key, function in MEASURES.items():
            if name in sets_of(key):
                measured |= function(colorizer, pictures)
    return figures


def by_variety(figures: dict[str, dict]) -> pd.DataFrame:
    """The figures of every variety, kind or source, in each set the worst first."""
    rows = [
        {"set": name, "variety": variety, **values}
        for name, measured in figures.items()
        for variety, values in measured["kinds"].items()
    ]
    return pd.DataFrame(rows).sort_values(["set", "ciede2000_median"], ascending=[True, False])


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.scorecard",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (%(default)s)")
    collections.add_folders(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    folders = collections.folders_of(arguments)
    try:
        colorizer = Colorizer.load(arguments.weights)
        sets = {
            name: collections.load_split(split, **folders, side=max(SIDES))
            for name, split in SETS.items()
            if collections.is_given(split, folders)
        }
        if not sets:
            raise DataError("Give folders of pictures with --data, --more, --photos, --general.")
        figures = measure(colorizer, sets)
        sha256 = hashlib.sha256(colorizer.path.read_bytes()).hexdigest()
        for measured in figures.values():
            measured["weights_sha256"] = sha256
    except (WeightsError, DataError) as error:
        print(f"model.scorecard: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    folder = results_folder(arguments.weights, colorizer)
    file = folder / "scorecard.json"
    if file.exists():  # earlier figures of these weights that are not measured now stay
        before = json.loads(file.read_text()).items()
        figures = {n: f for n, f in before if f.get("weights_sha256") == sha256} | figures
    file.write_text(json.dumps(figures, indent=2) + "\n")
    (folder / "scorecard.md").write_text(as_markdown(arguments.weights, figures))
    by_variety(figures).to_csv(folder / "varieties.csv", index=False, float_format="%.3f")
    print(as_markdown(arguments.weights, figures))
    return 0
