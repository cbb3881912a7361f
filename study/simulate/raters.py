"""Simulated raters, with known habits, who go through a study exactly as people do.

They consent, answer the questions, practise and rate through `study.rate`, and are marked as
simulated wherever ratings are stored or shown. Their true opinion of each picture is known, so that
they show whether a study finds it.
"""

import math
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine
from tqdm import tqdm

from study.db.engine import reading
from study.db.queries import find_study
from study.db.tables import Stimulus, Trial
from study.plan.config import StudyConfig
from study.plan.protocols import SCALE_MAX, SIDES
from study.rate import Feedback, Finished, Pair, answer, begin, go_on

LAZY_RATING, LAZY_SIDE = 5, "left"


@dataclass(frozen=True)
class SimulatedRater:
    """The opinions and habits of a rater, in points of the scale from 0 to 10.

    Attributes:
        effect: points by which generated colours look worse than true ones.
        severity: points that this rater gives less than others.
        noise: standard deviation of a rating about the rater's opinion, in points.
        lazy: the rater gives one answer throughout, at once, and is caught by the checks.
        level: points for true colours.
    """

    effect: float = 1
    severity: float = 0
    noise: float = 1.5
    lazy: bool = False
    level: float = 7.5

    def rating(self, condition: str, purpose: str, step: float, rng: np.random.Generator) -> float:
        """The rating of one pair."""
        if self.lazy:
            return LAZY_RATING
        if purpose == "attention":
            return 0
        thought = self.level - self.severity - self.effect * (condition == "generated")
        given = rng.normal(thought, self.noise)
        return float(np.clip(step * round(given / step), 0, SCALE_MAX))

    def choice(self, side: str, purpose: str, rng: np.random.Generator) -> str:
        """The side of the picture taken for the generated one, which is on `side`: the one of the
        worse colours, as far as noise lets them be told apart; without effect a coin toss."""
        if self.lazy:
            return LAZY_SIDE
        found = purpose == "attention" or rng.normal(self.effect, max(self.noise, 1e-9)) > 0
        return side if found else next(other for other in SIDES if other != side)

    def measured(self, rng: np.random.Generator) -> dict[str, float]:
        """What a browser would have measured."""
        seconds = 0.2 if self.lazy else math.exp(rng.normal(1.3, 0.4))
        window = {"viewport_width": 1280, "viewport_height": 720, "pixel_ratio": 1}
        return {"response_ms": round(1000 * seconds)} | window


def crowd(
    count: int, rng: np.random.Generator, *, effect: float = 1, lazy: int = 0
) -> list[SimulatedRater]:
    """`count` raters of different severity, of whom the last `lazy` are lazy."""
    return [
        SimulatedRater(effect=effect, severity=rng.normal(0, 1), lazy=number >= count - lazy)
        for number in range(count)
    ]


def take_part(
    engine: Engine, study_name: str, rater: SimulatedRater, rng: np.random.Generator
) -> str:
    """Send one rater through a study and return the session's token.

    Raises:
        StudyError: as from `study.rate`.
    """
    with reading(engine) as database:
        config = StudyConfig.frozen(find_study(database, study_name).config)
    token, view = begin(engine, study_name, consent=True, simulated=True, rng=rng)
    while not isinstance(view, Finished):
        if isinstance(view, Feedback):
            view = go_on(engine, token, study_name)
        elif isinstance(view, Pair):
            value, measured = _answer(engine, view, config, rater, rng), rater.measured(rng)
            view = answer(engine, token, study_name, view.step, value, measured=measured)
        else:
            view = answer(engine, token, study_name, view.step, view.simulated)
    return token


def _answer(
    engine: Engine,
    pair: Pair,
    config: StudyConfig,
    rater: SimulatedRater,
    rng: np.random.Generator,
) -> float | str:
    """The answer of a rater who sees the colours; the database knows which they are."""
    with reading(engine) as database:
        condition, purpose, side = database.execute(
            sa.select(Stimulus.condition, Stimulus.purpose, Trial.side)
            .join_from(Trial, Stimulus, Stimulus.token == Trial.stimulus_token)
            .where(Trial.token == pair.step)
        ).one()
    if config.task.answered_by == "sides":
        return rater.choice(side, purpose, rng)
    return rater.rating(condition, purpose, config.scale.step, rng)


def run(
    engine: Engine, study_name: str, raters: list[SimulatedRater], rng: np.random.Generator
) -> list[str]:
    """Send raters through a study, one after the other, and return their sessions' tokens.

    Raises:
        StudyError: as from `study.rate`.
    """
    queue = tqdm(raters, unit=" raters", disable=None)
    return [take_part(engine, study_name, rater, rng) for rater in queue]
