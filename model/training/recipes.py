"""What a training run is made of: named recipes, and a recipe with a seed, a split and a folder."""

import hashlib
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch

from model.training.samples import SHARES


@dataclass(frozen=True)
class Recipe:
    """A named training configuration, by Adam, its weight decay decoupled
    (Loshchilov & Hutter 2019).

    Attributes:
        network: a name in `NETWORKS`; `options` are arguments of it.
        regression: a name in `REGRESSIONS`, the loss of ab; None trains the distribution alone.
        distribution: weight of the loss of the distribution over ab bins, where there is one.
        rebalanced: weigh rare colours up in the loss of the distribution.
        adversarial: weight of the gradient by which a critic, trained along, tells the network
            where its colours do not look true; 0 for none.
        cosine: warm the learning rate up and bring it down to 0 along a cosine.
        ema: decay of the running average of the weights, which is what is kept; 0 for none.
        weight_decay: by which each step shrinks the weights, times the learning rate.
        bfloat16: compute in that type where it is safe and the processor has it.
        samples: an epoch is so many samples of `model.training.samples`; 0: the pictures, each
            once.
        backgrounds: share of cut-out fruit put on something else than white.
        balanced: draw varieties and kinds of fruit alike, however many pictures each has.
        shares: of the collections.
        half: keep the weights as float16.
        photo_chroma: factor that the colours of photos, all but a fruit on white, need afterwards:
            the mean of the colours that are possible is duller than any of them.
    """

    network: str
    epochs: int
    batch_size: int
    learning_rate: float
    options: dict = field(default_factory=dict)
    regression: str | None = "mse"
    distribution: float = 0
    rebalanced: bool = False
    adversarial: float = 0
    cosine: bool = False
    ema: float = 0
    weight_decay: float = 0
    bfloat16: bool = False
    samples: int = 0
    backgrounds: float = 0
    balanced: bool = False
    shares: dict = field(default_factory=SHARES.copy)
    half: bool = False
    photo_chroma: float = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not value > 0 or not math.isfinite(value):
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, not {value}.")

    def told(self) -> dict:
        """The attributes that say something: all that have no default or differ from it."""
        default = {f.name: f.default for f in fields(self)} | {"options": {}, "shares": SHARES}
        return {name: value for name, value in asdict(self).items() if value != default[name]}


RECIPES = {
    # One epoch is the paper's. It gives neither batch size nor learning rate: these validated
    # best, see results/paper/.
    "paper": Recipe(network="PaperNet", epochs=1, batch_size=16, learning_rate=1e-3),
    # After Zhang et al. 2016 and 2017 and trial runs; results/ablation/ tells what single choices
    # are worth in short runs.
    "colornet": Recipe(
        network="ColorNet",
        options={"dropout": 0.1},
        epochs=18,
        batch_size=32,
        learning_rate=1.5e-3,
        regression="mse",
        distribution=1e-3,
        cosine=True,
        ema=0.999,
        weight_decay=0.1,
        bfloat16=True,
        samples=20_000,
        backgrounds=0.15,
        balanced=True,
        shares={"classic": 0.42, "more": 0.26, "photos": 0.32},
        half=True,
        photo_chroma=1.05,
    ),
    # Zhang et al. 2016, a quarter of the channels.
    "zhang": Recipe(
        network="ZhangNet",
        epochs=10,
        batch_size=32,
        learning_rate=1e-3,
        regression=None,
        distribution=1,
        rebalanced=True,
        cosine=True,
        bfloat16=True,
        samples=10_000,
        backgrounds=0.15,
        half=True,
    ),
}


@dataclass(frozen=True)
class Run:
    """One training run. config.json tells all but the device and the constants of
    model.training.samples."""

    recipe_name: str
    folder: Path
    recipe: Recipe
    seed: int = 0
    device: str = "auto"
    split: str = "train"
    start: Path | None = None  # weights to begin with instead of random ones

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"--seed is a number from 0 to 2^63 - 1, not {self.seed}.")
        if self.split not in ("train", "seen", "whole"):
            raise ValueError(f"--split is train, seen or whole, not {self.split!r}.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"--device is auto, cpu or cuda, not {self.device!r}.")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: PyTorch sees no CUDA device here; use cpu or auto.")

    def config(self) -> dict:
        """What resuming must find unchanged."""
        return {
            "recipe": self.recipe_name,
            **self.recipe.told(),
            "seed": self.seed,
            "split": self.split,
            **({"start": _digest(self.start)} if self.start else {}),
        }


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
