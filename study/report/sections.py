"""What a report says below its first paragraph: sections that text and page show alike."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from study.report.findings import Report
from study.report.lead import estimate
from study.report.tables import Column, Table, table_of
from study.stats.comparison import Comparison
from study.stats.contrasts import Equivalence
from study.stats.describe import PictureScores
from study.stats.ratings import CONTROL
from study.wording import (
    UNDEFINED,
    count,
    decimals,
    exactly,
    interval,
    p_value,
    percent,
    percentage_points,
    points,
)

T_INTERVAL = (
    "The 95% interval is a t interval over raters, within lists: it allows for other raters of"
    " these pictures."
)
BOOTSTRAP = (
    "The bootstrap interval, raters and pictures resampled, allows for other raters and other"
    " pictures."
)
PUBLISHED_NOTE = "Published: the means of four raters in Leisher & Martin's paper."
PAPER_DESIGN = (
    "In the paper's design a picture is always control or always generated. A by-participant test"
    " then says nothing about other pictures; the by-item test does."
)
STRONG_ROWS = "the tests to read, each for what it generalizes to; the others are for reference."
DESIGNS = {"counterbalanced": "counterbalanced design", "paper": "the paper's design"}
# Largest number of raters who failed a quality check that are named.
NAMED = 12


@dataclass(frozen=True)
class Section:
    """A title with what belongs to it: a sentence, a table, points."""

    title: str
    text: str = ""
    table: Table | None = None
    points: tuple[str, ...] = ()


def sections(report: Report) -> Iterator[Section]:
    """All sections but those that only a page has, in order."""
    yield Section("Who rated", points=tuple(who(report)))
    yield _rates(report) if report.fooling else _means(report)
    if report.several:
        yield _overview(report)
    for comparison in report.with_control:
        yield _comparison(report, comparison)
    yield Section("What this cannot show", points=report.caveats)
    yield Section("Pictures", table=picture_table(report))
    yield _agreement(report)
    if report.response_times:
        yield _times(report)


def who(report: Report) -> Iterator[str]:
    """Raters, sessions, exclusions and the ratings in each cell, in sentences."""
    sessions = report.sessions
    said = [f"{count(report.raters, 'rater')}, {count(report.ratings, 'rating')}."]
    if sessions.begun is not None:
        said.append(f"Sessions: {sessions.begun} begun, {sessions.finished} finished.")
    if sessions.unfinished_ratings is None:
        said.append("The file does not tell finished from unfinished sessions; all ratings count.")
    elif sessions.unfinished_ratings:
        counted = "included" if sessions.unfinished_included else "left out"
        said.append(
            f"Unfinished sessions with ratings: {sessions.unfinished_with_ratings}, holding "
            f"{count(sessions.unfinished_ratings, 'rating')}; {counted}."
        )
    yield " ".join(said)
    if report.notes:
        yield f"The file: {' '.join(report.notes)}"
    if number := sessions.forgotten:
        were = "was" if number == 1 else "were"
        yield f"{count(number, 'rater')} {were} deleted later on, with all ratings."
    if number := report.simulated_left_out:
        yield f"{count(number, 'simulated rater')} left out: only people count."
    if report.exclusions:
        shown = [f"rater {each.rater} ({each.reasons})" for each in report.exclusions[:NAMED]]
        if more := len(report.exclusions) - len(shown):
            shown.append(f"and {more} more")
        raters = count(len(report.exclusions), "rater")
        failed = f"{raters} failed a quality check; the main figures include them"
        yield f"{failed}: {'; '.join(shown)}."
    elif report.exclusions is not None:
        yield "Nobody failed a quality check."
    lists: dict[str, list[str]] = {}
    for cell in report.cells:
        missing = f" ({cell.missing} missing)" if cell.missing else ""
        lists.setdefault(cell.list, []).append(
            f"{report.label(cell.condition)} {cell.ratings}{missing}"
        )
    for name, texts in lists.items():
        yield f"Ratings in list {name}: {', '.join(texts)}."


def _without_failed(report: Report, field: str) -> list[tuple[str, Sequence[Any]]]:
    """The rows of a table of main figures, and those without raters who failed a check."""
    groups = [("", getattr(report, field))]
    if without := report.without_failed:
        raters = count(without.raters, "rater")
        title = f"the same without raters who failed a quality check ({raters})"
        groups.append((title, getattr(without, field)))
    return groups


def _means(report: Report) -> Section:
    columns = [
        Column("condition", lambda row: report.label(row.condition), left=True, coloured=True),
        Column("raters", lambda row: row.raters),
        Column("ratings", lambda row: row.ratings),
        Column("mean", lambda row: exactly(row.mean)),
        Column("sd", lambda row: decimals(row.sd)),
        Column("95% interval", lambda row: interval(row.ci_low, row.ci_high)),
        Column("bootstrap", lambda row: interval(row.boot_low, row.boot_high)),
    ]
    said = [
        "Mean: the mean of the lists' means of rater means; sd: that of single ratings.",
        T_INTERVAL,
        BOOTSTRAP,
    ]
    if any(not math.isnan(row.published) for row in report.conditions):
        columns.append(Column("published", lambda row: f"{row.published:g}"))
        said.append(PUBLISHED_NOTE)
    table = table_of(columns, _without_failed(report, "conditions"), " ".join(said))
    return Section("Ratings", table=table, points=_notes(report.conditions))


def _rates(report: Report) -> Section:
    columns = [
        Column("model", lambda row: report.label(row.condition), left=True, coloured=True),
        Column("raters", lambda row: row.raters),
        Column("trials", lambda row: row.trials),
        Column("fooled", lambda row: row.fooled),
        Column("rate", lambda row: percent(row.rate)),
        Column("95% interval", lambda row: interval(row.ci_low, row.ci_high, percent)),
        Column("bootstrap", lambda row: interval(row.boot_low, row.boot_high, percent)),
        Column("p", lambda row: p_value(row.p)),
    ]
    said = (
        "Rate: how often the fake was taken for the true picture, the mean of the lists' means of"
        " raters' rates; p: by-participant t test against 50%, the rate where nobody can tell"
    )
    if report.several:
        columns.append(Column("Holm", lambda row: p_value(row.p_holm)))
        said += f"; Holm: p adjusted for all {report.family} tests"
    table = table_of(
        columns, _without_failed(report, "fooling"), f"{said}. {T_INTERVAL} {BOOTSTRAP}"
    )
    return Section("Fooling rates", table=table, points=_notes(report.fooling))


def _overview(report: Report) -> Section:
    """Every two conditions compared."""
    form, unit = exactly, "points"
    if report.fooling:
        form, unit = percentage_points, "percentage points"
    limits = percentage_points if report.fooling else decimals
    best = report.best
    columns = [
        Column("difference", report.difference, left=True),
        Column("mean", lambda each: form(best(each).mean)),
        Column(
            "95% interval", lambda each: interval(best(each).ci_low, best(each).ci_high, limits)
        ),
        Column("p", lambda each: p_value(best(each).p)),
        Column("Holm", lambda each: p_value(each.p_holm)),
    ]
    caption = (
        f"Every two conditions, in {unit}. Holm: p adjusted for all {report.family} tests of the"
        " study by Holm's method."
    )
    notes = _notes([best(each) for each in report.comparisons])
    return Section(
        "Differences", table=table_of(columns, [("", report.comparisons)], caption), points=notes
    )


def _comparison(report: Report, comparison: Comparison) -> Section:
    """All tests of one difference."""
    paired = comparison.paired
    columns = [
        Column("test", lambda test: test.method, left=True),
        Column("statistic", lambda test: test.statistic, left=True),
        Column(
            "95% interval",
            lambda test: "" if math.isnan(test.ci_low) else interval(test.ci_low, test.ci_high),
            left=True,
        ),
        Column("p", lambda test: p_value(test.p), left=True),
        Column("generalizes to", lambda test: test.speaks_for, left=True),
    ]
    said = [f"The difference is {estimate(report, comparison)}".rstrip(".") + "."]
    said.append(f"{count(paired.n, 'rater')} rated both conditions.")
    if not math.isnan(paired.sd):
        spread = f"{decimals(paired.sd)} within lists"
        size = "" if math.isnan(paired.dz) else f" and Cohen's dz {decimals(paired.dz)}"
        said.append(f"Their differences have the standard deviation {spread}{size}.")
    if without := report.without_failed:
        again = [each for each in without.comparisons if each.name == comparison.name]
        found = estimate(report, again[0]).rstrip(".") if again else "nobody is left"
        said.append(f"Without raters who failed a quality check: {found}.")
    recommended = [getattr(comparison.tests, name) for name in report.recommended]
    tests = table_of(
        columns,
        [("", list(comparison.rows()))],
        strong=lambda test: any(test is each for each in recommended),
    )
    return Section(
        f"Difference {report.difference(comparison)}",
        " ".join(said),
        replace(tests, strong=STRONG_ROWS),
        tuple(_remarks(report, comparison)),
    )


def _remarks(report: Report, comparison: Comparison) -> list[str]:
    """Sentences that belong under the table of tests."""
    said = [PAPER_DESIGN] if report.design == "paper" else []
    said += [test.note for test in comparison.rows()]
    if mixed := comparison.tests.mixed:
        said.append(mixed.spread)
    said.append(_equivalence(comparison.equivalence))
    return [text for text in dict.fromkeys(said) if text and text not in report.caveats]


def _equivalence(test: Equivalence | None) -> str:
    """The result of the equivalence test in a sentence, "" where no margin was fixed."""
    if test is None:
        return ""
    within = f"Equivalent within {points(test.margin)}, the margin of the study file?"
    if test.equivalent is None:
        return f"{within} It cannot be tested. {test.note}"
    answer = "Yes" if test.equivalent else "Not shown"
    limits = interval(test.ci_low, test.ci_high)
    return f"{within} {answer}: two one-sided t tests, {p_value(test.p)}, 90% interval {limits}."


def order(report: Report) -> str:
    """In which order the pictures come."""
    first = report.models[0]
    of = f" for {first}" if len(report.models) > 1 else ""
    if report.fooling:
        return f"those most often taken for true first{of}"
    if all(math.isnan(each.score(first).difference) for each in report.pictures):
        return "by name"
    return f"the largest difference first{of}"


def picture_table(report: Report) -> Table:
    """Each picture's mean in every condition that has ratings, over how many raters."""
    names = list(dict.fromkeys(cell.condition for cell in report.cells))
    form = percent if report.fooling else exactly

    def mean(name: str) -> Callable[[PictureScores], str]:
        def text(picture: PictureScores) -> str:
            score = picture.score(name)
            return f"{form(score.mean)} ({score.raters})" if score.raters else UNDEFINED

        return text

    columns = [Column("picture", lambda picture: picture.picture, left=True)]
    columns += [Column(report.label(name), mean(name)) for name in names]
    models = [name for name in report.models if CONTROL in names and name in names]
    if len(models) == 1:
        columns.append(
            Column("difference", lambda picture: exactly(picture.score(models[0]).difference))
        )
    caption = f"Mean over the raters of each picture (how many), {order(report)}."
    return table_of(columns, [("", report.pictures)], caption)


