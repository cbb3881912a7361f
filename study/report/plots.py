"""Plots of a study's ratings. Each takes the ratings and the figures of `study.report.findings`.

Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.report.findings import Report
from study.stats.means import CHANCE
from study.stats.ratings import CONTROL, Ratings
from study.wording import count, exactly, percent, printable

CONTROL_COLOUR = "#0072B2"
MODEL_COLOURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B09E00", "#8A6FBF")
# Colour of text and axes; in an SVG on a page it becomes that of the text around it.
INK = "#1a1d21"
MEANS = "bars: single ratings; dots: raters' means; diamond: their mean, 95% interval"
RATES = "dots: raters; diamond: their mean, 95% interval"
DIFFERENCES = "a line for each rater; dashes and band: the difference and its 95% interval"
STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "svg.hashsalt": "study",
    "text.parse_math": False,  # a dollar in the name of a model is one
}


def colours(models: Iterable[str]) -> dict[str, str]:
    """The colour of each condition."""
    return {CONTROL: CONTROL_COLOUR} | dict(zip(models, cycle(MODEL_COLOURS), strict=False))


@contextmanager
def _figure(width: float, height: float, report: Report) -> Iterator[Figure]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        if report.simulated:
            figure.suptitle("SIMULATED RATERS, no people", size=9, weight="bold")
        yield figure


def drawings(report: Report) -> list[tuple[str, Callable[[Ratings, Report], Figure], str]]:
    """The plots of a report: title, function and caption of each."""
    if report.fooling:
        return [("How often each rater was fooled", rates, RATES)]
    return [
        ("Ratings by condition", means, MEANS),
        ("Each rater's difference", differences, DIFFERENCES),
    ]


def means(ratings: Ratings, report: Report) -> Figure:
    """The ratings of each condition, its raters' means and their mean; the published one."""
    rows, paint, table = report.conditions, colours(report.models), ratings.table
    with _figure(max(4.8, 1.9 * len(rows)), 3.9, report) as figure:
        axes = figure.subplots()
        of_raters = ratings.rater_means(*(row.condition for row in rows))
        step = 1 if (table["rating"] % 1 == 0).all() else 0.5
        for x, row in enumerate(rows):
            colour = paint[row.condition]
            values = table.loc[table["condition"] == row.condition, "rating"].value_counts()
            axes.barh(
                values.index,
                0.38 * values / values.max() if len(values) else values,
                left=x - 0.42,
                height=0.8 * step,
                color=colour,
                alpha=0.35,
                linewidth=0,
            )
            _dots(axes, x + 0.07, of_raters[row.condition].dropna().to_numpy(), colour)
            _mean(axes, x + 0.19, row.mean, (row.ci_low, row.ci_high), colour)
            if not math.isnan(row.published):
                axes.plot([x - 0.42, x + 0.25], [row.published] * 2, "--", color=INK, lw=0.9)
                text = f"published\n{row.published:g}"
                axes.text(x + 0.27, row.published, text, va="center", size=7.5)
        labels = [
            f"{printable(report.label(row.condition), 16)}\n"
            + ("no ratings" if math.isnan(row.mean) else f"mean {exactly(row.mean)}")
            for row in rows
        ]
        _limits(axes, len(rows), labels)
        axes.set(ylim=(-0.6, 10.6), yticks=range(11), ylabel="rating (0 to 10)")
    return figure


def rates(ratings: Ratings, report: Report) -> Figure:
    """How often each rater took the fake for the true picture, by model."""
    rows, paint = report.fooling, colours(report.models)
    with _figure(max(4.8, 1.9 * len(rows)), 3.9, report) as figure:
        axes = figure.subplots()
        of_raters = ratings.rater_means(*(row.condition for row in rows))
        for x, row in enumerate(rows):
            colour = paint[row.condition]
            _dots(axes, x, of_raters[row.condition].dropna().to_numpy(), colour)
            _mean(axes, x + 0.22, row.rate, (row.ci_low, row.ci_high), colour)
        axes.axhline(CHANCE, ls="--", color=INK, lw=0.9)
        axes.text(len(rows) - 0.47, CHANCE + 0.01, "chance", ha="right", va="bottom", size=8)
        labels = [
            f"{printable(report.label(row.condition), 16)}\n{percent(row.rate)}" for row in rows
        ]
        _limits(axes, len(rows), labels)
        axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        axes.set(ylim=(-0.04, 1.04), ylabel="fooled")
    return figure


