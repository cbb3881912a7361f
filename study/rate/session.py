"""A rater's way through a study, from consent to the completion code. Knows no web page.

Consent, questions, practice pairs with feedback, pairs, a comment, the end. Everything hangs on
random tokens: the session's, which the rater's browser keeps; a trial's, which the page holds while
the pair is shown; a picture's, by which the browser fetches it. All state is in the database, so
that any server process can go on with any rater.
"""

import functools
import hashlib
import json
import math
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session, aliased, contains_eager, immediateload

from study.db.engine import reading, writing
from study.db.queries import find_study, log_event
from study.db.tables import (
    Answer,
    Participant,
    QualityCheck,
    Rater,
    Rating,
    RatingSession,
    Stimulus,
    Study,
    Trial,
    now,
)
from study.errors import StudyError
from study.plan import design, quality
from study.plan.config import StudyConfig
from study.plan.protocols import SCALE_MAX, SIDES
from study.plan.questions import COMMENT_LIMIT, Question

KEPT_PICTURES = 200  # in memory, 200 kB each
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Made once: to make one takes as long as the database does
WHOLE_SESSION = (
    sa.select(RatingSession)
    .join(RatingSession.study)
    .where(RatingSession.token == sa.bindparam("token"), Study.name == sa.bindparam("study"))
    .options(
        contains_eager(RatingSession.study),
        immediateload(RatingSession.trials).joinedload(Trial.rating),
        immediateload(RatingSession.answers),
    )
    .with_for_update(of=RatingSession)  # two requests of one rater wait for each other
)
GIVEN_PICTURE = sa.select(
    Trial.stimulus_token, Trial.side, Trial.first_token == sa.bindparam("token")
).where(
    sa.or_(Trial.first_token == sa.bindparam("token"), Trial.second_token == sa.bindparam("token")),
    Trial.given_at.is_not(None),
)


@dataclass(frozen=True)
class Identity:
    """How a recruiting service calls a rater, its study and this visit."""

    external_id: str
    study_ref: str = ""
    session_ref: str = ""


@dataclass(frozen=True)
class Pair:
    """What a rater sees of one trial: nothing here tells the condition.

    Attributes:
        step: to be given back with the answer.
        practice: it will not be analysed.
        number, total: where it stands among the pairs, or the practice pairs.
        pictures: tokens of the two: grayscale and colour, or left and right.
        upcoming: tokens of the next pair's, to be fetched ahead.
    """

    step: str
    practice: bool
    number: int
    total: int
    pictures: tuple[str, str]
    upcoming: tuple[str, ...]


@dataclass(frozen=True)
class Feedback:
    """What a rater is told after a practice pair; `resume` goes on."""

    text: str


@dataclass(frozen=True)
class Finished:
    """Every pair is rated; `code` and `url` are those of the study, for the recruiting service."""

    total: int
    code: str
    url: str


View = Question | Pair | Finished


def begin(
    engine: Engine,
    study_name: str,
    *,
    consent: bool,
    identity: Identity | None = None,
    simulated: bool = False,
    created_at: str | None = None,
    rng: np.random.Generator | None = None,
) -> str:
    """Start a session and return its token; with an identity that has one already, that one's.

    The session gets the list with the fewest finished and live sessions; those of simulated raters
    and of people are counted apart.

    Args:
        engine: the study's database.
        study_name: the study.
        consent: must be True.
        identity: whom a recruiting service sent.
        simulated: the rater is a program.
        created_at: of the study whose texts were consented to, in ISO format; None: as it is now.
        rng: draws the order, and the list where several are as good.

    Raises:
        StudyError: no consent, no such study, it was prepared anew meanwhile, all places taken, or
            nothing could be saved.
    """
    if consent is not True:
        with reading(engine) as session:
            raise StudyError(_config(find_study(session, study_name)).texts.consent_missing)
    with writing(engine) as session:
        # raters who begin at the same time wait for each other, so that the lists stay even
        study = find_study(session, study_name, locked=True)
        if identity and (token := _token_of(session, study, identity)):
            return token
        config = _config(study)
        if created_at not in (None, study.created_at.isoformat()):
            raise StudyError(config.texts.changed)
        counts = _sessions_by_list(session, study, config, simulated)
        if config.quota is not None and sum(counts.values()) >= config.quota:
            raise StudyError(config.texts.full)
        rng = rng or np.random.default_rng()
        rater = Rater(simulated=simulated)
        session.add(rater)
        session.flush()
        if identity:
            session.add(
                Participant(
                    rater_id=rater.id,
                    study_id=study.id,
                    external_id=identity.external_id,
                    study_ref=identity.study_ref,
                    session_ref=identity.session_ref,
                )
            )
        started = RatingSession(
            study_id=study.id,
            rater_id=rater.id,
            token=secrets.token_urlsafe(24),
            list_name=design.least_filled(counts, rng),
            consent_sha256=hashlib.sha256(config.consent_text().encode()).hexdigest(),
        )
        started.trials.extend(_draw_trials(study, config, started.list_name, rng))
        session.add(started)
        session.flush()
        log_event(session, study, "consented", started, list=started.list_name)
        return started.token