def _agreement(report: Report) -> Section:
    columns = [
        Column("condition", lambda row: report.label(row.condition), left=True, coloured=True),
        Column("list", lambda row: row.list, left=True),
        Column("raters", lambda row: row.raters),
        Column("complete", lambda row: UNDEFINED if row.complete is None else row.complete),
        Column("pictures", lambda row: row.pictures),
        Column("one rater", lambda row: decimals(row.icc_single)),
        Column("95% interval", lambda row: interval(row.icc_low, row.icc_high)),
        Column("their mean", lambda row: decimals(row.icc_mean)),
        Column("alpha", lambda row: decimals(row.alpha)),
    ]
    caption = (
        "1: perfect, 0: none. One rater and their mean: intraclass correlations ICC(2,1) and"
        " ICC(2,k) over the complete raters, who rated all pictures. Alpha: Krippendorff's alpha"
        " for interval data, over all raters; it has no interval."
    )
    notes: dict[str, list[str]] = {}  # and the conditions and lists that each is about
    for row in report.agreement:
        where = "all lists" if row.list == "all" else f"list {row.list}"
        notes.setdefault(row.note, []).append(f"{report.label(row.condition)} in {where}")
    said = [f"{note.removesuffix('.')}: {', '.join(at)}." for note, at in notes.items() if note]
    table = table_of(columns, [("", report.agreement)], caption)
    return Section("Agreement of the raters", table=table, points=tuple(said))


def _times(report: Report) -> Section:
    columns = [
        Column("condition", lambda row: report.label(row.condition), left=True, coloured=True),
        Column("answers", lambda row: row.ratings),
        Column("median", lambda row: decimals(row.median_s, 1)),
        Column("middle half", lambda row: f"{decimals(row.q25_s, 1)} to {decimals(row.q75_s, 1)}"),
        Column("fastest", lambda row: decimals(row.fastest_s, 1)),
    ]
    caption = "Time from the pair in sight to the answer, measured by the browser."
    return Section(
        "Seconds to answer", table=table_of(columns, [("", report.response_times)], caption)
    )


def _notes(rows: Iterable[Any]) -> tuple[str, ...]:
    """What the rows of a table have to say, each sentence once."""
    return tuple(dict.fromkeys(row.note for row in rows if row.note))
