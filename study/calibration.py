"""How often the study's tests err and its intervals cover, on raters whose truth is known.

Each function simulates studies of one `Setting` and yields rows of the table that
`python -m study.simulate calibration` writes. A test errs when it rejects the true difference, be
it that of the pictures shown ("these pictures") or that of all pictures ("other pictures").
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.bootstrap import resampled
from study.contrasts import permuted_p
from study.mixed import fit_crossed
from study.moments import (
    Moments,
    crossed,
    p_values,
    picture_differences,
    rater_differences,
    sets_of,
    stratified,
)
from study.population import Population, Studies, draw, draw_fooled

LEVEL = 0.05
MARGIN = 1.0  # of equivalence, in points
DRAWS, PERMUTATIONS = 1000, 2**12  # fewer than the report's, for speed
HERE, EVERYWHERE = "these pictures", "other pictures"
PAPER, BALANCED, FAKE = "paper", "counterbalanced", "real-or-fake"
SAME, VARIES = "the same for everybody", "varies"
BY_RATERS, BY_PICTURES = "t test over raters, within lists", "t test over pictures"
BY_BOTH = "t test over raters and pictures"
EQUIVALENCE, EXCHANGE = "equivalence test over raters", "raters exchanged between lists"
T_INTERVAL, BOOTSTRAP = "mean: t interval over raters", "mean: bootstrap of raters and pictures"
RECOMMENDED = {  # (design, method) -> the pictures it is recommended for
    (BALANCED, BY_RATERS): HERE,
    (BALANCED, EXCHANGE): HERE,
    (BALANCED, EQUIVALENCE): HERE,
    (BALANCED, T_INTERVAL): HERE,
    (BALANCED, BY_BOTH): EVERYWHERE,
    (BALANCED, BOOTSTRAP): EVERYWHERE,
    (PAPER, BY_RATERS): HERE,
    (PAPER, EQUIVALENCE): HERE,
    (PAPER, T_INTERVAL): HERE,
    (PAPER, BY_PICTURES): EVERYWHERE,
    (PAPER, BY_BOTH): EVERYWHERE,
    (FAKE, T_INTERVAL): HERE,
    (FAKE, BOOTSTRAP): EVERYWHERE,
}
BOUNDS = {"test": (3.0, 7.0), "interval": (93.0, 97.0)}  # percent, for what is recommended


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
        recommended = RECOMMENDED.get((self.design, method)) == about
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
        BY_RATERS: stratified(differences, lists),
        BY_PICTURES: stratified(*picture_differences(drawn.y, lists)),
        BY_BOTH: crossed(drawn.y, lists),
    }


def check_t_tests(setting: Setting, studies: int) -> Iterator[dict]:
    """Errors of the t tests, and of the equivalence test where the truth is at its margin."""
    drawn = draw(setting.population(), studies, setting.rng("t"))
    for about, truth in _truths(drawn).items():
        for method, result in t_tests(drawn).items():
            off = result._replace(mean=result.mean - truth)
            yield setting.row(method, "test", about, p_values(off) < LEVEL)
            if method == BY_RATERS:
                se = np.sqrt(off.variance)
                below = stats.t.cdf(off.mean / se, off.df)
                above = stats.t.sf((off.mean + 2 * MARGIN) / se, off.df)
                wrong = np.maximum(below, above) < LEVEL
                yield setting.row(EQUIVALENCE, "test", about, wrong)


def check_permutations(setting: Setting, studies: int) -> Iterator[dict]:
    """Errors of the tests that go through permutations; with one list both flip signs."""
    drawn = draw(setting.population(), studies, setting.rng("permutations"))
    differences, lists = rater_differences(drawn.y, drawn.lists)
    for about, truth in _truths(drawn).items():
        off = differences - truth[:, None]
        for method, kept in ((EXCHANGE, lists), ("sign flips", np.zeros_like(lists))):
            if method == EXCHANGE and setting.design == PAPER:
                continue
            p = permuted_p(off, kept, resamples=PERMUTATIONS)
            yield setting.row(method, "test", about, p < LEVEL)
        ranks = np.sign(off) * stats.rankdata(np.abs(off), axis=-1)
        p = permuted_p(ranks, np.zeros_like(lists), resamples=PERMUTATIONS)
        yield setting.row("Wilcoxon's signed-rank test", "test", about, p < LEVEL)


def check_mixed(setting: Setting, studies: int) -> Iterator[dict]:
    """Errors of the mixed model's z test in the counterbalanced design, where it converged."""
    drawn = draw(setting.population(), studies, setting.rng("mixed"))
    z = {about: [] for about in (HERE, EVERYWHERE)}
    for y, here in zip(drawn.y, _truths(drawn)[HERE], strict=True):
        condition, rater, picture = np.nonzero(np.isfinite(y))
        contrast = 0.5 - condition
        of_rater, of_picture = np.eye(y.shape[1])[rater], np.eye(y.shape[2])[picture]
        effects = {"rater": of_rater, "picture": of_picture}
        effects["rater_effect"] = of_rater * contrast[:, None]
        effects["picture_effect"] = of_picture * contrast[:, None]
        fixed = np.column_stack([np.ones(len(contrast)), contrast])
        fit = fit_crossed(y[np.isfinite(y)], fixed, effects)
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
    seen = np.isfinite(y)
    raters = np.where(seen, y, 0).sum(axis=-1) / seen.sum(axis=-1)
    result = stratified(raters, lists)
    half = stats.t.ppf(0.975, result.df) * np.sqrt(result.variance)
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