def known(engine: Engine, study_name: str, identity: Identity) -> str | None:
    """The token of the session that somebody has in this study.

    Raises:
        StudyError: no such study, or the database cannot be read.
    """
    with reading(engine) as session:
        return _token_of(session, find_study(session, study_name), identity)


def resume(engine: Engine, token: str, study_name: str) -> View | None:
    """Where the session stands; None when this study has no session with this token.

    Raises:
        StudyError: the database cannot be used.
    """
    if not is_token(token):  # nor need others wait for it
        return None
    with writing(engine) as session:
        found = _find(session, token, study_name)
        if found is None:
            return None
        log_event(session, found.study, "resumed", found)
        return _current(session, found, _config(found.study))


def answer(
    engine: Engine,
    token: str,
    study_name: str,
    step: str,
    value: object,
    *,
    measured: object = None,
) -> View | Feedback:
    """Store the answer to a step and return what comes then.

    The first answer to a step stands: a repeated request changes nothing and succeeds.

    Args:
        engine: the study's database.
        token: the session's.
        study_name: the study.
        step: as in the view.
        value: a rating from 0 to 10, "left" or "right", a choice, or the comment.
        measured: by the browser: a dictionary with numbers `response_ms`, `viewport_width`,
            `viewport_height` and `pixel_ratio`; what is missing or absurd is stored as unknown.

    Raises:
        StudyError: no answer to this step, a step that is not in front of this rater, or nothing
            could be saved.
    """
    with writing(engine) as session:
        found = _find(session, token, study_name)
        if found is None:
            raise StudyError(_config(find_study(session, study_name)).texts.unknown_session)
        config = _config(found.study)
        feedback = None
        step = str(step)
        trial = next((trial for trial in found.trials if trial.token == step), None)
        if trial is not None and trial.shown_at is not None:
            if trial.rating is None:
                trial.rating = _rating(trial, value, measured, config)
                log_event(session, found.study, "rated", found, position=trial.position)
                if trial.position < 1:
                    feedback = _feedback(trial, config)
            else:
                log_event(session, found.study, "answered again", found, position=trial.position)
        elif step in _steps_answered(found):
            log_event(session, found.study, "answered again", found, step=step)
        elif _asks(upcoming := _current(session, found, config), step):
            said = _said(upcoming, value, config)
            found.answers.append(Answer(step=step, value=said))
            log_event(session, found.study, "answered", found, step=step)
        else:
            raise StudyError(config.texts.unknown_trial)
        view = _current(session, found, config)
        return feedback or view


def picture(engine: Engine, token: str) -> bytes | None:
    """The PNG behind a picture's token; None unless a session was given it.

    Raises:
        StudyError: the database cannot be read.
    """
    if not is_token(token):
        return None
    with reading(engine) as session:
        found = session.execute(GIVEN_PICTURE, {"token": token}).first()
    if found is None:
        return None
    stimulus, side, first = found
    if side is None:
        return _png(engine, stimulus, "gray" if first else "color")
    fake = side == SIDES[0 if first else 1]
    return _png(engine, stimulus, "color" if fake else "control")


