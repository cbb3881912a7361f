"""What each choice in the recipe `colornet` is worth, on validation data.

    python -m model.ablation --data DIR --more DIR --photos DIR --general DIR

Trains every row of `VARIANTS` on as many pixels, each for the same short time, and writes
results/ablation/. Finished rows are kept: started again, it goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.data import collections
from model.data.collections import load_more
from model.data.fruits360 import DataError
from model.networks.files import load_network
from model.networks.zhang import annealed_mean
from model.training.loop import Interrupted, train
from model.training.objective import inputs
from model.training.recipes import RECIPES, Recipe, Run
from model.training.samples import Samples
from model.training.sources import load_samples, load_validation
from model.training.validation import evaluation_loss

FOLDER = Path("results/ablation")
# Samples that a row learns from: rows compare choices, they are no finished weights.
SAMPLES = 4_000
# Pictures of each collection, about, that a row is measured on.
MEASURED = 100
# The recipe of the first stage, with a running average short enough for so few steps.
BASE = replace(RECIPES["colornet"], epochs=1, samples=SAMPLES, ema=0.95, doubt=False)
# As many pixels as BASE learns from, in about as many steps.
LARGER = replace(BASE, canvas=160, samples=SAMPLES * 96**2 // 160**2, batch_size=12)
# Of the annealed mean, in the paper.
TEMPERATURE = 0.38


@dataclass(frozen=True)
class Variant:
    """One row of the table: a recipe, and what it learns from."""

    title: str
    recipe: Recipe = BASE
    # The row whose weights this one reads in another way, where it has no training of its own.
    run: str = ""
    # The source it does not learn from, or the kind of fruit among the further varieties.
    without: str = ""


VARIANTS = {
    "base": Variant("ColorNet: fine-tuned ImageNet encoder, regression, and a distribution"),
    "regression": Variant("regression alone", replace(BASE, distribution=0)),
    "annealed mean": Variant(
        "the first row's colours as the annealed mean of its distribution, enlarged from 1/8",
        run="base",
    ),
    "frozen": Variant(
        "encoder frozen (its batch statistics still follow)", replace(BASE, encoder_rate=0)
    ),
    "random": Variant(
        "encoder from random weights, at the learning rate of the rest",
        replace(BASE, pretrained=False, encoder_rate=1),
    ),
    "no more": Variant("without the further varieties", without="more"),
    "no tomatoes": Variant("without the tomatoes among them", without="Tomato"),
    "no plates": Variant("without plates", without="plates"),
    "no people": Variant("without people", without="people"),
    "no scenes": Variant("without scenes", without="scenes"),
    "no things": Variant("without things", without="things"),
    "larger crops": Variant("larger crops, 160 pixels, and fewer of them", LARGER),
}


class AnnealedMean(nn.Module):
    """The colours of a network's distribution by their annealed mean (Zhang et al. 2016, section
    2.3), in the place of those that it gives."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, luminance: Tensor) -> Tensor:
        height, width = luminance.shape[-2:]
        ab = annealed_mean(self.network.distribution(luminance)[1], TEMPERATURE)
        enlarged = F.interpolate(ab, scale_factor=self.network.cell, mode="bilinear")
        return enlarged[..., :height, :width]


def measure(
    name: str, samples: Samples, varieties: Sequence[str], pictures: dict[str, Sequence[np.ndarray]]
) -> dict:
    """Train a row of `VARIANTS`, or go on with it, and measure it.

    Args:
        name: of the row.
        samples: what `BASE` learns from.
        varieties: the further varieties, in the order of their groups in `samples`.
        pictures: (3, H, W) uint8 Lab, by collection.

    Returns:
        row, what, and for each collection the mean squared error of ab, that of `general` as a
        share of what grey has.
    """
    variant = VARIANTS[name]
    run = Run("ablation", FOLDER / "runs" / (variant.run or name), variant.recipe)
    learned = replace(
        samples,
        canvas=run.recipe.canvas,
        sources=_left(samples.sources, varieties, variant.without),
    )
    train(run, learned, pictures, resume=(run.folder / "run.ckpt").exists())
    network = load_network(run.folder / "weights.safetensors")
    if variant.run:
        network = AnnealedMean(network)
    losses = {part: evaluation_loss(network, lab) for part, lab in pictures.items()}
    losses["general"] /= grey_loss(pictures["general"])
    return {"row": name, "what": variant.title} | losses


def _left(sources: dict, varieties: Sequence[str], without: str) -> dict:
    """The sources that are left without one of them, or without a kind of further varieties."""
    groups = zip(sources["more"], varieties, strict=True)
    more = [group for group, variety in groups if variety.split()[0] != without]
    return {name: groups for name, groups in (sources | {"more": more}).items() if name != without}


def grey_loss(lab: Sequence[np.ndarray]) -> float:
    """`evaluation_loss` of no colour at all."""
    cpu = torch.device("cpu")
    return float(np.mean([inputs(picture[None], cpu)[1].square().mean() for picture in lab]))


def thinned(lab: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """About `MEASURED` of these pictures."""
    return lab[:: max(1, round(len(lab) / MEASURED))]


def as_markdown(table: pd.DataFrame) -> str:
    """The page results/ablation/README.md."""
    lines = [
        f"| {row.what} | {row.classic * 1000:.2f} | {row.more * 1000:.2f}"
        f" | {row.photos * 1000:.2f} | {row.general:.3f} |"
        for row in table.itertuples()
    ]
    return f"""# What each choice is worth

Every row learned from {SAMPLES:,} samples of 96 pixels, or as many pixels, with one seed, and was
measured on about {MEASURED} validation pictures of each collection (classic; more: varieties never
trained on; photos of fruit; general: ordinary photos): ab mean squared error of whole pictures x
1,000, that of general as a share of what grey has. With one seed a row and so few samples small
differences say nothing, and what a choice is worth at full length was not measured. Made by
`python -m model.ablation --data DIR --more DIR --photos DIR --general DIR`.

| | classic | more | photos | general, of grey |
|---|---|---|---|---|
""" + "".join(f"{line}\n" for line in lines)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    collections.add_folders(parser)
    parser.add_argument(
        "--rows", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    folders = collections.folders_of(arguments)
    try:
        samples = load_samples("train", 0, BASE, **folders)
        varieties = list(dict.fromkeys(load_more(arguments.more, "train").varieties))
        pictures = {n: thinned(lab) for n, lab in load_validation("train", **folders).items()}
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / "ablation.csv"
        done = pd.read_csv(file).to_dict("records") if file.exists() else []
        rows = {row["row"]: row for row in done}
        for name in arguments.rows:
            rows[name] = measure(name, samples, varieties, pictures)
            table = pd.DataFrame([rows[name] for name in VARIANTS if name in rows])
            table.to_csv(file, index=False)
            (FOLDER / "README.md").write_text(as_markdown(table))
    except Interrupted as error:
        print(f"\n{error} Go on with the same command.", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        return 130
    except (DataError, ValueError) as error:
        print(f"model.ablation: {error}", file=sys.stderr)
        return 2
    print(as_markdown(table))
    return 0
