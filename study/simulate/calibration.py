"""Type I errors of the study's tests and coverage of its intervals, where the truth is known.

Each function simulates studies of one `Setting` and yields rows of the table that
`python -m study.simulate calibration` writes. A test errs when it rejects the true difference, be
it that of the pictures shown ("these pictures") or that of all pictures ("other pictures").
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.simulate.population import Population, Studies, draw, draw_fooled
from study.stats.bootstrap import resampled
from study.stats.mixed import effects_of, fit_crossed
from study.stats.moments import (
    Moments,
    crossed,
    half_width,
    p_values,
    picture_differences,
    rater_differences,
    rater_values,
    sets_of,
    stratified,
    tost,
)
from study.stats.permutation import EXCHANGE as RANDOMIZATION
from study.stats.permutation import SIGN_FLIPS, list_weighted, permuted_p

LEVEL = 0.05
# Margin of the equivalence test, in points.
MARGIN = 1.0
# Numbers of bootstrap samples and of permutations: fewer than the report's, for speed.
DRAWS, PERMUTATIONS = 1000, 2**12
HERE, EVERYWHERE = "these pictures", "other pictures"
PAPER, BALANCED, FAKE = "paper", "counterbalanced", "real-or-fake"
UNEVEN = "counterbalanced, lists 2 : 1"
SAME, VARIES = "the same for everybody", "varies"
BY_PARTICIPANT, BY_ITEM = "by-participant t test, within lists", "by-item t test"
QUASI_F = "quasi-F test"
EQUIVALENCE = "equivalence test, quasi-F"
T_INTERVAL, BOOTSTRAP = "mean: t interval over raters", "mean: bootstrap of raters and pictures"
COUNTERBALANCED = {
    BY_PARTICIPANT: HERE,
    RANDOMIZATION: HERE,
    T_INTERVAL: HERE,
    QUASI_F: EVERYWHERE,
    EQUIVALENCE: EVERYWHERE,
    BOOTSTRAP: EVERYWHERE,
}
# {design: {method: the pictures that it is recommended for}}
RECOMMENDED = {
    BALANCED: COUNTERBALANCED,
    UNEVEN: COUNTERBALANCED,
    PAPER: {
        BY_PARTICIPANT: HERE,
        T_INTERVAL: HERE,
        BY_ITEM: EVERYWHERE,
        QUASI_F: EVERYWHERE,
        EQUIVALENCE: EVERYWHERE,
    },
    FAKE: {T_INTERVAL: HERE, BOOTSTRAP: EVERYWHERE},
}
# Percentages between which a recommended test errs and a recommended interval covers.
BOUNDS = {"test": (3.0, 7.0), "interval": (93.0, 97.0)}


@dataclass(frozen=True)
class Setting:
    """One design, number of raters and kind of population."""

    design: str
    varies: str
    raters: int
    seed: int

    def population(self, **changes: float) -> Population:
        spread = 0.0 if self.varies == SAME else 0.7
        return Population(
            raters=self.raters,
            paper=self.design == PAPER,
            uneven=self.design == UNEVEN,
            rater_effect_sd=spread,
            picture_effect_sd=spread,
            **changes,
        )

    def rng(self, name: str) -> np.random.Generator:
        """A generator of its own for every setting and function."""
        return np.random.default_rng([self.seed, *f"{self.design}{self.varies}{name}".encode()])

    def row(self, method: str, kind: str, about: str, hits: np.ndarray) -> dict:
        """A row of the table; `hits` (studies, ...) tells where the error or the truth was met."""
        share, studies = float(np.mean(hits)), len(hits)
        recommended = RECOMMENDED[self.design].get(method) == about
        low, high = BOUNDS[kind]
        return {
            "kind": kind,
            "design": self.design,
            "method": method,
            "about": about,
            "difference": self.varies,
            "raters": self.raters,
            "percent": round(100 * share, 2),
            "mc_error": round(100 * math.sqrt(share * (1 - share) / studies), 2),
            "studies": studies,
            "recommended": recommended,
            "within": low <= round(100 * share, 2) <= high if recommended else "",
            "seed": self.seed,
        }


def t_tests(drawn: Studies) -> dict[str, Moments]:
    """The mean difference of every study with its variance, by test."""
    differences, lists = rater_differences(drawn.y, drawn.lists)
    return {
        "paired t test": stratified(differences, np.zeros_like(lists)),
        BY_PARTICIPANT: stratified(differences, lists),
        BY_ITEM: stratified(*picture_differences(drawn.y, lists)),
        QUASI_F: crossed(drawn.y, lists),
    }


def check_t_tests(setting: Setting, studies: int) -> Iterator[dict]:
    """Errors of the t tests, and of the equivalence test where the truth is at its margin."""
    drawn = draw(setting.population(), studies, setting.rng("t"))
    for about, truth in _truths(drawn).items():
        for method, result in t_tests(drawn).items():
            off = result._replace(mean=result.mean - truth)
            yield setting.row(method, "test", about, p_values(off) < LEVEL)
            if method == QUASI_F:
                at_margin = off._replace(mean=off.mean + MARGIN)
                wrong = np.maximum(*tost(at_margin, MARGIN)) < LEVEL
                yield setting.row(EQUIVALENCE, "test", about, wrong)


def check_permutations(setting: Setting, studies: int) -> Iterator[dict]:
    """Errors of the tests that go through permutations; with one list both flip signs."""
    drawn = draw(setting.population(), studies, setting.rng("permutations"))
    differences, lists = rater_differences(drawn.y, drawn.lists)
    for about, truth in _truths(drawn).items():
        off = differences - truth[:, None]
        if setting.design != PAPER:
            p = permuted_p(off, lists, resamples=PERMUTATIONS)
            yield setting.row(RANDOMIZATION, "test", about, p < LEVEL)
        weighted, one_list = list_weighted(off, lists), np.zeros_like(lists)
        p = permuted_p(weighted, one_list, resamples=PERMUTATIONS)
        yield setting.row(SIGN_FLIPS, "test", about, p < LEVEL)
        ranks = np.sign(off) * stats.rankdata(np.abs(off), axis=-1)
        p = permuted_p(ranks, one_list, resamples=PERMUTATIONS)
        yield setting.row("Wilcoxon's signed-rank test", "test", about, p < LEVEL)


def check_mixed(setting: Setting, studies: int) -> Iterator[dict]:
    """Errors of the mixed model's z test in the counterbalanced design, where it converged."""
    drawn = draw(setting.population(), studies, setting.rng("mixed"))
    z = {about: [] for about in (HERE, EVERYWHERE)}
    for y, here in zip(drawn.y, _truths(drawn)[HERE], strict=True):
        try:
            fit = fit_crossed(*effects_of(y))
        except np.linalg.LinAlgError:  # the report then falls back, too
            continue
        if fit.converged and fit.bse_fe[1] > 0:
            z[HERE].append((fit.fe_params[1] - here) / fit.bse_fe[1])
            z[EVERYWHERE].append(fit.fe_params[1] / fit.bse_fe[1])
    for about, values in z.items():
        if not values:
            continue
        wrong = np.abs(values) > stats.norm.ppf(1 - LEVEL / 2)
        yield setting.row("mixed model, z test", "test", about, wrong)


