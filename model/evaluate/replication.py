"""The paper's experiment, repeated: how far its network and recipe carry, seed by seed.

    python -m model.replication --data DIR

1. Searches batch size and learning rate, which the paper does not give, on validation data; the
   recipe in model/training/recipes.py has the best of them.
2. Trains that recipe with several seeds for the paper's one epoch.
3. Reports each on the test split, once, beside the paper's figure and three baselines.

Everything goes to results/paper/. Finished runs are kept: started again, it goes on. `--ship`
makes the weights with the lowest validation loss those that the project ships.
"""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from model.color import normalize
from model.data import fruits360
from model.metrics import ab_mse
from model.networks.files import load_network
from model.training.loop import Interrupted, train
from model.training.recipes import RECIPES, Run
from model.training.sources import to_lab
from model.training.validation import evaluation_loss
from model.weights import WEIGHTS_FOLDER

# Test loss that Leisher & Martin report, after one epoch.
PAPER_TEST_LOSS = 0.0151
FOLDER = Path("results/paper")
BATCH_SIZES = (16, 32, 64)
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
DIFFERENCES = """\
What differs from the paper:

- Data: of the paper's varieties these are not as in the paper: {unlike}.
- A tenth of Training, in arcs of the turntable, is kept back for validation.
- Batch size and learning rate are not in the paper; search.csv holds the search on validation
  data. Neither are the kind of upsampling (here: repeated pixels) and the padding at stride 2
  (here: two pixels on every side).
- "Dead": an output that is exactly 0, that is grey, on all but 0.1 percent of the pixels. The ReLU
  on the output makes that possible, and a dead ReLU gets no gradient and stays dead.
"""
# Seeds of the search, none of which is reported.
SEARCH_SEEDS = (100, 101, 102)


