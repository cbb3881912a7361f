"""Every figure of a report, typed; `as_json` turns them into JSON."""

import math
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from statsmodels.stats.multitest import multipletests

from study.plan.protocols import SCALE_MAX
from study.report.source import Sessions, Source
from study.stats.agreement import Agreement, agreement
from study.stats.caveats import caveats
from study.stats.comparison import Comparison, compare
from study.stats.contrasts import Contrast, is_nested
from study.stats.describe import (
    Exclusion,
    ListCount,
    PictureScores,
    ResponseTimes,
    count_lists,
    exclusions,
    response_times,
    score_pictures,
)
from study.stats.means import ConditionMean, FoolingRate, condition_means, fooling_rates
from study.stats.ratings import CONTROL, Ratings
from study.wording import listed

# Tests to read, by design, as results/study-design/README.md found them to err: attributes of
# `study.stats.comparison.Tests`. The first one's p is adjusted where there are several differences.
RECOMMENDED = {"counterbalanced": ("both", "raters"), "paper": ("both", "pictures")}
# Means of four raters in Leisher & Martin's paper: control and generated.
PUBLISHED = (8.55, 3.225)


@dataclass(frozen=True, kw_only=True)
class MainFigures:
    """The figures that are repeated without raters who failed a quality check."""

    raters: int = 0
    ratings: int = 0
    conditions: tuple[ConditionMean, ...] = ()
    fooling: tuple[FoolingRate, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def several(self) -> bool:
        """Whether there is more than one p value to adjust."""
        return len(self.comparisons) + len(self.fooling) > 1

    @property
    def family(self) -> int:
        """Number of p values that are adjusted together; an undefined one is none."""
        return sum(not math.isnan(row.p_holm) for row in (*self.comparisons, *self.fooling))


@dataclass(frozen=True, kw_only=True)
class Report(MainFigures):
    """What a report tells; fields without meaning are None or empty.

    Raters who failed a quality check count: that is the primary analysis, fixed for every study.

    Attributes:
        source: the study, or the file.
        design: "paper" where every picture is always control or always generated, else
            "counterbalanced".
        models: what is compared with the control, as the table of ratings names it.
        described: {condition: what it shows, in words}.
        labels: {condition: what tables and plots call it}.
        recommended: the tests to read, the first one first.
        notes: what of a file was left out, and how it was read, in sentences.
    """

    simulated: bool
    source: str
    protocol: str
    design: str
    models: tuple[str, ...]
    described: dict[str, str]
    labels: dict[str, str]
    simulated_left_out: int
    sessions: Sessions
    exclusions: tuple[Exclusion, ...] | None
    margin: float | None
    manifest_sha256: str | None
    recommended: tuple[str, ...]
    notes: tuple[str, ...] = ()
    cells: tuple[ListCount, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    pictures: tuple[PictureScores, ...] = ()
    response_times: tuple[ResponseTimes, ...] = ()
    caveats: tuple[str, ...] = ()
    without_failed: MainFigures | None = None

    @property
    def with_control(self) -> list[Comparison]:
        """The comparisons that are reported with all tests; two models only in an overview."""
        return [each for each in self.comparisons if each.reference == CONTROL]

    def label(self, condition: str) -> str:
        """What tables and plots call a condition, or a row of all of them."""
        return self.labels.get(condition, condition)

    def difference(self, comparison: Comparison) -> str:
        """What is subtracted from what."""
        return f"{self.label(comparison.reference)} - {self.label(comparison.condition)}"

    def best(self, comparison: Comparison) -> Contrast:
        """The test whose interval and p stand beside the difference.

        The first that is recommended; where that is undefined, the next.
        """
        tests = [getattr(comparison.tests, name) for name in self.recommended]
        return next((test for test in tests if not test.note), tests[0])


def findings(source: Source) -> Report:
    """All figures of the ratings that count."""
    ratings, frozen = source.ratings, source.study
    models = _models(source)
    design = _design(source, models)
    excluded = None
    if source.checks is not None:  # only raters whose ratings count
        here = set(ratings.table["rater"])
        excluded = tuple(each for each in exclusions(source.checks) if each.rater in here)
    about = Report(
        simulated=source.simulated,
        source=source.name,
        protocol=source.protocol.name,
        design=design,
        models=models,
        described=_described(source, models),
        labels=_labels(source),
        simulated_left_out=source.simulated_left_out,
        sessions=source.sessions,
        exclusions=excluded,
        margin=frozen.config.margin if frozen and not source.binary else None,
        manifest_sha256=frozen.manifest_sha256 if frozen else None,
        recommended=RECOMMENDED[design],
        notes=source.notes,
    )
    if ratings.table.empty:
        return about
    without = None
    if excluded:
        kept = ratings.without(each.rater for each in excluded)
        without = MainFigures(**_main_figures(source, about, kept))
    return replace(
        about,
        **_main_figures(source, about, ratings),
        cells=tuple(count_lists(ratings)),
        agreement=tuple(agreement(ratings)),
        pictures=_pictures(ratings, models),
        response_times=tuple(response_times(ratings)),
        caveats=_caveats(source, models),
        without_failed=without,
    )


def _models(source: Source) -> tuple[str, ...]:
    if source.study and source.study.config.names_models:
        return tuple(source.study.config.models)
    found = tuple(name for name in source.ratings.conditions if name != CONTROL)
    return found or ("generated",)


def _described(source: Source, models: tuple[str, ...]) -> dict[str, str]:
    described = {CONTROL: "true colours"} | {name: f"the colours of {name}" for name in models}
    if models == ("generated",):
        names = ", ".join(source.study.config.models) if source.study else ""
        described["generated"] = f"the colours of {names}" if names else "generated colours"
    return described


def _labels(source: Source) -> dict[str, str]:
    """Of a study's conditions; those of a file are called as the file calls them."""
    if not source.study:
        return {}
    models = list(source.study.config.models)
    return {CONTROL: "true colours"} | ({} if len(models) > 1 else {"generated": models[0]})


def _design(source: Source, models: tuple[str, ...]) -> str:
    if source.study:
        return source.study.config.mode
    pairs = combinations((CONTROL, *models), 2)
    nested = all(is_nested(source.ratings.cells(*pair)) for pair in pairs)
    return "paper" if nested and not source.binary else "counterbalanced"


def _main_figures(source: Source, about: Report, ratings: Ratings) -> dict[str, Any]:
    """The fields of `MainFigures`.

    All p values against chance and of differences are one family, adjusted by Holm's method.
    """
    counts = {"raters": ratings.table["rater"].nunique(), "ratings": len(ratings.table)}
    if ratings.table.empty:
        return counts
    rates = fooling_rates(ratings) if source.binary else []
    compared = about.models if source.binary else (CONTROL, *about.models)
    highest = 1 if source.binary else SCALE_MAX
    differences = [
        compare(ratings, *pair, highest=highest, margin=about.margin)
        for pair in combinations(compared, 2)
    ]
    first = about.recommended[0]
    p = [*(each.p for each in rates), *(getattr(each.tests, first).p for each in differences)]
    adjusted = iter(_holm(p))
    return counts | {
        "conditions": () if source.binary else tuple(_published(ratings, about)),
        "fooling": tuple(replace(each, p_holm=next(adjusted)) for each in rates),
        "comparisons": tuple(replace(each, p_holm=next(adjusted)) for each in differences),
    }


def _published(ratings: Ratings, about: Report) -> list[ConditionMean]:
    """The means of the conditions, in the paper's protocol beside those of the paper."""
    means = condition_means(ratings)
    if about.design != "paper" or len(means) != len(PUBLISHED):
        return means
    return [replace(row, published=mean) for row, mean in zip(means, PUBLISHED, strict=True)]


def _holm(p: list[float]) -> list[float]:
    """The p values adjusted for all that are defined (Holm 1979); a single one stays as it is."""
    values = np.array(p, dtype=float)
    known = ~np.isnan(values)
    if known.sum() > 1:  # statsmodels also collects garbage, a sixth of a second each time
        values[known] = multipletests(values[known], method="holm")[1]
    return values.tolist()


def _pictures(ratings: Ratings, models: tuple[str, ...]) -> tuple[PictureScores, ...]:
    """Those with the first model's largest difference first; fakes by how often they fooled."""

    def largest(picture: PictureScores) -> float:
        score = picture.score(models[0])
        value = score.difference if CONTROL in ratings.conditions else score.mean
        return -math.inf if math.isnan(value) else value

    return tuple(sorted(score_pictures(ratings), key=largest, reverse=True))


def _caveats(source: Source, models: tuple[str, ...]) -> tuple[str, ...]:
    """What the ratings cannot show, each sentence once."""
    own = source.study.config.own_luminance if source.study else []
    said = [
        f"The pictures of {listed(own)} keep their own luminance, so raters may have told them by"
        " it and not by their colours alone."
    ] * bool(own)
    if source.binary:
        pictures = source.table["picture"].nunique()
        return (
            *said,
            "Raters who could not find the fake in the time given might find it with more time.",
            f"The rates speak for these {pictures} pictures; only the bootstrap intervals take into"
            " account that others could have been drawn.",
        )
    said += [sentence for name in models for sentence in caveats(source.ratings, name)]
    return tuple(dict.fromkeys(said))


def as_json(value: Any) -> Any:
    """`value` in what JSON knows: dataclasses as objects, NaN as null.

    >>> as_json({"p": math.nan, "n": np.int64(3), "pair": ("a", "b")})
    {'p': None, 'n': 3, 'pair': ['a', 'b']}
    """
    if isinstance(value, PictureScores):
        return _flat(value)
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(picture: PictureScores) -> dict[str, Any]:
    """A picture's scores with the condition in the keys: "control_mean"."""
    found = {"picture": as_json(picture.picture), "kind": as_json(picture.kind)}
    for condition, score in picture.scores.items():
        figures = dict(vars(score))
        if condition == CONTROL or CONTROL not in picture.scores:
            del figures["difference"]
        found |= {f"{condition}_{key}": as_json(value) for key, value in figures.items()}
    return found
