"""Train a network by a named recipe.

    python train.py paper --data DIR
    python train.py colornet --data DIR --more DIR --photos DIR
    torchrun --nproc-per-node 2 train.py colornet ...

writes config.json, metrics.json, curve.png and weights.safetensors into results/<run>/. Ctrl-C
saves; the same command with --resume goes on exactly where it stopped (on the CPU bit for bit).
`paper` learns from Fruits-360 alone, the other recipes also from further varieties and photos.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from model.data import collections as datasets
from model.data.fruits360 import DataError, load_split
from model.training.loop import Interrupted, to_lab, train
from model.training.recipes import RECIPES, Run
from model.training.sources import load_samples, load_validation
from model.weights import weights_path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", choices=RECIPES, help="named configuration")
    datasets.add_folders(parser)
    parser.add_argument("--run", help="folder under results/ (default: <recipe>-seed<seed>)")
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--split",
        default="train",
        help="train, whole for all of Training and more-val, or seen to hold whole varieties out"
        " (default: %(default)s)",
    )
    parser.add_argument("--start", help="begin with these weights: a name or a file")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--batch-size", type=int, help="default: the recipe's")
    parser.add_argument("--learning-rate", type=float, help="default: the recipe's")
    arguments = parser.parse_args(argv)

    changes = {
        name: value
        for name in ("epochs", "batch_size", "learning_rate")
        if (value := getattr(arguments, name)) is not None
    }
    folders = datasets.folders_of(arguments)
    try:
        run = Run(
            recipe_name=arguments.recipe,
            folder=Path("results") / (arguments.run or f"{arguments.recipe}-seed{arguments.seed}"),
            recipe=replace(RECIPES[arguments.recipe], **changes),
            seed=arguments.seed,
            device=arguments.device,
            split=arguments.split,
            start=weights_path(arguments.start) if arguments.start else None,
        )
        if run.recipe.samples:
            training = load_samples(run.split, run.seed, run.recipe, **folders)
            validation = load_validation(run.split, **folders)
        else:
            if run.split == "whole":
                raise ValueError("--split whole leaves this recipe no pictures to choose by.")
            validation_split = "seen-val" if run.split == "seen" else "val"
            training = to_lab(load_split(arguments.data, run.split).rgb)
            validation = to_lab(load_split(arguments.data, validation_split).rgb)
        result = train(run, training, validation, resume=arguments.resume)
    except Interrupted as error:
        print(f"\n{error} Go on with the same command and --resume.", file=sys.stderr)
        return 130
    except KeyboardInterrupt:  # before training began, or after it, which --resume does again
        return 130
    except (DataError, ValueError, OSError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2

    if os.environ.get("RANK", "0") != "0":
        return 0  # torchrun's other processes: the first one tells
    print(f"validation loss {result.validation_loss:.5f}, written to {run.folder}")
    if run.recipe.network != "PaperNet":
        return 0
    if result.collapsed:
        print(
            "This run collapsed: the last ReLU died, so every picture comes out grey."
            " That happens to some seeds of the paper's network; try another --seed."
        )
    elif result.dead_channels:
        print(
            f"Half of this run's output died: {result.dead_channels[0]} is neutral in every"
            " picture. That happens to some seeds of the paper's network; try another --seed."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
