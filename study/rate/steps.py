"""The steps of a rater's session, and what is handed out at each. Knows no web page.

Questions, practice pairs with feedback, pairs, a comment, the end. Everything hangs on random
tokens: the session's, which the rater's browser keeps; a trial's, which the page holds while the
pair is shown; a picture's, with which the browser fetches it. All state is in the database, so that
any server process can serve any rater.
"""

import functools
import json
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session, contains_eager, immediateload

from study.db.engine import writing
from study.db.queries import log_event
from study.db.tables import QualityCheck, RatingSession, Stimulus, Study, Trial, now
from study.plan import quality
from study.plan.config import StudyConfig
from study.plan.questions import Question

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Built once: building it takes as long as running it.
WHOLE_SESSION = (
    sa.select(RatingSession)
    .join(RatingSession.study)
    .where(RatingSession.token == sa.bindparam("token"), Study.name == sa.bindparam("study"))
    .options(
        contains_eager(RatingSession.study),
        immediateload(RatingSession.trials).joinedload(Trial.rating),
        immediateload(RatingSession.answers),
    )
    .with_for_update(of=RatingSession)  # Two requests of one rater wait for each other.
)


@dataclass(frozen=True)
class Pair:
    """What a rater sees of one trial. Nothing here reveals the condition.

    Attributes:
        step: the trial's token, to be sent back with the answer.
        practice: the trial will not be analysed.
        number, total: its place among the pairs, or among the practice pairs.
        pictures: tokens of the two pictures: grayscale and colour, or left and right.
        upcoming: tokens of the next pair's pictures, to be fetched ahead.
    """

    step: str
    practice: bool
    number: int
    total: int
    pictures: tuple[str, str]
    upcoming: tuple[str, ...]


@dataclass(frozen=True)
class Feedback:
    """What a rater is told after a practice pair; `go_on` brings the next step."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The end of a session; `code` and `url` are the study's, for the recruiting service."""

    total: int
    code: str
    url: str


View = Question | Pair | Finished


def resume(engine: Engine, token: str, study_name: str) -> View | None:
    """The step at which a returning rater stands; None: the study has no session of this token.

    Raises:
        StudyError: the database cannot be used.
    """
    return _step(engine, token, study_name, event="resumed")


def go_on(engine: Engine, token: str, study_name: str) -> View | None:
    """The step that follows the feedback; None: the study has no session of this token.

    Raises:
        StudyError: the database cannot be used.
    """
    return _step(engine, token, study_name)


def _step(engine: Engine, token: str, study_name: str, *, event: str = "") -> View | None:
    if not is_token(token):  # Nobody needs to wait for it.
        return None
    with writing(engine) as database:
        session = find(database, token, study_name)
        if session is None:
            return None
        if event:
            log_event(database, session.study, event, session)
        return hand_out(database, session, config_of(session.study))


def is_token(value: object) -> bool:
    """Whether `value` can be a token; other values could not even be compared by a database."""
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def find(database: Session, token: str, study_name: str) -> RatingSession | None:
    """The session of this token with its trials, ratings and answers, locked for this transaction;
    None: the study has none."""
    if not is_token(token):
        return None
    return database.scalar(WHOLE_SESSION, {"token": token, "study": study_name})


def config_of(study: Study) -> StudyConfig:
    """What `study` has frozen."""
    return _validated(json.dumps(study.config))


@functools.lru_cache(maxsize=8)
def _validated(config: str) -> StudyConfig:
    """Validation takes as long as storing a rating."""
    return StudyConfig.frozen(json.loads(config))


def due(session: RatingSession, config: StudyConfig) -> Question | Trial | None:
    """The first step without an answer; None: there is none left."""
    answered = {answer.step for answer in session.answers}
    questions = [question for question in config.questions if question.step not in answered]
    if questions and not questions[0].after_pairs:
        return questions[0]
    unrated = (trial for trial in session.trials if trial.rating is None)
    return next(unrated, next(iter(questions), None))


def hand_out(database: Session, session: RatingSession, config: StudyConfig) -> View:
    """What is due, noted as shown. A session whose last pair is rated is finished here."""
    session.seen_at = now()
    match due(session, config):
        case Trial() as trial:
            return _pair(database, session, trial)
        case Question(after_pairs=False) as question:
            return question
        case question:
            if session.finished_at is None:
                _finish(database, session, config)
            if question is not None:
                return question
    total = sum(trial.position > 0 for trial in session.trials)
    return Finished(total, config.completion.code, config.completion.url)


def _pair(database: Session, session: RatingSession, trial: Trial) -> Pair:
    following = [other for other in session.trials if other.position == trial.position + 1]
    for given in (trial, *following):
        given.given_at = given.given_at or now()
    if trial.shown_at is None:
        trial.shown_at = now()
        log_event(database, session.study, "shown", session, position=trial.position)
    practice = trial.position < 1
    alike = [other for other in session.trials if (other.position < 1) == practice]
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


def _finish(database: Session, session: RatingSession, config: StudyConfig) -> None:
    session.finished_at = max(trial.rating.rated_at for trial in session.trials)
    shown = sa.select(Trial.id, Stimulus.purpose).join(Trial.stimulus)
    purposes = dict(database.execute(shown.where(Trial.session_id == session.id)).all())
    main = [trial for trial in session.trials if purposes[trial.id] == "main"]
    attention = [trial for trial in session.trials if purposes[trial.id] == "attention"]
    outcomes = quality.check(
        config,
        values=[trial.rating.value for trial in main],
        choices=[trial.rating.choice for trial in main],
        times=[trial.rating.response_ms for trial in main],
        attention=attention[0].rating.value if attention else None,
        answers={answer.step: json.loads(answer.value) for answer in session.answers},
    )
    for outcome in outcomes:
        row = {"name": outcome.name, "outcome": outcome.outcome, "detail": outcome.detail}
        database.add(QualityCheck(session_id=session.id, **row))
    log_event(database, session.study, "finished", session)
