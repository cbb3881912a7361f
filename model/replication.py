"""The paper's experiment, repeated: how far its network and recipe carry, seed by seed.

    python -m model.replication --data DIR

1. Chooses batch size and learning rate, which the paper does not give, on validation data.
2. Trains ten seeds of the chosen recipe for the paper's one epoch.
3. Reports each on the test split, once, beside the paper's figure and three baselines.

Everything goes to results/paper/. Finished runs are kept: started again, it goes on.
"""

import argparse
import json
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from model import fruits360
from model.color import normalize
from model.metrics import ab_mse
from model.networks import load_network
from model.training import RECIPES, Interrupted, Run, evaluation_loss, to_lab, train

PAPER_TEST_LOSS = 0.0151  # Leisher & Martin, after one epoch
FOLDER = Path("results/paper")
BATCH_SIZES = (16, 32, 64)
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
SEARCH_SEEDS = (100, 101, 102)  # none of the seeds that are reported


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
    metrics = run.folder / "metrics.json"
    if not metrics.exists():
        train(run, training, validation, resume=(run.folder / "run.ckpt").exists())
    return json.loads(metrics.read_text())


def summarize(seeds: pd.DataFrame, base: dict[str, float]) -> dict:
    """Mean, standard deviation and range of the test loss, with and without dead outputs."""
    dead = seeds.dead_channels.str.split().str.len()
    whole = seeds.test_loss[dead == 0]
    return {
        "paper_test_loss": PAPER_TEST_LOSS,
        "seeds": len(seeds),
        "mean": seeds.test_loss.mean(),
        "sd": seeds.test_loss.std(),
        "collapsed": int((dead == 2).sum()),
        "half_dead": int((dead == 1).sum()),
        "mean_without_dead_output": whole.mean() if len(whole) else None,
        "sd_without_dead_output": whole.std() if len(whole) > 1 else None,
        "best_validating_seed": int(seeds.seed[seeds.validation_loss.idxmin()]),
        "recipe": {
            "batch_size": RECIPES["paper"].batch_size,
            "learning_rate": RECIPES["paper"].learning_rate,
        },
        "baselines": base,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="the Fruits-360 folder (default: FRUITS360_DIR)")
    parser.add_argument("--seeds", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--skip-search", action="store_true", help="only the seeds and the table")
    arguments = parser.parse_args(argv)
    try:
        training, validation, test = (
            to_lab(fruits360.load_split(arguments.data, split).rgb)
            for split in ("train", "val", "test")
        )
        FOLDER.mkdir(parents=True, exist_ok=True)
        if not arguments.skip_search:
            table = search(training, validation)
            table.to_csv(FOLDER / "search.csv", index=False)
            mean = table.groupby(["batch_size", "learning_rate"]).validation_loss.mean()
            print(mean.unstack().to_string(float_format="{:.5f}".format))
            batch_size, learning_rate = mean.idxmin()
            print(f"best: batch size {batch_size}, learning rate {learning_rate:g}")
        seeds = repeat(arguments.seeds, training, validation, test)
    except Interrupted as error:
        print(f"\n{error} Go on with the same command.", file=sys.stderr)
        return 130
    except (fruits360.DataError, ValueError) as error:
        print(f"model.replication: {error}", file=sys.stderr)
        return 2
    seeds.to_csv(FOLDER / "seeds.csv", index=False)
    summary = summarize(seeds, baselines(training, test))
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(seeds.to_string(index=False))
    print(json.dumps(summary, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
