"""A rater's way through a study, from consent to the last rating. Knows no web page.

Everything hangs on two random tokens: the session's, which the rater's browser keeps, and the
trial's, which the page holds while the pair is shown. All state is in the database.
"""

import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session, undefer

from study import design, texts
from study.store import (
    Rater,
    Rating,
    RatingSession,
    Stimulus,
    Study,
    StudyError,
    Trial,
    find_study,
    writing,
)


@dataclass(frozen=True)
class Pair:
    """What a rater sees of one trial: nothing here tells the condition."""

    trial: str
    number: int
    total: int
    step: float
    gray_png: bytes
    color_png: bytes


@dataclass(frozen=True)
class Finished:
    """Every pair is rated."""

    total: int


def begin(engine: Engine, study_name: str, *, consent: bool) -> str:
    """Start a session and return its token.

    Raises:
        StudyError: no consent, no such study, or nothing could be saved.
    """
    if consent is not True:
        raise StudyError(texts.CONSENT_MISSING)
    with writing(engine) as session:
        study = find_study(session, study_name)
        shown = [
            stimulus.token for stimulus in study.stimuli if stimulus.list_name == design.SHOWN_LIST
        ]
        rating_session = RatingSession(
            study_id=study.id,
            rater_id=_new_rater(session),
            token=secrets.token_urlsafe(24),
            list_name=design.SHOWN_LIST,
        )
        for position, stimulus in enumerate(design.order(shown, np.random.default_rng()), 1):
            rating_session.trials.append(
                Trial(stimulus_token=stimulus, position=position, token=secrets.token_urlsafe(16))
            )
        session.add(rating_session)
    return rating_session.token


def resume(engine: Engine, token: str, study_name: str) -> Pair | Finished | None:
    """Where the session stands; None when this study has no session with this token.

    Raises:
        StudyError: the database cannot be used.
    """
    if not token:
        return None
    with writing(engine) as session:
        found = _find(session, token, study_name)
        return _current(session, found) if found else None


def rate(engine: Engine, token: str, study_name: str, trial: str, value: object) -> Pair | Finished:
    """Store a rating and return where the session stands then.

    The first answer to a trial stands: a repeated request changes nothing and succeeds.

    Raises:
        StudyError: not a rating on this study's scale, a trial that is not in front of this
            rater, or nothing could be saved.
    """
    with writing(engine) as session:
        rating_session = _find(session, token, study_name)
        if rating_session is None:
            raise StudyError(texts.UNKNOWN_SESSION)
        answered = next((t for t in rating_session.trials if t.token == trial), None)
        if answered is None or answered.shown_at is None:
            raise StudyError(texts.UNKNOWN_TRIAL)
        if answered.rating is None:
            step = rating_session.study.step
            answered.rating = Rating(value=_parse(value, step), step=step)
        return _current(session, rating_session)


def _new_rater(session: Session) -> int:
    rater = Rater()
    session.add(rater)
    session.flush()
    return rater.id


def _find(session: Session, token: str, study_name: str) -> RatingSession | None:
    return session.scalar(
        sa.select(RatingSession)
        .join(RatingSession.study)
        .where(RatingSession.token == str(token), Study.name == study_name)
        .with_for_update(of=RatingSession)  # two requests of one rater wait for each other
    )


def _current(session: Session, rating_session: RatingSession) -> Pair | Finished:
    trials = rating_session.trials
    upcoming = next((trial for trial in trials if trial.rating is None), None)
    if upcoming is None:
        rating_session.finished_at = rating_session.finished_at or datetime.now(UTC)
        return Finished(len(trials))
    upcoming.shown_at = upcoming.shown_at or datetime.now(UTC)
    stimulus = session.get(
        Stimulus,
        upcoming.stimulus_token,
        options=[undefer(Stimulus.gray_png), undefer(Stimulus.color_png)],
    )
    return Pair(
        trial=upcoming.token,
        number=upcoming.position,
        total=len(trials),
        step=rating_session.study.step,
        gray_png=stimulus.gray_png,
        color_png=stimulus.color_png,
    )


def _parse(value: object, step: float) -> float:
    if value is None or value == "":
        raise StudyError(texts.NO_RATING)
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (0 <= number <= texts.SCALE_MAX and (number / step).is_integer()):
        raise StudyError(texts.BAD_RATING.format(value=str(value)[:40], step=step))
    return number
