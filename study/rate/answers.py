"""A rater's answers: checked, stored once, and followed by the next step."""

import json
import math

from sqlalchemy import Engine

from study.db.engine import writing
from study.db.queries import find_study, log_event
from study.db.tables import Answer, Rating, RatingSession, Trial, now
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.plan.protocols import SCALE_MAX, SIDES
from study.plan.questions import COMMENT_LIMIT, Question
from study.rate.steps import Feedback, View, config_of, due, find, hand_out


def answer(
    engine: Engine,
    token: str,
    study_name: str,
    step: str,
    value: object,
    *,
    measured: object = None,
) -> View | Feedback:
    """Store the answer to a step and return what follows.

    The first answer to a step stands: a repeated request changes nothing and succeeds.

    Args:
        engine: the study's database.
        token: the session's.
        study_name: the study.
        step: as in the view.
        value: a rating from 0 to 10, "left" or "right", a choice, or the comment.
        measured: by the browser: a dictionary with numbers `response_ms`, `viewport_width`,
            `viewport_height` and `pixel_ratio`; a missing or absurd one is stored as unknown.

    Raises:
        StudyError: no answer to this step, a step that is not in front of this rater, or nothing
            could be saved.
    """
    with writing(engine) as database:
        session = find(database, token, study_name)
        if session is None:
            study = find_study(database, study_name)
            raise StudyError(config_of(study).texts.unknown_session)
        config, step = config_of(session.study), str(step)

        def log(kind: str, **detail: object) -> None:
            log_event(database, session.study, kind, session, **detail)

        trial = next((trial for trial in session.trials if trial.token == step), None)
        if trial is not None and trial.rating is not None:
            log("answered again", position=trial.position)
        elif trial is not None and trial.shown_at is not None:
            trial.rating = _rating(trial, value, measured, config)
            log("rated", position=trial.position)
            if trial.position < 1:
                session.seen_at = now()
                return _feedback(trial, config)
        elif step in {given.step for given in session.answers}:
            log("answered again", step=step)
        else:
            _store_answer(session, config, step, value)
            log("answered", step=step)
        return hand_out(database, session, config)


def _store_answer(session: RatingSession, config: StudyConfig, step: str, value: object) -> None:
    question = due(session, config)
    if not isinstance(question, Question) or question.step != step:
        raise StudyError(config.texts.unknown_trial)
    said = json.dumps(_said(question, value, config))
    session.answers.append(Answer(step=step, value=said))


def _said(question: Question, value: object, config: StudyConfig) -> str:
    if question.choices:
        if value not in tuple(question.choices):  # Not all values have the hash of a key.
            raise StudyError(config.texts.bad_answer)
        return value
    said = "" if value is None else str(value).strip()
    said = said.encode(errors="replace").decode()  # Half of a surrogate pair is not a character.
    if len(said) > COMMENT_LIMIT:
        raise StudyError(config.filled("comment_too_long", limit=COMMENT_LIMIT))
    return said


def _feedback(trial: Trial, config: StudyConfig) -> Feedback:
    key = config.task.feedback(trial.stimulus.condition, trial.rating.value)
    return Feedback(config.filled(key))


def _rating(trial: Trial, value: object, measured: object, config: StudyConfig) -> Rating:
    given = measured if isinstance(measured, dict) else {}
    if config.task.answered_by == "sides":
        if value not in SIDES:
            raise StudyError(config.texts.no_choice)
        stored = {"value": float(value != trial.side), "step": 1, "choice": value}
    else:
        stored = {"value": _on_scale(value, config), "step": config.scale.step}
    return Rating(
        **stored,
        # A server's clock that was put back must not make an answer older than its question.
        rated_at=max(now(), trial.shown_at),
        response_ms=_sensible(given.get("response_ms"), 1, 86_400_000),
        viewport_width=_whole(_sensible(given.get("viewport_width"), 1, 100_000)),
        viewport_height=_whole(_sensible(given.get("viewport_height"), 1, 100_000)),
        pixel_ratio=_sensible(given.get("pixel_ratio"), 0.1, 20),
    )


def _on_scale(value: object, config: StudyConfig) -> float:
    if value is None or value == "":
        raise StudyError(config.texts.no_rating)
    number = _number(value)
    if not (0 <= number <= SCALE_MAX and (number / config.scale.step).is_integer()):
        raise StudyError(config.filled("bad_rating", value=repr(str(value)[:40])))
    return number


def _number(value: object) -> float:
    """`value` as a number; NaN where it is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _sensible(value: object, low: float, high: float) -> float | None:
    number = _number(value)
    return number if low <= number <= high else None


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)
