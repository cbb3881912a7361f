"""Two conditions compared: every test of their difference, declared here."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from study.stats.contrasts import (
    Contrast,
    Equivalence,
    by_item,
    by_participant,
    equivalence,
    quasi_f,
)
from study.stats.mixed import MixedModel, mixed_model
from study.stats.permutation import (
    PairedDifference,
    Permutation,
    Wilcoxon,
    paired_difference,
    permutation,
    wilcoxon,
)
from study.stats.ratings import Ratings


class Test(Protocol):
    """What every test of a difference tells; NaN where undefined, and `note` says why."""

    method: str
    statistic: str
    ci_low: float
    ci_high: float
    p: float
    speaks_for: str
    note: str


@dataclass(frozen=True)
class Tests:
    """The tests of a difference, named by what they treat as a sample or how they work."""

    both: Contrast
    raters: Contrast
    pictures: Contrast
    permutation: Permutation
    wilcoxon: Wilcoxon
    mixed: MixedModel | None


@dataclass(frozen=True)
class Comparison:
    """`reference` minus `condition`; `p_holm` is the quasi-F test's p adjusted by Holm's method."""

    condition: str
    reference: str
    paired: PairedDifference
    tests: Tests
    equivalence: Equivalence | None
    p_holm: float = math.nan

    @property
    def name(self) -> str:
        """What is subtracted from what."""
        return f"{self.reference} - {self.condition}"

    def rows(self) -> Iterator[Test]:
        """The tests in the order in which a report lists them."""
        tests = self.tests
        yield from (tests.both, tests.raters, tests.pictures, self.paired, self.paired.sign_flips)
        if tests.permutation.kind != self.paired.sign_flips.kind:
            yield tests.permutation
        yield tests.wilcoxon
        if tests.mixed:
            yield tests.mixed


def compare(
    ratings: Ratings, reference: str, condition: str, *, highest: float, margin: float | None
) -> Comparison:
    """Every test of `reference` minus `condition`, on a scale from 0 to `highest`.

    `margin` of equivalence is in points, None where there is none. Binary answers, on a scale from
    0 to 1, get no mixed model. Intervals end at the largest difference that the scale allows.
    """
    cells = ratings.cells(reference, condition)

    def ended(test):
        limits = np.clip([test.ci_low, test.ci_high], -highest, highest).tolist()
        return replace(test, ci_low=limits[0], ci_high=limits[1])

    both = quasi_f(cells)
    return Comparison(
        condition=condition,
        reference=reference,
        paired=ended(paired_difference(cells)),
        tests=Tests(
            both=ended(both),
            raters=ended(by_participant(cells)),
            pictures=ended(by_item(cells)),
            permutation=permutation(cells),
            wilcoxon=wilcoxon(cells),
            mixed=ended(mixed_model(cells)) if highest > 1 else None,
        ),
        equivalence=ended(equivalence(both, margin)) if margin else None,
    )