@functools.lru_cache(KEPT_PICTURES)
def _png(engine: Engine, stimulus: str, version: str) -> bytes:
    """The picture of a stimulus: "gray", "color" or, of the same picture's control, "control".
    Raters see the same few."""
    column = Stimulus.gray_png if version == "gray" else Stimulus.color_png
    wanted = sa.select(column).where(Stimulus.token == stimulus)
    if version == "control":
        fake = aliased(Stimulus)
        wanted = sa.select(column).where(
            Stimulus.study_id == fake.study_id,
            Stimulus.picture == fake.picture,
            Stimulus.arm == "control",
            fake.token == stimulus,
        )
    with reading(engine) as session:
        return session.scalar(wanted)


# Starting


def _config(study: Study) -> StudyConfig:
    return _judged(json.dumps(study.config))


@functools.lru_cache(maxsize=8)
def _judged(config: str) -> StudyConfig:
    """Judging takes as long as storing a rating."""
    return StudyConfig.frozen(json.loads(config))


def _token_of(session: Session, study: Study, identity: Identity) -> str | None:
    return session.scalar(
        sa.select(RatingSession.token)
        .join(Participant, Participant.rater_id == RatingSession.rater_id)
        .where(
            Participant.study_id == study.id,
            Participant.external_id == identity.external_id,
            RatingSession.study_id == study.id,
        )
    )


def _sessions_by_list(
    session: Session, study: Study, config: StudyConfig, simulated: bool
) -> dict[str, int]:
    """Finished and live sessions of each list; one without a sign of life for long is neither."""
    lists = {stimulus.list_name: 0 for stimulus in study.stimuli if stimulus.list_name}
    since = now() - timedelta(minutes=config.stale_minutes)
    counted = session.execute(
        sa.select(RatingSession.list_name, sa.func.count())
        .join(Rater, Rater.id == RatingSession.rater_id)
        .where(
            RatingSession.study_id == study.id,
            Rater.simulated == simulated,
            sa.or_(RatingSession.finished_at.is_not(None), RatingSession.seen_at > since),
        )
        .group_by(RatingSession.list_name)
    )
    return lists | {name: count for name, count in counted if name in lists}


def _draw_trials(
    study: Study, config: StudyConfig, list_name: str, rng: np.random.Generator
) -> Iterator[Trial]:
    """The trials of a session, in an order of their own, the attention check not at an end."""
    practice = [s for s in study.stimuli if s.purpose == "practice"]
    beside_control = config.task.beside == "control"
    if beside_control:
        practice = [s for s in practice if s.condition == "generated"]
    shown = design.order([s for s in study.stimuli if s.list_name == list_name], rng)
    for stimulus in (s for s in study.stimuli if s.purpose == "attention"):
        if stimulus.condition == "generated":
            shown.insert(int(rng.integers(1, len(shown))), stimulus)
    stimuli = [*design.order(practice, rng), *shown]
    sides = [*_sides(len(practice), rng), *_sides(len(shown), rng)]
    for position, (stimulus, side) in enumerate(
        zip(stimuli, sides, strict=True), 1 - len(practice)
    ):
        tokens = (secrets.token_urlsafe(16) for _ in range(3))
        names = ("token", "first_token", "second_token")
        yield Trial(
            stimulus_token=stimulus.token,
            position=position,
            side=side if beside_control else None,
            **dict(zip(names, tokens, strict=True)),
        )


def _sides(count: int, rng: np.random.Generator) -> list[str]:
    """Of the fakes: left and right equally often, in random order, so that nobody who finds them
    all gives one answer throughout."""
    return rng.permutation(np.resize(rng.permutation(SIDES), count)).tolist()


# On the way


def is_token(value: object) -> bool:
    """Whether `value` may be a token; what else arrives here no database could even compare."""
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def _find(session: Session, token: str, study_name: str) -> RatingSession | None:
    if not is_token(token):
        return None
    return session.scalar(WHOLE_SESSION, {"token": token, "study": study_name})


def _asks(view: View, step: str) -> bool:
    return isinstance(view, Question) and view.step == step


def _steps_answered(found: RatingSession) -> set[str]:
    return {answer.step for answer in found.answers}


