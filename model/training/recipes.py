"""Named recipes, and what a run makes of one."""

import hashlib
import math
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import torch

from model.training.samples import SHARES


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named training configuration. These are its defaults; `RECIPES` has what differs."""

    # Network: a name in model.networks.NETWORKS, and its arguments.
    network: str
    options: dict = field(default_factory=dict)
    # Whether its encoder begins with ImageNet weights.
    pretrained: bool = False

    # Steps: an epoch draws this many samples (model.training.samples); 0: all pictures, each once.
    epochs: int
    samples: int = 0
    batch_size: int

    # Loss: weight of the cross entropy of the distribution over ab bins, beside the mean squared
    # error of ab; 0 for a network that has no distribution.
    distribution: float = 0

    # Optimizer: Adam, its weight decay decoupled and on matrices and convolution kernels alone.
    # The encoder's learning rate is this share of the others'.
    # With cosine the learning rate warms up and comes down to 0 along a cosine.
    learning_rate: float
    encoder_rate: float = 1
    cosine: bool = False
    weight_decay: float = 0

    # Weights: decay of their running average, which is then what is kept; 0 for none. With half
    # they are kept as float16.
    ema: float = 0
    half: bool = False

    # Arithmetic: bfloat16 where it is safe and the processor has it.
    bfloat16: bool = False

    # Samples: their side in pixels; the side of those of every other batch, which then shows photos
    # alone, or 0 for batches that are all alike; the share of each collection, the share of fruit
    # that is cut out and put on another background, and whether varieties and kinds of fruit are
    # drawn alike, however many pictures each has.
    canvas: int = 96
    photo_canvas: int = 0
    shares: dict = field(default_factory=SHARES.copy)
    backgrounds: float = 0
    balanced: bool = False

    # Afterwards: factor that the colours of photos need, of all but a fruit on white: the mean of
    # the colours that are possible is duller than any of them; and whether the error
    # that the network expects is fitted to the samples.
    photo_chroma: float = 1
    doubt: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not value > 0 or not math.isfinite(value):
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, not {value}.")

    def settings(self) -> dict:
        """The settings that differ from their default, or have none."""
        default = {f.name: f.default for f in fields(self)} | {"options": {}, "shares": SHARES}
        return {name: value for name, value in asdict(self).items() if value != default[name]}


COLORNET = Recipe(
    network="ColorNet",
    pretrained=True,
    epochs=5,
    samples=40_000,
    batch_size=32,
    distribution=1e-3,
    learning_rate=2.5e-3,
    encoder_rate=0.32,
    cosine=True,
    weight_decay=0.05,
    ema=0.998,
    half=True,
    bfloat16=True,
    backgrounds=0.15,
    balanced=True,
    photo_chroma=1.1,
)
RECIPES = {
    # One epoch is the paper's. It gives neither batch size nor learning rate: these had the lowest
    # validation loss, see results/paper/.
    "paper": Recipe(network="PaperNet", epochs=1, batch_size=16, learning_rate=1e-3),
    # After Zhang et al. 2016 and 2017 and trial runs; results/ablation/ tells what single choices
    # are worth in short runs. Small pictures first, for many of them are worth more than large
    # ones, then larger ones (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    "colornet": COLORNET,
    "colornet-large": replace(
        COLORNET,
        epochs=2,
        samples=4_800,
        batch_size=16,
        learning_rate=6e-4,
        ema=0.99,
        canvas=128,
        photo_canvas=224,
    ),
}


@dataclass(frozen=True)
class Run:
    """One training run: a recipe with a seed, a split and a folder."""

    recipe_name: str
    folder: Path
    recipe: Recipe
    seed: int = 0
    device: str = "auto"
    split: str = "train"
    # Weights to begin with, instead of random ones.
    start: Path | None = None

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
        """What config.json tells and resuming must find unchanged: all but the device and the
        constants of model.training.samples."""
        return {
            "recipe": self.recipe_name,
            **self.recipe.settings(),
            "seed": self.seed,
            "split": self.split,
            **({"start": _digest(self.start)} if self.start else {}),
        }


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
