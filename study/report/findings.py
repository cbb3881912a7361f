"""Every figure of a report in one nested dictionary, ready for JSON; what is undefined is None."""

import math
from dataclasses import asdict, is_dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from study.report.source import Source
from study.stats import agreement, analysis, contrasts, fooling, mixed, ratings
from study.stats.ratings import CONTROL, Cells

PRIMARY = "both"  # the test whose p is adjusted for several differences
RECOMMENDED = {  # by design, as results/study-design/README.md found them to err
    "counterbalanced": [PRIMARY, "raters"],
    "paper": [PRIMARY, "pictures"],
}
PUBLISHED = {"control": 8.55, "generated": 3.225}  # Leisher & Martin: means of four raters

Pair = tuple[str, str]  # two conditions; their difference is the first minus the second


def findings(source: Source) -> dict:
    """All figures. The keys are always the same; those that have no meaning hold None or [].

    Whoever failed a quality check counts: that is the primary analysis, fixed for every study.
    `without_failed` repeats the main figures without them.
    """
    table, frozen = source.table, source.study
    excluded = None if source.checks is None else ratings.exclusions(source.checks)
    if excluded is not None:  # of those whose ratings count
        excluded = excluded[excluded["rater"].isin(table["rater"])]
    compared = models(source)
    cells = _cells(source, table, compared)
    design = _design(source, cells)
    margin = frozen.config.margin if frozen and not source.real_or_fake else None
    report = {
        "simulated": source.simulated,
        "source": source.name,
        "protocol": "real-or-fake" if source.real_or_fake else "rating",
        "design": design,
        "models": compared,
        "simulated_left_out": source.simulated_left_out,
        "raters": table["rater"].nunique(),
        "ratings": len(table),
        "sessions": asdict(source.sessions),
        "exclusions": excluded,
        "margin": margin,
        "manifest_sha256": frozen.manifest_sha256 if frozen else None,
        "recommended": RECOMMENDED[design],
        **{key: [] for key in ("cells", "conditions", "comparisons", "fooling", "agreement")},
        **{key: [] for key in ("pictures", "response_times", "caveats")},
        "without_failed": None,
    }
    if table.empty:
        return plain(report)
    report |= _main_figures(source, table, cells, margin) | {
        "cells": ratings.cells(table),
        "agreement": agreement.agreement(table),
        "pictures": _pictures(table, compared),
        "response_times": ratings.response_times(table),
        "caveats": _caveats(source, cells),
    }
    if excluded is not None and len(excluded):
        kept = ratings.without(table, excluded)
        figures = {}
        if len(kept):
            figures = _main_figures(source, kept, _cells(source, kept, compared), margin)
        counts = {"raters": kept["rater"].nunique(), "ratings": len(kept)}
        report["without_failed"] = counts | figures
    return plain(report)


def models(source: Source) -> list[str]:
    """What is compared with the control, by the name that it has in the table."""
    if source.study and (source.real_or_fake or len(source.study.config.models) > 1):
        return list(source.study.config.models)
    found = [name for name in ratings.conditions_of(source.table) if name != CONTROL]
    return found or ["generated"]


def _cells(source: Source, table: pd.DataFrame, compared: list[str]) -> dict[Pair, Cells]:
    """Of each two conditions that are compared, the ratings: control and models, two models."""
    conditions = compared if source.real_or_fake else [CONTROL, *compared]
    return {pair: ratings.as_cells(table, list(pair)) for pair in combinations(conditions, 2)}


def _design(source: Source, cells: dict[Pair, Cells]) -> str:
    """ "paper": every picture is always control or always generated; else "counterbalanced"."""
    if source.study:
        return source.study.config.mode
    nested = all(contrasts.is_nested(each) for each in cells.values())
    return "paper" if nested and not source.real_or_fake else "counterbalanced"


