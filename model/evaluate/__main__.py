"""How well weights colorize a split of a collection.

    python -m model.evaluate --weights paper --data DIR --split test
    python -m model.evaluate --more DIR --split more-val --machine-rater

Prints the paper's loss over whole pictures and, on the fruit alone, the colour difference
CIEDE2000 and the colourfulness of the generated pictures over that of the true ones. On request
also how well a classifier tells these apart, `model.evaluate.machine_rater`.
"""

import argparse
import json
import sys

import pandas as pd

from model.colorizer.pipeline import MAX_VIVIDNESS, Colorizer
from model.data import collections as datasets
from model.data import fruits360
from model.data.collections import Photos
from model.evaluate.figures import evaluate
from model.evaluate.machine_rater import machine_rater
from model.weights import DEFAULT_WEIGHTS, WeightsError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (%(default)s)")
    datasets.add_folders(parser)
    splits = (fruits360.SPLITS | datasets.SPLITS).items()
    told = ", ".join(f"{name}: {what}" for name, what in splits)
    parser.add_argument("--split", default="test", help=f"{told} (default: %(default)s)")
    parser.add_argument(
        "--machine-rater", action="store_true", help="can a classifier tell them from true ones?"
    )
    parser.add_argument(
        "--photo-chroma", type=float, metavar="FACTOR", help="in place of the weights' own"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)
    try:
        colorizer = Colorizer.load(arguments.weights)
        if (factor := arguments.photo_chroma) is not None:
            if not 0 <= factor <= MAX_VIVIDNESS:
                raise fruits360.DataError(f"--photo-chroma is {factor}: 0 to {MAX_VIVIDNESS}.")
            colorizer.photo_chroma = factor
        folders = datasets.folders_of(arguments)
        if arguments.machine_rater and arguments.split.startswith("photos"):
            raise fruits360.DataError("--machine-rater takes pictures of one size, not photos.")
        pictures = datasets.load_split(arguments.split, **folders)
        figures = evaluate(colorizer, pictures)
        if arguments.machine_rater:
            figures["machine_rater"] = machine_rater(colorizer, pictures.rgb)
    except (WeightsError, fruits360.DataError) as error:
        print(f"model.evaluate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    figures = {"weights": colorizer.name, "split": arguments.split, **figures}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"{colorizer.name} on {arguments.split}, {figures['pictures']:,} pictures")
    print(f"ab mean squared error (the paper's loss): {figures['ab_mse']:.5f}")
    rows = {"all": {name: figures[name] for name in next(iter(figures["kinds"].values()))}}
    print("on all that is in colour:" if isinstance(pictures, Photos) else "on the fruit alone:")
    print(pd.DataFrame(rows | figures["kinds"]).T.to_string(float_format="{:.2f}".format))
    if arguments.machine_rater:
        rated = figures["machine_rater"]
        print(
            f"machine rater: {rated['accuracy']:.1%} right on pictures it did not learn from"
            f" (50 % is chance; {rated['lowest']:.1%} to {rated['highest']:.1%})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
