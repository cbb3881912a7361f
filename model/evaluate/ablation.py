"""What each choice in the recipe `colornet` is worth, on validation data.

    python -m model.ablation --data DIR --more DIR --photos DIR

Trains every row of `VARIANTS` on the same samples, each for the same short time, and writes
results/ablation/. Finished rows are kept: started again, it goes on.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from model.colorizer.pipeline import Colorizer
from model.data import collections as datasets
from model.data.collections import load_more, load_photos
from model.data.fruits360 import DataError, Pictures, load_split
from model.evaluate.figures import evaluate
from model.networks.files import load_network
from model.training.loop import Interrupted, train
from model.training.recipes import RECIPES, Recipe, Run
from model.training.samples import SHARES, Samples
from model.training.sources import load_samples, load_validation

FOLDER = Path("results/ablation")
SAMPLES = 10_000  # rows compare choices, they are no finished weights
COLORNET, SHORT = RECIPES["colornet"], {"epochs": 1, "samples": SAMPLES}
# as the first runs of the shipped weights were: their card tells of it
PLAIN = {"options": {}, "weight_decay": 0, "balanced": False, "shares": SHARES}
BASE = replace(COLORNET, ema=0.99, **PLAIN, **SHORT)
ZHANG = replace(RECIPES["zhang"], **SHORT)
FINISH = replace(BASE, learning_rate=5e-4)
NO_CONTEXT = {"attention": False, "mean": False}
# The collections that rows learn from in part, and what `plot_data` counts of each.
LEARNED = {"more": "varieties, beside the classic ones", "photos": "photos"}
FIGURES = ("ab_mse", "ciede2000_median", "colorfulness_ratio")


@dataclass(frozen=True)
class Variant:
    """One row of the table: a recipe, how its network is used, and what it begins with."""

    title: str
    recipe: Recipe
    used: Callable[[nn.Module], nn.Module] = lambda network: network
    averages: bool = False  # over several views, as `Colorizer` does
    run: str = ""  # the row whose training it shares, where it has none of its own
    start: str = ""  # the row whose weights it begins with
    # What it learns from: of the further varieties, or of the photos, one in so many; 0: none.
    one_in: dict[str, int] = field(default_factory=dict)


class Mirrored(nn.Module):
    """The mean of a network's ab on a picture and on its mirror image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.studio_scale, self.photo_scale = network.studio_scale, network.photo_scale

    def forward(self, luminance: Tensor) -> Tensor:
        return (self.network(luminance) + self.network(luminance.flip(-1)).flip(-1)) / 2


def plain_mean(network: nn.Module) -> nn.Module:
    """A classifying network with the mean of its distribution in place of the annealed mean."""
    network.temperature = 1.0
    return network


VARIANTS = {
    "base": Variant("ColorNet: squared error, distribution, context, average, backgrounds", BASE),
    "mirrored": Variant("mean with the mirrored picture's", BASE, Mirrored, run="base"),
    "averaged": Variant("mean of four views of fruit on white", BASE, averages=True, run="base"),
    "huber": Variant("Huber loss", replace(BASE, regression="huber")),
    "chroma": Variant("squared error weighted by chroma", replace(BASE, regression="chroma")),
    "no distribution": Variant("without the distribution", replace(BASE, distribution=0)),
    "no dilation": Variant("without dilation", replace(BASE, options={"dilation": False})),
    "no attention": Variant("without attention", replace(BASE, options={"attention": False})),
    "no mean": Variant("without the picture's mean", replace(BASE, options={"mean": False})),
    "no context": Variant("without attention and mean", replace(BASE, options=NO_CONTEXT)),
    "no average": Variant("without the running average of the weights", replace(BASE, ema=0)),
    "balanced": Variant(
        "varieties drawn alike, the further ones more often",
        replace(BASE, balanced=True, shares=COLORNET.shares),
    ),
    "dropout": Variant(
        "dropout and weight decay",
        replace(BASE, options=COLORNET.options, weight_decay=COLORNET.weight_decay),
    ),
    "no backgrounds": Variant("without synthetic backgrounds", replace(BASE, backgrounds=0)),
    "half the varieties": Variant("with half of the further varieties", BASE, one_in={"more": 2}),
    "a quarter of the varieties": Variant(
        "with a quarter of the further varieties", BASE, one_in={"more": 4}
    ),
    "no more": Variant("without the further varieties", BASE, one_in={"more": 0}),
    "half the photos": Variant("with half of the photos", BASE, one_in={"photos": 2}),
    "a quarter of the photos": Variant("with a quarter of the photos", BASE, one_in={"photos": 4}),
    "no photos": Variant("without the photos", BASE, one_in={"photos": 0}),
    "longer": Variant("as long again", FINISH, start="base"),
    "adversarial": Variant(
        "as long again, with a critic", replace(FINISH, adversarial=3e-3), start="base"
    ),
    "zhang": Variant("Zhang et al.: classification, rebalanced, annealed mean", ZHANG),
    "zhang mean": Variant("its plain mean", ZHANG, plain_mean, run="zhang"),
    "zhang plain": Variant("without rebalancing", replace(ZHANG, rebalanced=False)),
}


