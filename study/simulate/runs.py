"""Many simulated studies: calibration, power and designs compared."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from study.simulate import calibration
from study.simulate.calibration import (
    BALANCED,
    BY_ITEM,
    BY_PARTICIPANT,
    FAKE,
    LEVEL,
    PAPER,
    QUASI_F,
    SAME,
    UNEVEN,
    VARIES,
    Setting,
    t_tests,
)
from study.simulate.population import Population, draw
from study.stats.moments import half_width, mean_of_seen, p_values, tost

DESIGN_RATERS, RATERS = (4, 12, 24), (12, 24)


def design(studies: int, seed: int) -> pd.DataFrame:
    """How often each test says there is a difference where there is none, in percent.

    The pictures differ in quality (sd 1.5); neither condition is better. `mc_error` is the largest
    Monte-Carlo standard error in the row.
    """
    rows = []
    settings = list(itertools.product((PAPER, BALANCED), DESIGN_RATERS))
    for name, raters in tqdm(settings, desc="designs", unit="design"):
        of = Population(raters=raters, paper=name == PAPER, picture_effect_sd=0.0)
        drawn = draw(of, studies, np.random.default_rng([seed, raters, name == PAPER]))
        shares = {test: np.mean(p_values(r) < LEVEL) for test, r in t_tests(drawn).items()}
        error = max(np.sqrt(share * (1 - share) / studies) for share in shares.values())
        found = {test: round(100 * share, 1) for test, share in shares.items()}
        rows.append({"design": name, "raters": raters, **found})
        rows[-1] |= {"mc_error": round(100 * error, 2), "studies": studies, "seed": seed}
    return pd.DataFrame(rows)


def calibrate(studies: int, seed: int) -> pd.DataFrame:
    """Type I errors and coverage of what the report computes; see study/simulate/calibration.py.

    `studies` is for the t tests; slower methods get a fifth, a tenth or (the mixed model) a
    fortieth of it.
    """
    rows = []
    cases = itertools.product((BALANCED, UNEVEN, PAPER), (SAME, VARIES), RATERS)
    settings = [Setting(*case, seed) for case in cases]
    jobs = [(calibration.check_t_tests, setting, studies) for setting in settings]
    jobs += [(calibration.check_permutations, setting, studies // 10) for setting in settings]
    jobs += [(calibration.check_means, setting, studies // 5) for setting in settings]
    for raters in RATERS:
        fakes = Setting(FAKE, VARIES, raters, seed)
        jobs.append((calibration.check_fooling, fakes, studies // 5))
    balanced = [setting for setting in settings if setting.design == BALANCED]
    jobs += [(calibration.check_mixed, setting, studies // 40) for setting in balanced]
    for check, setting, count in tqdm(jobs, desc="calibration", unit="block"):
        rows += check(setting, max(2, count))
    return pd.DataFrame(rows)


def power(
    of: Population, raters: Iterable[int], *, margin: float, studies: int, seed: int
) -> pd.DataFrame:
    """The percentage of studies that find the difference, for each number of raters.

    For the recommended tests; `equivalent` is how often the equivalence test finds the difference
    within `margin`, `half_width` half the mean width of the quasi-F test's 95% interval, in points.
    """
    rows = []
    for count in tqdm(list(raters), desc="power", unit="design", leave=False):
        here = replace(of, raters=count)
        drawn = draw(here, studies, np.random.default_rng([seed, count]))
        results = t_tests(drawn)
        tests = (BY_PARTICIPANT, BY_ITEM, QUASI_F) if of.paper else (BY_PARTICIPANT, QUASI_F)
        found = {test: percent(p_values(results[test]) < LEVEL) for test in tests}
        both = results[QUASI_F]
        rows.append(
            {
                "raters": count,
                **found,
                "equivalent": percent(np.maximum(*tost(both, margin)) < LEVEL),
                "half_width": round(float(mean_of_seen(half_width(both), -1)), 2),
            }
        )
    return pd.DataFrame(rows)


def percent(hits: np.ndarray) -> float:
    return round(100 * float(np.mean(hits)), 1)