def baselines(training: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """The paper's loss of three predictions that need no network.

    Args:
        training: (N, 3, H, W) uint8 Lab, what the baselines learn from.
        test: the same, what they are measured on.
    """
    true = normalize(test[:, 1:].astype(np.float32))
    luminance, ab = training[:, 0].ravel(), training[:, 1:].transpose(1, 0, 2, 3).reshape(2, -1)
    count = np.bincount(luminance, minlength=256)
    by_luminance = np.stack(
        [np.bincount(luminance, channel, minlength=256) / np.maximum(count, 1) for channel in ab]
    )
    constant = normalize(ab.mean(axis=1))[None, :, None, None]
    looked_up = normalize(by_luminance[:, test[:, 0]].transpose(1, 0, 2, 3))
    return {
        "all grey": ab_mse(np.zeros_like(true), true),
        "one constant colour": ab_mse(np.broadcast_to(constant, true.shape), true),
        "mean colour for each luminance": ab_mse(looked_up, true),
    }


def search(training: np.ndarray, validation: np.ndarray) -> pd.DataFrame:
    """Train every combination of batch size and learning rate, three seeds each."""
    rows = []
    for batch_size, learning_rate, seed in product(BATCH_SIZES, LEARNING_RATES, SEARCH_SEEDS):
        recipe = replace(RECIPES["paper"], batch_size=batch_size, learning_rate=learning_rate)
        name = f"search-{batch_size}-{learning_rate:g}-{seed}"
        metrics = _finished(
            Run("paper", FOLDER / "runs" / name, recipe, seed), training, validation
        )
        rows.append(
            {
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "seed": seed,
                "validation_loss": metrics["validation_loss"],
                "dead_channels": " ".join(metrics["dead_channels"]),
            }
        )
    return pd.DataFrame(rows)


def repeat(
    seeds: int, training: np.ndarray, validation: np.ndarray, test: np.ndarray
) -> pd.DataFrame:
    """Train `seeds` seeds of the recipe and measure each on the test split."""
    rows = []
    for seed in range(seeds):
        run = Run("paper", FOLDER / "runs" / f"seed-{seed}", RECIPES["paper"], seed)
        metrics = _finished(run, training, validation)
        network = load_network(run.folder / "weights.safetensors")
        rows.append(
            {
                "seed": seed,
                "validation_loss": metrics["validation_loss"],
                "test_loss": evaluation_loss(network, test),
                "dead_channels": " ".join(metrics["dead_channels"]),
            }
        )
    return pd.DataFrame(rows)


def _finished(run: Run, training: np.ndarray, validation: np.ndarray) -> dict:
    """The metrics of `run`, trained, resumed or kept from an earlier call."""
    train(run, training, validation, resume=(run.folder / "run.ckpt").exists())
    return json.loads((run.folder / "metrics.json").read_text())


def summarize(seeds: pd.DataFrame, base: dict[str, float]) -> dict:
    """Mean and standard deviation of the test loss, of all seeds and of those without a dead
    output, beside the paper's and the baselines."""
    dead = seeds.dead_channels.str.split().str.len()
    groups = {
        "all seeds": seeds.test_loss,
        "both outputs alive": seeds.test_loss[dead == 0],
        "one output dead": seeds.test_loss[dead == 1],
        "collapsed, both dead": seeds.test_loss[dead == 2],
    }
    return {
        "paper_test_loss": PAPER_TEST_LOSS,
        "groups": {
            name: {
                "seeds": len(losses),
                "mean": losses.mean() if len(losses) else None,
                "sd": losses.std() if len(losses) > 1 else None,
            }
            for name, losses in groups.items()
        },
        "best_validating_seed": int(seeds.seed[seeds.validation_loss.idxmin()]),
        "batch_size": RECIPES["paper"].batch_size,
        "learning_rate": RECIPES["paper"].learning_rate,
        "baselines": base,
    }


def as_markdown(seeds: pd.DataFrame, summary: dict, unlike: list[str]) -> str:
    """The tables of results/paper/README.md."""

    def figure(value: float | None) -> str:
        return "-" if value is None else f"{value:.5f}"

    lines = [
        "# The paper's network, repeated",
        "",
        "Test loss: mean squared error of ab in -1..1, over whole pictures. Made by"
        " `python -m model.replication --data DIR`.",
        "",
        "| | seeds | test loss, mean | sd |",
        "|---|---|---|---|",
        f"| Leisher & Martin | 1 | {summary['paper_test_loss']} | - |",
    ]
    for name, group in summary["groups"].items():
        lines.append(
            f"| {name} | {group['seeds']} | {figure(group['mean'])} | {figure(group['sd'])} |"
        )
    lines += [
        f"| baseline: {name} | - | {figure(x)} | - |" for name, x in summary["baselines"].items()
    ]
    lines += ["", "| seed | validation loss | test loss | dead outputs |", "|---|---|---|---|"]
    for row in seeds.itertuples():
        validation, test = figure(row.validation_loss), figure(row.test_loss)
        lines.append(f"| {row.seed} | {validation} | {test} | {row.dead_channels or '-'} |")
    differences = DIFFERENCES.format(unlike=", ".join(unlike) or "none")
    return "\n".join([*lines, "", differences])


def write(table: pd.DataFrame, seeds: pd.DataFrame, summary: dict, unlike: list[str]) -> None:
    """The tables and the page in results/paper/."""
    table.to_csv(FOLDER / "search.csv", index=False)
    seeds.to_csv(FOLDER / "seeds.csv", index=False)
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (FOLDER / "README.md").write_text(as_markdown(seeds, summary, unlike))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.replication",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    parser.add_argument("--seeds", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--ship", action="store_true", help="put the best weights in model/weights")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        unlike = fruits360.unlike_the_paper(fruits360.find_root(arguments.data))
        training, validation, test = (
            to_lab(fruits360.load_split(arguments.data, split).rgb)
            for split in ("train", "val", "test")
        )
        FOLDER.mkdir(parents=True, exist_ok=True)
        table = search(training, validation)
        seeds = repeat(arguments.seeds, training, validation, test)
    except Interrupted as error:
        print(f"\n{error} Go on with the same command.", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        return 130
    except (fruits360.DataError, ValueError) as error:
        print(f"model.replication: {error}", file=sys.stderr)
        return 2
    summary = summarize(seeds, baselines(training, test))
    write(table, seeds, summary, unlike)
    best = FOLDER / "runs" / f"seed-{summary['best_validating_seed']}"
    shutil.copy(best / "curve.png", FOLDER / "curve.png")
    if arguments.ship:
        shutil.copy(best / "weights.safetensors", WEIGHTS_FOLDER / "paper.safetensors")
    mean = table.groupby(["batch_size", "learning_rate"]).validation_loss.mean()
    print("validation loss, mean of three seeds:")
    print(mean.unstack().to_string(float_format="{:.5f}".format))
    print(as_markdown(seeds, summary, unlike))
    return 0