def _current(session: Session, found: RatingSession, config: StudyConfig) -> View:
    """The first step without an answer; notes that it is shown."""
    found.seen_at = now()
    answered = _steps_answered(found)
    for question in config.questions:
        if question.step not in answered and not question.after_pairs:
            return question
    waiting = [trial for trial in found.trials if trial.rating is None]
    if waiting:
        return _show(session, found, waiting)
    if found.finished_at is None:
        _finish(session, found, config)
    for question in config.questions:
        if question.step not in answered:
            return question
    total = sum(trial.position > 0 for trial in found.trials)
    return Finished(total, config.completion.code, config.completion.url)


def _show(session: Session, found: RatingSession, waiting: list[Trial]) -> Pair:
    trial = waiting[0]
    for given in waiting[:2]:
        given.given_at = given.given_at or now()
    if trial.shown_at is None:
        trial.shown_at = now()
        log_event(session, found.study, "shown", found, position=trial.position)
    practice = trial.position < 1
    alike = [other for other in found.trials if (other.position < 1) == practice]
    following = waiting[1:2]
    return Pair(
        step=trial.token,
        practice=practice,
        number=alike.index(trial) + 1,
        total=len(alike),
        pictures=(trial.first_token, trial.second_token),
        upcoming=tuple(
            token for other in following for token in (other.first_token, other.second_token)
        ),
    )


def _feedback(trial: Trial, config: StudyConfig) -> Feedback:
    key = config.task.feedback(trial.stimulus.condition, trial.rating.value)
    return Feedback(config.filled(key))


def _finish(session: Session, found: RatingSession, config: StudyConfig) -> None:
    found.finished_at = max(trial.rating.rated_at for trial in found.trials)
    shown = sa.select(Trial.id, Stimulus.purpose).join(Trial.stimulus)
    purposes = dict(session.execute(shown.where(Trial.session_id == found.id)).all())
    main = [trial for trial in found.trials if purposes[trial.id] == "main"]
    attention = [trial for trial in found.trials if purposes[trial.id] == "attention"]
    answers = {answer.step: json.loads(answer.value) for answer in found.answers}
    outcomes = quality.check(
        config,
        values=[trial.rating.value for trial in main],
        choices=[trial.rating.choice for trial in main],
        times=[trial.rating.response_ms for trial in main],
        attention=attention[0].rating.value if attention else None,
        answers=answers,
    )
    for outcome in outcomes:
        row = {"name": outcome.name, "outcome": outcome.outcome, "detail": outcome.detail}
        session.add(QualityCheck(session_id=found.id, **row))
    log_event(session, found.study, "finished", found)


# What arrives


def _rating(trial: Trial, value: object, measured: object, config: StudyConfig) -> Rating:
    choice, step = None, config.scale.step
    if config.task.answered_by == "sides":
        if value not in SIDES:
            raise StudyError(config.texts.no_choice)
        choice, step, number = value, 1, float(value != trial.side)
    else:
        number = _parse(value, config)
    given = measured if isinstance(measured, dict) else {}
    return Rating(
        value=number,
        step=step,
        choice=choice,
        # a server's clock that was put back must not make an answer older than its question
        rated_at=max(now(), trial.shown_at),
        response_ms=_sensible(given.get("response_ms"), 1, 86_400_000),
        viewport_width=_whole(_sensible(given.get("viewport_width"), 1, 100_000)),
        viewport_height=_whole(_sensible(given.get("viewport_height"), 1, 100_000)),
        pixel_ratio=_sensible(given.get("pixel_ratio"), 0.1, 20),
    )


def _parse(value: object, config: StudyConfig) -> float:
    texts, step = config.texts, config.scale.step
    if value is None or value == "":
        raise StudyError(texts.no_rating)
    number = _number(value)
    if not (0 <= number <= SCALE_MAX and (number / step).is_integer()):
        raise StudyError(config.filled("bad_rating", value=repr(str(value)[:40])))
    return number


def _said(question: Question, value: object, config: StudyConfig) -> str:
    """The answer to a question as JSON."""
    if not question.choices:
        said = "" if value is None else str(value).strip()
        said = said.encode(errors="replace").decode()  # half a surrogate pair is no character
        if len(said) > COMMENT_LIMIT:
            raise StudyError(config.filled("comment_too_long", limit=COMMENT_LIMIT))
        return json.dumps(said)
    if value not in tuple(question.choices):  # Anything may arrive, also what has no hash.
        raise StudyError(config.texts.bad_answer)
    return json.dumps(value)


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
