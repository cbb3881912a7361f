"""results/study-design/README.md, from the tables beside it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study.simulate.calibration import BOUNDS, HERE, SAME

HEAD = """\
# What the designs, tests and intervals of the rating study are worth

Simulated raters whose truth is known (`study/simulate/population.py`): 10 pictures whose quality
has the standard deviation (sd) 1.5, raters' leniency sd 1, noise of single ratings sd 1.5, rounded
to whole points from 0 to 10. The CSV files beside this text hold the same figures with their seeds;
+/- is the Monte Carlo standard error. """

DESIGN = """
## The paper's design sees what is not there

Type I errors: the percentage of studies with p < .05 although true colours are no better than the
model's. In the paper's design each picture is always control or always generated, so that the
pictures' own quality passes for a difference, and the more raters there are the more certain the
wrong answer becomes (Clark 1973). Counterbalanced, each picture is control for one half of the
raters and generated for the other. The difference varies between raters (sd 0.7), not between
pictures. `python -m study.simulate design`:

"""

TESTS = """
## Type I errors of the tests

Percentage of studies in which a test at the 5-percent level rejects the true difference: that of
the pictures shown, over all raters there might be ("these pictures"), or that of all pictures
("other pictures"). "Varies": the difference has sd 0.7 between raters and sd 0.7 between pictures.
"Lists 2 : 1": the lists have 8 and 4, or 16 and 8 raters. The equivalence test errs when it finds
the difference within one point where it is one point. Bold: what the report recommends, which
should err in {low:g} to {high:g} percent of studies. `python -m study.simulate calibration`:

"""

INTERVALS = """
## Coverage of the intervals

Percentage of studies whose 95% interval holds the truth. For condition means, control is at 7 and
the model at 5. For the fooling rate (real-or-fake) there are 40 pictures, a third of the answers
are fooled, and on the probit scale the sd is 0.3 between raters and 0.6 between pictures. Bold:
what the report shows for that purpose, which should cover the truth in {low:g} to {high:g} percent
of studies. The t interval of a difference covers it in 100 percent less the error of its test.

"""

READING = """
## Which test generalizes to what

There is one estimate of the difference: the mean of the lists' means of the raters' differences.
With lists of unequal size the plain mean over raters is another one, biased by the larger list's
pictures; the report does not show it, nor the tests of it.

- **These pictures, other raters:** the by-participant t test within lists, or the randomization
  test, which exchanges raters between lists and is exact. To the plain paired t test, the sign-flip
  test and Wilcoxon's test the difference between the lists' pictures is noise: with lists of equal
  size they err on the safe side and waste power. With lists of unequal size the paired t test and
  Wilcoxon's test take a part of the difference between the lists' pictures for one between the
  conditions, and the report leaves them out; the sign-flip test weighs the lists equally and stays
  on the safe side. None of these generalizes to other pictures once the difference varies from
  picture to picture; more raters make that worse.
- **Other pictures too:** the quasi-F test (Clark 1973; Judd, Westfall & Kenny 2012). Where the
  difference is the same for all pictures it is conservative. The equivalence test has its standard
  error. The by-item t test takes the raters as given, and errs too often where the difference
  varies between them; in the paper's design it holds. The mixed model's z test treats its
  standard error as known: it errs too often with 12 raters where the difference varies.
- **In the paper's design** by-participant tests hold for these pictures in these conditions only,
  which says nothing about the model: control and generated are different pictures. The bootstrap
  interval has five pictures of each kind to draw from, and covers too little, although it counts
  the noise of single ratings more than once, which is conservative.
- Wilson's interval treats all trials as independent and covers too little.
"""


def readme(folder: Path) -> str:
    """The text, with those tables that are in `folder`."""
    parts = [HEAD]
    if (path := folder / "design.csv").exists():
        table = pd.read_csv(path)
        shown = table.drop(columns=["mc_error", "seed"])
        text = _markdown(shown.columns, shown.map(_figure).to_numpy().tolist())
        parts += [DESIGN, text, _footnote(table)]
    if (path := folder / "calibration.csv").exists():
        table = pd.read_csv(path)
        for kind, title in (("test", TESTS), ("interval", INTERVALS)):
            low, high = BOUNDS[kind]
            rows = table[table["kind"] == kind]
            parts += [title.format(low=low, high=high), _calibration(rows), _footnote(rows)]
        parts += [_misses(table), READING]
    return "".join(parts)


def _calibration(rows: pd.DataFrame) -> str:
    """One line for each design, question and method; one column for each population."""
    columns = list(dict.fromkeys(zip(rows["difference"], rows["raters"], strict=True)))
    lines = []
    order = pd.Categorical(rows["design"], rows["design"].unique())
    rows = rows.assign(order=order.codes, last=rows["about"] != HERE)
    rows = rows.sort_values(["order", "last"], kind="stable")
    for (design, about, method), group in rows.groupby(["design", "about", "method"], sort=False):
        cells = group.set_index(["difference", "raters"])["percent"]
        bold = "**" if group["recommended"].all() else ""
        figures = [f"{bold}{cells[key]:.1f}{bold}" if key in cells else "-" for key in columns]
        studies = f"{group['studies'].min():,}"
        lines.append([design, about, f"{bold}{method}{bold}", *figures, studies])
    names = [f"{'same' if of == SAME else 'varies'}, {raters} raters" for of, raters in columns]
    return _markdown(["design", "true of", "method", *names, "studies"], lines)


def _misses(table: pd.DataFrame) -> str:
    """The recommended figures outside the bounds, by more or less than the simulation's error."""
    said = ["\n## Outside the bounds\n\n"]
    for row in table[table["recommended"] & (table["within"].astype(str) == "False")].itertuples():
        low, _ = BOUNDS[row.kind]
        safe = (row.percent < low) == (row.kind == "test")
        said.append(
            f"- {row.method}, {row.design}, difference {row.difference}, {row.raters} raters: "
            f"{row.percent:.1f} +/- {row.mc_error:.1f} ({'safe' if safe else 'unsafe'} side).\n"
        )
    return "".join(said) if len(said) > 1 else said[0] + "Nothing that is recommended.\n"


def _footnote(table: pd.DataFrame) -> str:
    return f"\n+/- at most {table['mc_error'].max():.1f}.\n"


def _markdown(header: Sequence[str], rows: Sequence[Sequence]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _figure(value: object) -> str:
    """One decimal for shares, thousands set apart for counts."""
    if isinstance(value, str):
        return value
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"
