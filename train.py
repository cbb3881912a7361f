"""Train a network by a named recipe.

    python train.py paper --data DIR
    python train.py colornet --data DIR --more DIR --photos DIR --general DIR
    torchrun --nproc-per-node 2 train.py colornet ...

writes config.json, metrics.json, curve.png and weights.safetensors into results/<run>/. Ctrl-C
saves; the same command with --resume goes on exactly where it stopped (on the CPU bit for bit).
`paper` learns from Fruits-360 alone, `colornet` also from further varieties, photos of fruit and
ordinary photos, and begins with ImageNet weights (requirements-pretrained.txt); `colornet-large`
goes on from its weights (--start) with larger samples.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from model.data import collections
from model.data.fruits360 import DataError
from model.training.loop import Interrupted, train
from model.training.recipes import RECIPES, Run
from model.training.results import Result
from model.training.sources import load_pictures
from model.weights import weights_path


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", choices=RECIPES, help="named configuration")
    collections.add_folders(parser)
    parser.add_argument("--run", help="folder under results/ (default: <recipe>-seed<seed>)")
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--split",
        default="train",
        help="train; whole for all of Training and more-val; seen to hold whole varieties out"
        " (default: %(default)s)",
    )
    parser.add_argument("--start", help="weights to begin with: a name or a file")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--batch-size", type=int, help="default: the recipe's")
    parser.add_argument("--learning-rate", type=float, help="default: the recipe's")
    return parser


def run_of(arguments: argparse.Namespace) -> Run:
    """The run that these arguments ask for.

    Raises:
        ValueError: a value that makes no sense, with its flag.
    """
    given = {
        name: value
        for name in ("epochs", "batch_size", "learning_rate")
        if (value := getattr(arguments, name)) is not None
    }
    return Run(
        recipe_name=arguments.recipe,
        folder=Path("results") / (arguments.run or f"{arguments.recipe}-seed{arguments.seed}"),
        recipe=replace(RECIPES[arguments.recipe], **given),
        seed=arguments.seed,
        device=arguments.device,
        split=arguments.split,
        start=weights_path(arguments.start) if arguments.start else None,
    )


def summary(run: Run, result: Result) -> str:
    """A finished run in one or two sentences."""
    found = f"validation loss {result.validation_loss:.5f}, written to {run.folder}"
    if run.recipe.network != "PaperNet" or not result.dead_channels:
        return found
    if result.collapsed:
        died = "This run collapsed: the last ReLU died, so every picture comes out grey."
    else:
        (channel,) = result.dead_channels
        died = f"Half of this run's output died: {channel} is neutral in every picture."
    return f"{found}\n{died} That happens to some seeds of the paper's network; try another --seed."


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        run = run_of(arguments)
        training, validation = load_pictures(run, **collections.folders_of(arguments))
        result = train(run, training, validation, resume=arguments.resume)
    except Interrupted as error:
        print(f"\n{error} Go on with the same command and --resume.", file=sys.stderr)
        return 130
    except KeyboardInterrupt:  # before training began, or after it, which --resume does again
        return 130
    except (DataError, ValueError, OSError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    if result:  # None in all but the first of torchrun's processes
        print(summary(run, result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