def check_means(setting: Setting, studies: int) -> Iterator[dict]:
    """Coverage of the intervals of the condition means, control at 7 and the model at 5."""
    drawn = draw(setting.population(mean=6, effect=2), studies, setting.rng("means"))
    everywhere = np.broadcast_to(drawn.true_everywhere, drawn.true_here.shape)
    truths = {HERE: drawn.true_here, EVERYWHERE: everywhere}
    yield from _intervals(setting, drawn.y, drawn.lists, truths)


def check_fooling(setting: Setting, studies: int) -> Iterator[dict]:
    """Coverage of the intervals of the fooling rate, 40 pictures."""
    rng = setting.rng("fooling")
    y, here, everywhere = draw_fooled(setting.raters, 40, studies, rng)
    truths = {HERE: here[:, None], EVERYWHERE: np.full((studies, 1), everywhere)}
    yield from _intervals(setting, y, np.zeros(setting.raters, int), truths)
    trials = y[0].size
    tested = [stats.binomtest(int(study.sum()), trials) for study in y]
    wilson = np.array([test.proportion_ci(method="wilson") for test in tested])
    for about, truth in truths.items():
        right = (wilson[:, 0] <= truth[:, 0]) & (truth[:, 0] <= wilson[:, 1])
        yield setting.row("rate: Wilson's interval of all trials", "interval", about, right)


def _intervals(
    setting: Setting, y: np.ndarray, lists: np.ndarray, truths: dict[str, np.ndarray]
) -> Iterator[dict]:
    """Coverage of `truths` (studies, conditions) by the t interval and by the bootstrap."""
    result = stratified(*rater_values(y, lists))
    half = half_width(result)
    rng, sets = setting.rng("bootstrap"), sets_of(y, lists)
    quantiles = [
        np.quantile(resampled(study, lists, sets, DRAWS, rng), [0.025, 0.975], axis=0)
        for study in y
    ]
    low, high = np.moveaxis(quantiles, 1, 0)
    for about, truth in truths.items():
        yield setting.row(T_INTERVAL, "interval", about, np.abs(result.mean - truth) <= half)
        yield setting.row(BOOTSTRAP, "interval", about, (low <= truth) & (truth <= high))


def _truths(drawn: Studies) -> dict[str, np.ndarray]:
    """The true difference of each study: of its pictures, and of all."""
    here = drawn.true_here[:, 0] - drawn.true_here[:, 1]
    everywhere = drawn.true_everywhere[0] - drawn.true_everywhere[1]
    return {HERE: here, EVERYWHERE: np.full_like(here, everywhere)}
