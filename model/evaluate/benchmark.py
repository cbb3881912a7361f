"""Speed as ratios of times: they depend less on the machine than seconds do.

    python -m model.benchmark

Each row is the median of several turns, taken alternately.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from model.color import rgb_to_lab
from model.colorizer.output import save_png
from model.colorizer.pipeline import Colorizer
from model.data.rendered import render
from model.evaluate.goals import SPEED
from model.networks.zhang import ZhangNet
from model.photos import read_photo
from model.weights import DEFAULT_WEIGHTS, WeightsError

TURNS = 7
# Height and width of the picture that the networks get, in pixels.
SIDE = 256
# Height and width of the photo, in pixels: 12 megapixels.
PHOTO = (3000, 4000)


def ratio(ours: Callable[[], None], theirs: Callable[[], None]) -> dict[str, float]:
    """Median seconds of both, taken alternately, and the median of the turns' ratios."""
    ours(), theirs()  # the first call of each is slower
    turns = []
    for _ in range(TURNS):
        turn = []
        for function in (ours, theirs):
            started = time.perf_counter()
            function()
            turn.append(time.perf_counter() - started)
        turns.append(turn)
    times = np.array(turns)
    seconds, reference = np.median(times, axis=0)
    return {
        "seconds": float(seconds),
        "reference_seconds": float(reference),
        "ratio": float(np.median(times[:, 0] / times[:, 1])),
    }


def forward_pass(colorizer: Colorizer) -> dict[str, float]:
    """The network against that of Zhang et al. 2016 at its published size, with random weights."""
    zhang = ZhangNet(width=1).eval().to(memory_format=torch.channels_last)
    luminance = torch.rand(1, 1, SIDE, SIDE) * 2 - 1

    def forward(network: nn.Module) -> Callable[[], None]:
        def call() -> None:
            with torch.inference_mode():
                network(luminance)

        return call

    return ratio(forward(colorizer.network), forward(zhang))


def whole_photo(colorizer: Colorizer, folder: Path) -> dict[str, float]:
    """A 12-megapixel JPEG, file to file, against decoding, Lab and back, and encoding alone."""
    photo, result = folder / "photo.jpg", folder / "photo.png"
    fruit = cv2.resize(render("Apple Rendered Red", size=400), PHOTO[::-1])
    grain = np.random.default_rng(0).normal(0, 3, (*PHOTO, 1))
    Image.fromarray(np.clip(fruit + grain, 0, 255).astype(np.uint8)).save(photo, quality=92)

    def colorize() -> None:
        save_png(colorizer.colorize(read_photo(photo)), result)

    def convert() -> None:
        lab = rgb_to_lab(read_photo(photo))
        save_png(np.rint(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).astype(np.uint8), result)

    return ratio(colorize, convert)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        colorizer = Colorizer.load(arguments.weights)
    except WeightsError as error:
        print(f"model.benchmark: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        measured = (forward_pass(colorizer), whole_photo(colorizer, Path(folder)))
    rows = dict(zip(SPEED, measured, strict=True))
    weights, threads = colorizer.name, torch.get_num_threads()
    if arguments.json:
        told = {"weights": weights, "threads": threads, "turns": TURNS, "rows": rows}
        print(json.dumps(told, indent=2))
        return 0
    print(f"{weights}, {threads} threads, median of {TURNS} turns")
    for title, row in rows.items():
        ours, theirs = (row[key] * 1000 for key in ("seconds", "reference_seconds"))
        print(f"{title}: {ours:.0f} ms to {theirs:.0f} ms, ratio {row['ratio']:.2f}")
    return 0
