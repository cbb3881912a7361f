"""How well weights colorize a split of a collection.

    python -m model.evaluate --weights paper --data DIR --split test
    python -m model.evaluate --more DIR --split more-val --machine-rater

Prints the paper's loss over whole pictures, its share of the loss of all grey and, on the fruit
alone, the colour difference CIEDE2000 and the colourfulness of the generated pictures over that of
the true ones; on request also a classifier two-sample test (Lopez-Paz & Oquab 2017),
`model.evaluate.machine_rater`.
"""

import argparse
import json
import sys

import pandas as pd

from model.colorizer.pipeline import MAX_VIVIDNESS, Colorizer
from model.data import collections, fruits360
from model.data.fruits360 import DataError
from model.evaluate.figures import evaluate
from model.evaluate.machine_rater import machine_rater
from model.weights import DEFAULT_WEIGHTS, WeightsError

# Collections of photos: what their splits begin with.
PHOTOS = ("photos", "general")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="name or file (%(default)s)")
    collections.add_folders(parser)
    splits = (fruits360.SPLITS | collections.SPLITS).items()
    told = ", ".join(f"{name}: {what}" for name, what in splits)
    parser.add_argument("--split", default="test", help=f"{told} (default: %(default)s)")
    parser.add_argument(
        "--machine-rater",
        action="store_true",
        help="classifier two-sample test: can a classifier tell generated from true pictures?",
    )
    parser.add_argument(
        "--photo-chroma", type=float, metavar="FACTOR", help="in place of the weights' own"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def measured(arguments: argparse.Namespace) -> dict:
    """The figures that the command prints.

    Raises:
        WeightsError, DataError: one sentence.
    """
    colorizer = Colorizer.load(arguments.weights)
    if (factor := arguments.photo_chroma) is not None:
        if not 0 <= factor <= MAX_VIVIDNESS:
            raise DataError(f"--photo-chroma is {factor}: 0 to {MAX_VIVIDNESS}.")
        colorizer.photo_chroma = factor
    if arguments.machine_rater and arguments.split.startswith(PHOTOS):
        raise DataError("--machine-rater takes pictures of one size, not photos.")
    pictures = collections.load_split(arguments.split, **collections.folders_of(arguments))
    figures = evaluate(colorizer, pictures)
    if arguments.machine_rater:
        figures["machine_rater"] = machine_rater(colorizer, pictures.rgb)
    return {"weights": colorizer.name, "split": arguments.split, **figures}


def as_text(figures: dict) -> str:
    """The same figures as lines and a table."""
    rows = {"all": {name: figures[name] for name in next(iter(figures["kinds"].values()))}}
    where = "all that is in colour" if figures["split"].startswith(PHOTOS) else "the fruit alone"
    lines = [
        f"{figures['weights']} on {figures['split']}, {figures['pictures']:,} pictures",
        f"ab mean squared error (the paper's loss): {figures['ab_mse']:.5f}",
        f"on {where}:",
        pd.DataFrame(rows | figures["kinds"]).T.to_string(float_format="{:.2f}".format),
    ]
    if rated := figures.get("machine_rater"):
        lines.append(
            f"classifier two-sample test: accuracy {rated['accuracy']:.1%} on pictures that the"
            f" classifier did not learn from ({rated['lowest']:.1%} to {rated['highest']:.1%};"
            " 50 % is chance)"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        figures = measured(arguments)
    except (WeightsError, DataError) as error:
        print(f"model.evaluate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(json.dumps(figures, indent=2) if arguments.json else as_text(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
