"""The paragraph that a report begins with: means, difference, one test, and their limits."""

import math
from collections.abc import Iterator

from study.report.findings import Report
from study.stats.caveats import MANY
from study.stats.comparison import Comparison
from study.stats.means import ConditionMean, FoolingRate
from study.stats.ratings import CONTROL
from study.wording import (
    count,
    exactly,
    interval,
    listed,
    p_value,
    percent,
    percentage_points,
    printable,
)


def lead(report: Report) -> str:
    """The paragraph, of a report that has ratings."""
    says = _on_rates(report) if report.fooling else _on_ratings(report)
    return " ".join(printable(sentence, 600) for sentence in says)


def estimate(report: Report, comparison: Comparison) -> str:
    """A difference with its interval and one test, or why there is neither."""
    test = report.best(comparison)
    if report.fooling:
        mean, unit, form = percentage_points(test.mean), "percentage points", percentage_points
    else:
        mean, unit, form = exactly(test.mean), "points", None
    if test.note:
        return f"{mean} {unit}. {test.note}" if not math.isnan(test.mean) else test.note
    limits = interval(test.ci_low, test.ci_high, *([form] if form else []))
    p = p_value(test.p)
    if report.several:
        adjusted = "" if math.isnan(comparison.p_holm) else _holm(comparison.p_holm)
        p = f"{adjusted}unadjusted {p}"
    return f"{mean} {unit} (95% interval {limits}; {test.method}, {test.statistic}, {p})"


def _on_ratings(report: Report) -> Iterator[str]:
    yield (
        f"{count(report.raters, 'rater')} gave {count(report.ratings, 'rating')} of"
        f" {count(len(report.pictures), 'picture')}, from 0 (worst) to 10 (best)."
    )
    means = {row.condition: row for row in report.conditions}
    missing = [name for name, row in means.items() if math.isnan(row.mean)]
    shown = [f"{exactly(row.mean)} for {report.described[name]}"
             for name, row in means.items() if name not in missing]  # fmt: skip
    yield f"The mean rating was {listed(shown)}."
    if missing:
        described = listed([report.described[name] for name in missing])
        yield f"There are no ratings of {described}, so the conditions cannot be compared."
        return
    for each in report.with_control:
        name = f"{report.described[CONTROL]} minus {report.described[each.condition]}"
        of = "The difference" if len(report.models) == 1 else f"The difference, {name},"
        yield f"{of} was {estimate(report, each)}".rstrip(".") + "."
    yield from _published(report.conditions)
    yield from _limits(report)


def _published(conditions: tuple[ConditionMean, ...]) -> Iterator[str]:
    published = [f"{row.published:g}" for row in conditions if not math.isnan(row.published)]
    if published:
        yield f"The means that Leisher & Martin published, of four raters, are {listed(published)}."


def _limits(report: Report) -> Iterator[str]:
    """What the test generalizes to, and what few raters cannot show."""
    compared = report.with_control[0]
    test = report.best(compared)
    if not test.note:
        yield f"The test generalizes to {test.speaks_for}."
        yield from _few(compared.paired.n, compared.paired.sign_flips.smallest)
    if report.design == "paper":
        yield (
            "Each picture was shown in one condition only, so a difference between the conditions"
            " may also be one between their pictures."
        )


def _few(raters: int, smallest: float = 0) -> Iterator[str]:
    if smallest > 0.05:
        yield (
            f"With only {raters} raters no permutation test can reach less than"
            f" {p_value(smallest)}: the t test goes below it by assuming that rater means are"
            " normally distributed, which so few raters cannot show."
        )
    elif raters < MANY:
        yield (
            "The interval and the test assume that rater means are roughly normally distributed,"
            f" which {raters} raters are too few to check."
        )


def _on_rates(report: Report) -> Iterator[str]:
    yield (
        f"{count(report.raters, 'rater')} looked for the fake in {count(report.ratings, 'pair')},"
        f" made from {count(len(report.pictures), 'picture')}; 50% are taken for true where nobody"
        " can tell."
    )
    for row in report.fooling:
        described = report.described[row.condition]
        yield f"{described[0].upper()}{described[1:]} were taken for true in {_rate(row)}."
    for each in report.comparisons:
        yield (
            f"The difference {report.difference(each)} was {estimate(report, each)}".rstrip(".")
            + "."
        )
    raters = min(row.raters for row in report.fooling)
    if raters > 1:
        yield "The tests against 50% generalize to other raters of these pictures."
        yield from _few(raters)


def _rate(row: FoolingRate) -> str:
    if math.isnan(row.p):
        return f"{percent(row.rate)} of them. {row.note}".rstrip(".")
    limits = interval(row.ci_low, row.ci_high, percent)
    p = p_value(row.p)
    if row.p_holm != row.p:
        p = f"{_holm(row.p_holm)}unadjusted {p}"
    return (
        f"{percent(row.rate)} of them (95% interval {limits}; by-participant t test against 50%,"
        f" t({row.df:g}) = {row.t:z.2f}, {p})"
    )


def _holm(p: float) -> str:
    return f"Holm-adjusted {p_value(p)}, "