def measure(name: str, samples: Samples, validation: dict, pictures: dict) -> dict:
    """Train a row of `VARIANTS`, or go on with it, and evaluate it."""
    variant = VARIANTS[name]
    start = FOLDER / "runs" / variant.start / "weights.safetensors" if variant.start else None
    folder = FOLDER / "runs" / (variant.run or name)
    run = Run("ablation", folder, variant.recipe, start=start)
    varieties = one_in(variant.one_in.get("more", 1), samples.sources["more"])
    kinds = samples.sources["photos"]
    if "photos" in variant.one_in:  # single ones, whatever is on them
        kinds = [one_in(variant.one_in["photos"], list(chain.from_iterable(kinds)))]
    sources = samples.sources | {"more": varieties, "photos": list(filter(None, kinds))}
    recipe = variant.recipe
    samples = replace(
        samples,
        sources=sources,
        backgrounds=recipe.backgrounds,
        balanced=recipe.balanced,
        shares=recipe.shares,
    )
    train(run, samples, validation, resume=(run.folder / "run.ckpt").exists())
    path = run.folder / "weights.safetensors"
    # the colours as the network gives them, those of photos too
    network = variant.used(load_network(path)).eval()
    colorizer = Colorizer(network, path, averages=variant.averages)
    row = {"row": name, "what": variant.title}
    row |= {"more learned from": len(varieties), "photos learned from": sum(map(len, kinds))}
    for collection, chosen in pictures.items():
        figures = evaluate(colorizer, chosen)
        for figure in FIGURES:
            row[f"{collection} {figure}"] = figures[figure]
    return row


def one_in(so_many: int, of: list) -> list:
    """One in so many; 0: none."""
    return of[::so_many] if so_many else []


def thinned(pictures: Pictures) -> Pictures:
    """Every eighth frame: neighbours are alike."""
    return replace(pictures, rgb=pictures.rgb[::8], varieties=pictures.varieties[::8])


def plot_data(table: pd.DataFrame, file: Path) -> None:
    """Draw the error on varieties and photos never seen by the number of those learned from."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    rows = table.set_index("row")
    for axes, (collection, label) in zip(figure.subplots(1, 2), LEARNED.items(), strict=True):
        names = ["base", *(name for name in VARIANTS if collection in VARIANTS[name].one_in)]
        learned = f"{collection} learned from"
        points = rows.loc[rows.index.intersection(names)].sort_values(learned)
        axes.plot(points[learned], points[f"{collection} ab_mse"] * 1000, "o-")
        axes.set(xlabel=label, ylabel="ab mean squared error x 1,000", ylim=(0, None))
    figure.savefig(file, dpi=110, metadata={"Software": None})


def as_markdown(table: pd.DataFrame) -> str:
    lines = [
        "# What each choice is worth",
        "",
        f'Every row: {SAMPLES:,} samples of the three collections ("as long again": the same once'
        " more, from the first row's weights), one seed, then measured on validation pictures"
        " (classic, more: varieties never trained on, photos). Per collection: ab mean squared"
        " error x 1,000 (whole pictures), median CIEDE2000 and colourfulness (generated over true)"
        " on the fruit, of photos on all that is in colour. With one seed a row and so few samples"
        " small differences say nothing; what a row is worth at full length was not measured."
        " `data.png` draws the error by how many varieties and photos there were to learn from."
        " Made by `python -m model.ablation --data DIR --more DIR --photos DIR`.",
        "",
        "| | classic | more | photos |",
        "|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        cells = [
            f"{row[f'{c} ab_mse'] * 1000:.2f}, {row[f'{c} ciede2000_median']:.1f},"
            f" {row[f'{c} colorfulness_ratio']:.2f}"
            for c in ("classic", "more", "photos")
        ]
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    datasets.add_folders(parser)
    parser.add_argument(
        "--rows", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all"
    )
    arguments = parser.parse_args(argv)
    folders = datasets.folders_of(arguments)
    try:
        samples = load_samples("train", 0, BASE, **folders)
        validation = load_validation("train", **folders)
        pictures = {
            "classic": thinned(load_split(arguments.data, "val")),
            "more": thinned(load_more(arguments.more, "val")),
            "photos": load_photos(arguments.photos, "val"),
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / "ablation.csv"
        done = pd.read_csv(file).to_dict("records") if file.exists() else []
        rows = {row["row"]: row for row in done}
        for name in arguments.rows:
            rows[name] = measure(name, samples, validation, pictures)
            table = pd.DataFrame([rows[name] for name in VARIANTS if name in rows])
            table.to_csv(file, index=False)
            (FOLDER / "README.md").write_text(as_markdown(table))
            plot_data(table, FOLDER / "data.png")
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