def differences(ratings: Ratings, report: Report) -> Figure:
    """Each rater's difference between control and model, sorted, and the difference of all."""
    paint, compared = colours(report.models), report.with_control
    of_raters = ratings.rater_means(CONTROL, *report.models)
    longest = max(2, of_raters.dropna(how="all").shape[0])
    height = min(6.5, 1.4 + 0.14 * longest)
    with _figure(4.8, height * len(compared) ** 0.7, report) as figure:
        panels = figure.subplots(len(compared), 1, squeeze=False, sharex=True)[:, 0]
        for axes, comparison in zip(panels, compared, strict=True):
            model, test = comparison.condition, report.best(comparison)
            values = (of_raters[CONTROL] - of_raters[model]).dropna().sort_values().to_numpy()
            y = np.arange(len(values))
            axes.hlines(y, 0, values, color=paint[model], lw=1.2, alpha=0.6)
            axes.plot(values, y, "o", color=paint[model], ms=4.5, mew=0)
            axes.axvline(0, color=INK, lw=0.8)
            if not math.isnan(test.mean):
                axes.axvline(test.mean, color=INK, lw=1.2, ls="--")
                text = f"difference {exactly(test.mean)}"
                axes.text(test.mean, 1.01, text, transform=axes.get_xaxis_transform(),
                          ha="center", va="bottom", size=8)  # fmt: skip
            if not math.isnan(test.ci_low):
                axes.axvspan(test.ci_low, test.ci_high, color=INK, alpha=0.12, lw=0)
            axes.set(yticks=[], ylim=(-0.8, max(1, len(values)) - 0.2))
            axes.set_ylabel(count(len(values), "rater"))
            axes.set_xlabel(f"{printable(report.difference(comparison), 60)} (points)")
            axes.spines["left"].set_visible(False)
        low, high = panels[-1].get_xlim()
        panels[-1].set(xlim=(min(-0.6, low), max(0.6, high)))
    return figure


def _limits(axes: Axes, slots: int, labels: list[str]) -> None:
    axes.set(xlim=(-0.5, slots - 0.35), xticks=range(slots), xticklabels=labels)
    axes.grid(axis="y", color=INK, alpha=0.1, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def _dots(axes: Axes, x: float, values: np.ndarray, colour: str) -> None:
    """Equal values side by side."""
    rounded = pd.Series(values).round(1)
    turn = rounded.groupby(rounded).cumcount()
    side = (turn + 1) // 2 * np.where(turn % 2, 1, -1)
    most = max(1, side.abs().max()) if len(side) else 1
    axes.plot(
        x + side * min(0.025, 0.08 / most), values, "o", color=colour, ms=3.5, mew=0, alpha=0.8
    )


def _mean(axes: Axes, x: float, value: float, ends: tuple[float, float], colour: str) -> None:
    """A mean with its interval; NaN is not drawn."""
    axes.plot([x, x], ends, color=colour, lw=2.2, clip_on=False)
    axes.plot(x, value, "D", color=colour, ms=6.5, mew=0, clip_on=False)


def save(figure: Figure, caption: str, path: Path) -> None:
    """Write `figure` with its caption above it, in the format that the file's name ends with.

    Raises:
        OSError, ValueError: no such folder, or no such image format.
    """
    figure.axes[0].set_title(caption, size=8, loc="left")
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=150)


def svg(figure: Figure, label: str) -> str:
    """`figure` as an element for a page, in the page's font and the colour of its text.

    `label` must need no escaping.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that matplotlib's font lacks; the page's has them
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", text))  # ids would repeat in a page with several plots
    text = re.sub(r' id="([\w-]+)"', lambda m: m[0] if m[1] in used else "", text)
    text = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
