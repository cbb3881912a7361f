"""Report the rating study: python -m study.report [--db URL | --ratings FILE.csv] [--json]

Prints the mean rating of both conditions beside the paper's, the difference by rater, and what
these ratings cannot show. Only finished sessions count unless --unfinished is given.
"""

import argparse
import csv
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from study import analysis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"control": "#0072B2", "generated": "#D55E00"}  # Okabe and Ito, colour-blind safe
CAPTION = "pale: single ratings; joined: each rater's two means; diamond: mean, 95% interval"
FINISHED = {"true": True, "1": True, "false": False, "0": False}


class ReportError(Exception):
    """One sentence for the person who asked for the report."""


@dataclass(frozen=True)
class Ratings:
    """The ratings to analyse, and the unfinished sessions behind or beside them."""

    source: str
    table: pd.DataFrame
    unfinished_sessions: int | None  # None: the source does not tell finished from unfinished
    unfinished_ratings: int | None
    unfinished_included: bool


def main(argv: list[str] | None = None) -> int:
    """Print the report; return 0, or 2 after one sentence on standard error."""
    args = _parser().parse_args(argv)
    try:
        ratings = _load(args)
        report = _figures(ratings)
        if not ratings.table.empty:
            _write(args, ratings.table)
    except ReportError as error:
        print(f"study.report: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(report, indent=2, allow_nan=False))
    elif args.csv == "-" and report["ratings"]:
        print(_as_csv(ratings.table), end="")
    else:
        print(as_text(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m study.report", description=__doc__)
    add = parser.add_argument
    add("--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)")
    add("--study", metavar="NAME", help="which study in the database (default: the newest)")
    add("--ratings", metavar="FILE.csv", type=Path, help="analyse this file, not the database")
    add("--unfinished", action="store_true", help="count the ratings of unfinished sessions too")
    add("--json", action="store_true", help="print the figures as JSON")
    add(
        "--csv",
        metavar="FILE",
        nargs="?",
        const="-",
        help="print the summary by condition as CSV, or write it to this file",
    )
    add("--export", metavar="FILE.csv", type=Path, help="write every rating, for --ratings to read")
    add("--plot", metavar="FILE.png", type=Path, help="draw the ratings into this file")
    return parser


# Reading


def _load(args: argparse.Namespace) -> Ratings:
    """The ratings that the arguments ask for, unfinished sessions taken out unless wanted."""
    if args.ratings and (args.db or args.study):
        raise ReportError("--ratings reads a file; leave out --db and --study.")
    source, table = read_csv(args.ratings) if args.ratings else read_database(args.db, args.study)
    if "finished" not in table:
        if args.unfinished:
            raise ReportError(f"{source} has no column finished, so --unfinished has no meaning.")
        return Ratings(source, table, None, None, True)
    finished = table["finished"].astype(bool)
    return Ratings(
        source,
        table if args.unfinished else table[finished],
        table.loc[~finished, "rater"].nunique(),
        int((~finished).sum()),
        args.unfinished,
    )


def read_database(url: str | None, study: str | None) -> tuple[str, pd.DataFrame]:
    """The study's name and its ratings, checked when they were stored."""
    from study import store  # here: a file can be analysed without it

    if store.is_missing(url):
        nothing = pd.DataFrame(columns=[*analysis.COLUMNS, "finished"])
        return f"{url or 'the database'}, which does not exist yet", nothing
    try:
        table = store.ratings(store.connect(url), study)
    except store.StudyError as error:
        raise ReportError(error) from error
    name = table.attrs["study"]
    source = f"study {name}" if name else "the database, which holds no study"
    return source, table.astype({"rating": float})  # databases may answer with Decimal


def read_csv(path: Path) -> tuple[str, pd.DataFrame]:
    """The file's name and its checked ratings, with `finished` where the file has that column."""
    lines, rows = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                if len(row) != len(header):
                    counts = f"{len(row)} fields where the header has {len(header)}"
                    raise ReportError(f"{path}: Line {reader.line_num}: {counts}.")
                lines.append(reader.line_num)
                rows.append(row)
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path} is not a CSV file in UTF-8 text.") from error
    except csv.Error as error:
        raise ReportError(f"{path}: Line {reader.line_num}: {error}.") from error

    raw = pd.DataFrame(rows, columns=header, index=np.array(lines, dtype=int) - 2, dtype=str)
    try:
        table = analysis.check_ratings(raw)
    except ValueError as error:
        raise ReportError(f"{path}: {error}") from error
    if header.count("finished") == 1:
        finished = raw["finished"].str.strip().str.lower().map(FINISHED)
        if finished.isna().any():
            line = finished.index[finished.isna()][0] + 2
            raise ReportError(f"{path}: Line {line}: finished is neither true nor false.")
        table = table.assign(finished=finished)
    return str(path), table


# The figures


def _figures(ratings: Ratings) -> dict:
    """Everything the report says, ready for JSON: undefined figures are None."""
    table = ratings.table
    summary = analysis.condition_summary(table)
    difference = analysis.paired_difference(table)
    return {
        "source": ratings.source,
        "raters": table["rater"].nunique(),
        "ratings": len(table),
        "unfinished_sessions": ratings.unfinished_sessions,
        "unfinished_ratings": ratings.unfinished_ratings,
        "unfinished_included": ratings.unfinished_included,
        "conditions": list(map(_defined, summary.to_dict("records"))),
        "difference": _defined(asdict(difference) | {"exact": difference.exact}),
        "caveats": analysis.caveats(table),
    }


def _defined(figures: dict) -> dict:
    return {name: None if pd.isna(value) else value for name, value in figures.items()}


def as_text(report: dict) -> str:
    """The report as plain text, one fact or sentence a line."""
    left_out = report["unfinished_ratings"]
    if not report["ratings"]:
        if not left_out:
            return f"No ratings yet in {report['source']}."
        sessions = _count(report["unfinished_sessions"], "unfinished session")
        return (
            f"No finished session yet in {report['source']}: {sessions} with "
            f"{_count(left_out, 'rating')} left out; --unfinished counts them."
        )
    if left_out is None:
        unfinished = "The file does not tell finished from unfinished sessions; all ratings count."
    else:
        unfinished = (
            f"Unfinished sessions with ratings: {report['unfinished_sessions']}, holding "
            f"{_count(left_out, 'rating')}; "
            f"{'included' if report['unfinished_included'] else 'left out'}."
        )
    counts = f"{_count(report['raters'], 'rater')}, {_count(report['ratings'], 'rating')}"
    row = "{:<10}{:>7}{:>9}{:>8}{:>7}{:>17}{:>8}".format
    difference = report["difference"]
    lines = [
        f"Ratings from 0 to 10, {report['source']}",
        f"{counts}. {unfinished}",
        "",
        row("condition", "raters", "ratings", "mean", "sd", "95% interval", "paper"),
    ]
    for each in report["conditions"]:
        names = each["condition"], each["raters"], each["ratings"]
        mean, paper = _mean(each["mean"]), _mean(each["paper"])
        lines.append(row(*names, mean, _number(each["sd"]), _interval(each), paper))
    mean, t, df = _mean(difference["mean"]), _number(difference["t"]), _number(difference["df"], 0)
    kind = "exact" if difference["exact"] else "sampled"
    lines += [
        "(mean and interval: over rater means; sd: over single ratings)",
        "",
        f"Paired difference by rater, control - generated ({_count(difference['n'], 'rater')})",
        f"  mean {mean}, sd {_number(difference['sd'])}, 95% interval {_interval(difference)}",
        f"  paired t test: t = {t}, df = {df}, {_p(difference['p'])}",
        f"  {kind} sign-flip test: {_p(difference['p_signflip'])}",
        "",
        "What this cannot show",
    ]
    return "\n".join(lines + [f"- {sentence}" for sentence in report["caveats"]])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:z.{digits}f}"


def _mean(value: float | None) -> str:
    """8.55 and 3.225: three decimals, the last one only where it says something."""
    return _number(value, 3).removesuffix("0")


def _interval(row: dict) -> str:
    low, high = row["ci_low"], row["ci_high"]
    return "-" if low is None else f"{_number(low)} to {_number(high)}"


def _p(value: float | None) -> str:
    if value is None:
        return "p = -"
    return "p < .001" if value < 0.001 else "p = " + f"{value:.3f}".removeprefix("0")


# Files


def _write(args: argparse.Namespace, table: pd.DataFrame) -> None:
    """The summary and the plot, where they were asked for."""
    try:
        if (path := args.csv) not in (None, "-"):
            Path(path).write_text(_as_csv(table))
        if path := args.export:
            table.to_csv(path, index=False)
        if path := args.plot:
            draw(table).savefig(path, dpi=150)
    except (OSError, ValueError) as error:  # ValueError: no such image format
        raise ReportError(f"{path}: {getattr(error, 'strerror', None) or error}.") from error


def _as_csv(table: pd.DataFrame) -> str:
    return analysis.condition_summary(table).to_csv(index=False)


def draw(table: pd.DataFrame) -> "Figure":
    """Single ratings, each rater's two means joined, and the condition means with the paper's."""
    from matplotlib.figure import Figure  # here: slow, and only --plot needs it

    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.subplots()
    summary = analysis.condition_summary(table).set_index("condition")
    jitter = np.random.default_rng(0)
    ticks = []
    for x, (condition, row) in enumerate(summary.iterrows()):
        colour, side = COLOURS[condition], 2 * x - 1  # the means stand on the outer side
        ratings = table.loc[table["condition"] == condition, "rating"]
        spread = x + jitter.uniform(-0.09, 0.09, len(ratings))
        axes.plot(spread, ratings, "o", color=colour, alpha=0.3, ms=7, mew=0, zorder=1)
        paper = [x + 0.12 * side, x + 0.36 * side]
        axes.plot(paper, [row["paper"]] * 2, "--", color="black", lw=1.2, zorder=2)
        label, outward = f"paper\n{_mean(row['paper'])}", "left" if x else "right"
        axes.text(x + 0.38 * side, row["paper"], label, ha=outward, va="center")
        axes.plot(
            [x + 0.22 * side] * 2, [row["ci_low"], row["ci_high"]], color=colour, lw=2.5, zorder=3
        )
        axes.plot(x + 0.22 * side, row["mean"], "D", color=colour, ms=9, mec="white", zorder=4)
        mean = "no ratings" if np.isnan(row["mean"]) else f"mean {_mean(row['mean'])}"
        ticks.append(f"{condition}\n{mean}, {_count(int(row['raters']), 'rater')}")
    means = table.groupby(["rater", "condition"])["rating"].mean().unstack()
    means = means.reindex(columns=list(summary.index))
    axes.plot([0, 1], means.T, "o-", color="0.35", lw=0.8, ms=4, zorder=5)
    axes.set(
        xlim=(-0.6, 1.6),
        ylim=(min(0, summary["ci_low"].min()) - 0.4, max(10, summary["ci_high"].max()) + 0.4),
        xticks=[0, 1],
        xticklabels=ticks,
        yticks=range(11),
        xlabel="condition",
        ylabel="rating (0 to 10)",
    )
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Ratings of true and generated colours")
    axes.set_title(CAPTION, fontsize=9, color="0.3")
    return figure


if __name__ == "__main__":
    sys.exit(main())
