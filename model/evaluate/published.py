"""Write the figures of the shipped weights into README, docs and cards.

    python -m model.evaluate.published

A file names the table that it wants between two comments, and the command fills it in from the
JSON under results/ that the measuring commands left:

    <!-- figures:NAME -->
    <!-- /figures -->

NAME is summary, comparison, pins, replication, colornet or paper.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from model.evaluate.goals import ABOUT_SETS, ROWS, SPEED, figure, sets_of, table

ROOT = Path(__file__).parents[2]
NETWORKS = ("paper", "colornet")
PAGES = ("README.md", "docs/*.md", "model/weights/*.md")
BLOCK = re.compile(
    r"(<!-- figures:(?P<name>[\w-]+) -->\n)(?:(?!<!-- figures:).)*?(<!-- /figures -->)", re.DOTALL
)


class FiguresError(ValueError):
    """A page asks for figures in a way that cannot be answered; one sentence."""


def summary(results: Path) -> str:
    """The figures of README: the two networks on pictures that no choice was based on."""
    networks = [_read(results / name / "scorecard.json") for name in NETWORKS]
    rows = [
        ("ab mean squared error, fruit varieties never trained on", "unseen", "ab_mse"),
        ("ab mean squared error, shop photos never trained on", "photos", "ab_mse"),
        ("the same on ordinary photos (Kodak), as a share of all grey's", "kodak", "of_grey"),
        ("colour difference CIEDE2000, those varieties, median", "unseen", "ciede2000_median"),
        (
            "classifier two-sample test on those varieties: generated pictures told from true ones"
            " (accuracy, 0.5 is chance)",
            "unseen",
            "machine_rater",
        ),
    ]
    lines = ["| | the paper's network | ColorNet |", "|---|---|---|"]
    for title, part, key in rows:
        cells = [figure(measured, part, key) for measured in networks]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def comparison(results: Path) -> str:
    """Every figure of both networks beside its goal, and the speed."""
    paper, colornet = (_read(results / name / "scorecard.json") for name in NETWORKS)
    lines = ["| | measured on | PaperNet | ColorNet | goal |", "|---|---|---|---|---|"]
    for key, (title, _) in ROWS.items():
        goals = sets_of(key)
        cells = [[figure(measured, part, key) for part in goals] for measured in (paper, colornet)]
        columns = map(_together, (goals, *cells, [goal or "-" for goal in goals.values()]))
        lines.append(f"| {title} | {' | '.join(columns)} |")
    speed = _read(results / "colornet" / "speed.json")["rows"]
    for title, goal in SPEED.items():
        ratio = speed[title]["ratio"]
        lines.append(f"| {title}, ratio of times | - | - | {ratio:.2f} | {goal:.2f} |")
    rated = colornet["classic"]["machine_rater_details"]
    lines += [
        "",
        ABOUT_SETS,
        "",
        "The accuracy in the two-sample test is the mean of three classifiers; on ColorNet's"
        f" classic pictures they ranged from {rated['lowest']:.2f} to {rated['highest']:.2f}.",
    ]
    return "\n".join(lines)


def _together(values: Iterable[str]) -> str:
    """The values of several sets in one cell."""
    values = list(values)
    return values[0] if len(set(values)) == 1 else " / ".join(values)


def pins(results: Path) -> str:
    """How far ColorNet's pins reach, beside the goals."""
    found = _read(results / "colornet" / "pins.json")
    rows = [
        ("one pin: on its object", found["one_pin"]["object"], "at least 0.85"),
        ("one pin: on the other objects", found["one_pin"]["others"], "at most 0.05"),
        ("one pin: on the background", found["one_pin"]["background"], "at most 0.05"),
    ]
    for kind, value in found["three_pins"].items():
        rows.append((f"a pin on each object: on the {kind}", value, "at least 0.90"))
    lines = ["| share of the wanted change | ColorNet | goal |", "|---|---|---|"]
    lines += [f"| {title} | {value:.2f} | {goal} |" for title, value, goal in rows]
    return "\n".join(lines)


def replication(results: Path) -> str:
    """Test loss of the paper's network by how many of its outputs died, beside the baselines."""
    found = _read(results / "paper" / "summary.json")
    lines = [
        "| | seeds | test loss, mean | standard deviation |",
        "|---|---|---|---|",
        f"| published by Leisher & Martin | 1 | {found['paper_test_loss']:.4f} | - |",
    ]
    for name, group in found["groups"].items():
        mean, sd = ("-" if x is None else f"{x:.4f}" for x in (group["mean"], group["sd"]))
        lines.append(f"| {name} | {group['seeds']} | {mean} | {sd} |")
    lines += [
        f"| baseline: {name} | - | {loss:.4f} | - |" for name, loss in found["baselines"].items()
    ]
    return "\n".join(lines)


def card(weights: str) -> Callable[[Path], str]:
    """The scorecard of `weights`, for their card."""
    return lambda results: table(_read(results / weights / "scorecard.json"))


BLOCKS: dict[str, Callable[[Path], str]] = {
    "summary": summary,
    "comparison": comparison,
    "pins": pins,
    "replication": replication,
    "colornet": card("colornet"),
    "paper": card("paper"),
}


def filled(page: str, results: Path) -> str:
    """`page`, Markdown, with the figures in `results` between its markers.

    Raises:
        FiguresError: a block of an unknown name, or one that is not closed.
    """

    blocks = len(BLOCK.findall(page))
    if blocks != page.count("<!-- figures:") or blocks != page.count("<!-- /figures -->"):
        raise FiguresError(
            "a block of figures begins with <!-- figures:NAME --> on a line of its own and ends"
            " with <!-- /figures -->."
        )

    def answer(found: re.Match) -> str:
        if found["name"] not in BLOCKS:
            raise FiguresError(
                f"there are no figures {found['name']!r}; there are {', '.join(BLOCKS)}."
            )
        return f"{found[1]}{BLOCKS[found['name']](results)}\n{found[3]}"

    return BLOCK.sub(answer, page)


def pages(root: Path) -> list[Path]:
    """The files that may hold figures."""
    return sorted(file for pattern in PAGES for file in root.glob(pattern))


def _read(file: Path) -> dict:
    return json.loads(file.read_text())


def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m model.evaluate.published",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def main(argv: list[str] | None = None, *, root: Path = ROOT) -> int:
    parser().parse_args(argv)
    for file in pages(root):
        before = file.read_text()
        try:
            after = filled(before, root / "results")
        except (FiguresError, OSError) as error:
            print(f"model.evaluate.published: {file.relative_to(root)}: {error}", file=sys.stderr)
            return 2
        if after != before:
            file.write_text(after)
            print(f"{file.relative_to(root)}: figures written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