def _main_figures(
    source: Source, table: pd.DataFrame, cells: dict[Pair, Cells], margin: float | None
) -> dict:
    """All p values against chance and of differences are one family, adjusted by Holm's method."""
    rates, conditions = [], []
    if source.real_or_fake:
        rates = plain(fooling.fooling_rates(table))
    else:
        conditions = plain(analysis.condition_summary(table))
        published = _published(source)
        for row in conditions:
            row["published"] = published.get(row["condition"])
    binary = source.real_or_fake
    compared = [_comparison(pair, each, margin, binary=binary) for pair, each in cells.items()]
    values = [rate["p"] for rate in rates] + [each["tests"][PRIMARY]["p"] for each in compared]
    _adjust([*rates, *compared], values)
    return {"conditions": conditions, "fooling": rates, "comparisons": compared}


def _published(source: Source) -> dict[str, float]:
    """The paper's means, where the study repeats the paper: its pictures, design and model."""
    if source.study is None:
        return {}
    config, texts = source.study.config, source.study.config.texts
    repeats = (
        config.mode == "paper"
        and config.protocol == "rating"
        and list(config.models.values()) == ["paper"]
        and source.study.pictures_from == texts.pictures_fruits360
    )
    return PUBLISHED if repeats else {}


def _comparison(pair: Pair, cells: Cells, margin: float | None, *, binary: bool) -> dict:
    """The first minus the second of `pair`; the mixed model is none for `binary` answers."""
    reference, condition = pair
    paired, both = contrasts.paired_difference(cells), contrasts.by_both(cells)
    return plain(
        {
            "condition": condition,
            "reference": reference,
            "paired": asdict(paired) | {"exact": paired.exact},
            "tests": {
                PRIMARY: both,
                "raters": contrasts.by_raters(cells),
                "pictures": contrasts.by_pictures(cells),
                "permutation": contrasts.permutation(cells),
                "wilcoxon": contrasts.wilcoxon(cells),
                "mixed": None if binary else mixed.mixed_model(cells),
            },
            "equivalence": contrasts.equivalence(both, margin) if margin else None,
        }
    )


def _pictures(table: pd.DataFrame, compared: list[str]) -> pd.DataFrame:
    """`ratings.pictures`, by the first model's difference; of fakes, by how often they fooled."""
    found, first = ratings.pictures(table), compared[0]
    for largest in (f"{first}_difference", f"{first}_mean"):
        if largest in found:
            return found.sort_values(largest, ascending=False, kind="stable")
    return found


def _adjust(rows: list[dict], values: list[float | None]) -> None:
    """Give each row its p adjusted by Holm's method for all of them: `p_holm`."""
    known = [value for value in values if value is not None]
    adjusted = iter(multipletests(known, method="holm")[1].tolist() if known else [])
    for row, value in zip(rows, values, strict=True):
        row["p_holm"] = None if value is None else next(adjusted)


def _caveats(source: Source, cells: dict[Pair, Cells]) -> list[str]:
    """What the ratings cannot show, each sentence once."""
    table = source.table
    if source.real_or_fake:
        return [
            "Whoever cannot find the fake in this time may find it with more of it.",
            f"The rates speak for these {table['picture'].nunique()} pictures; only the resampled "
            "intervals take into account that others could have been drawn.",
        ]
    said = [
        sentence
        for (reference, model), each in cells.items()
        if reference == CONTROL
        for sentence in analysis.caveats(table, model, each)
    ]
    return list(dict.fromkeys(said))


def plain(value: Any) -> Any:
    """`value` in what JSON knows: dataclasses and tables as dictionaries, no NaN.

    >>> plain({"p": np.float64("nan"), "n": np.int64(3), "table": pd.DataFrame({"a": [1.5]})})
    {'p': None, 'n': 3, 'table': [{'a': 1.5}]}
    """
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    elif is_dataclass(value):
        value = asdict(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if value is pd.NA or value is pd.NaT or isinstance(value, float) and not math.isfinite(value):
        return None
    return value
