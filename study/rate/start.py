"""How a rater's session starts: the rater's identity, list and trials, in a random order."""

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from study.db.engine import reading, writing
from study.db.queries import find_study, log_event
from study.db.tables import Participant, Rater, RatingSession, Study, Trial, now
from study.errors import StudyError
from study.plan import design
from study.plan.config import StudyConfig
from study.plan.protocols import SIDES
from study.rate.identity import Identity
from study.rate.steps import View, config_of, find, hand_out


class LinkUsedError(StudyError):
    """The session of an identity is finished, in another browser; the message is for the rater."""


class Begun(NamedTuple):
    """A session's token, and the step at which it stands."""

    token: str
    view: View


def begin(
    engine: Engine,
    study_name: str,
    *,
    consent: bool,
    identity: Identity | None = None,
    handed: object = "",
    simulated: bool = False,
    created_at: str | None = None,
    rng: np.random.Generator | None = None,
) -> Begun:
    """Start a session; an identity that has one goes on with it, as `take_over` says.

    The session gets the list with the fewest finished and live sessions; those of simulated raters
    and of people are counted apart. Session and first step are stored together or not at all.

    Args:
        engine: the study's database.
        study_name: the study.
        consent: must be True.
        identity: the rater whom a recruiting service sent.
        handed: the token of the session that the rater's browser was handed last.
        simulated: the rater is a program.
        created_at: when the study was made whose texts the rater agreed to, in ISO format; None:
            the study as it is now.
        rng: draws the order, and the list where several have as few sessions.

    Raises:
        LinkUsedError: as `take_over`.
        StudyError: no consent, no such study, it was prepared anew meanwhile, all places are taken,
            or nothing could be saved.
    """
    if consent is not True:
        with reading(engine) as database:
            study = find_study(database, study_name)
            raise StudyError(config_of(study).texts.consent_missing)
    with writing(engine) as database:
        # Raters who begin at the same time wait for each other, so that the lists stay even.
        study = find_study(database, study_name, locked=True)
        config = config_of(study)
        if identity and (token := _token_of(database, study, identity)):
            session = find(database, token, study_name)
            _hand_over(session, handed, config)
        else:
            if created_at is not None and not _is_moment(created_at, study.created_at):
                raise StudyError(config.texts.changed)
            rng = rng or np.random.default_rng()
            session = _new_session(database, study, config, simulated=simulated, rng=rng)
            if identity:
                database.add(
                    Participant(
                        rater_id=session.rater_id,
                        study_id=study.id,
                        external_id=identity.external_id,
                        study_ref=identity.study_ref,
                        session_ref=identity.session_ref,
                    )
                )
        return Begun(session.token, hand_out(database, session, config))


def known(engine: Engine, study_name: str, identity: Identity) -> str | None:
    """The token of the session that somebody has in this study.

    Raises:
        StudyError: no such study, or the database cannot be read.
    """
    with reading(engine) as database:
        return _token_of(database, find_study(database, study_name), identity)


def take_over(engine: Engine, study_name: str, identity: Identity, handed: object) -> str | None:
    """The token of the session that somebody has in this study, for the browser in which they are.

    A session belongs to one browser at a time: one that was not handed its token gets another one,
    and with the old one nobody goes on. So an ID that several people share gives none of them the
    end of a session that another one finished.

    Raises:
        LinkUsedError: the session is finished, in another browser.
        StudyError: no such study, or the database cannot be used.
    """
    token = known(engine, study_name, identity)
    if token in (None, handed):
        return token
    with writing(engine) as database:
        study = find_study(database, study_name)
        session = find(database, _token_of(database, study, identity), study_name)
        return session and _hand_over(session, handed, config_of(study))


def _hand_over(session: RatingSession, handed: object, config: StudyConfig) -> str:
    if session.token != handed:
        if session.finished_at is not None:
            raise LinkUsedError(config.texts.link_used)
        session.token = secrets.token_urlsafe(24)
    return session.token


def _is_moment(told: str, moment: datetime) -> bool:
    """Whether `told`, in ISO format, is this moment, in whatever time zone."""
    try:
        return datetime.fromisoformat(told) == moment
    except (TypeError, ValueError):
        return False


def _token_of(database: Session, study: Study, identity: Identity) -> str | None:
    return database.scalar(
        sa.select(RatingSession.token)
        .join(Participant, Participant.rater_id == RatingSession.rater_id)
        .where(
            Participant.study_id == study.id,
            Participant.external_id == identity.external_id,
            RatingSession.study_id == study.id,
        )
    )


def _new_session(
    database: Session,
    study: Study,
    config: StudyConfig,
    *,
    simulated: bool,
    rng: np.random.Generator,
) -> RatingSession:
    counts = _sessions_by_list(database, study, config, simulated)
    if config.quota is not None and sum(counts.values()) >= config.quota:
        raise StudyError(config.texts.full)
    rater = Rater(simulated=simulated)
    database.add(rater)
    database.flush()
    session = RatingSession(
        study=study,
        rater_id=rater.id,
        token=secrets.token_urlsafe(24),
        list_name=design.least_filled(counts, rng),
        consent_sha256=hashlib.sha256(config.consent_text().encode()).hexdigest(),
        answers=[],
    )
    session.trials.extend(_draw_trials(study, config, session.list_name, rng))
    database.add(session)
    database.flush()
    log_event(database, study, "consented", session, list=session.list_name)
    return session


def _sessions_by_list(
    database: Session, study: Study, config: StudyConfig, simulated: bool
) -> dict[str, int]:
    """Finished and live sessions of each list; an abandoned session is neither."""
    lists = {stimulus.list_name: 0 for stimulus in study.stimuli if stimulus.list_name}
    since = now() - timedelta(minutes=config.stale_minutes)
    counted = database.execute(
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
    """The trials of a session in an order of their own, the attention check not at an end."""
    beside_control = config.task.beside == "control"
    practice = [s for s in study.stimuli if s.purpose == "practice"]
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
        yield Trial(
            stimulus_token=stimulus.token,
            position=position,
            token=secrets.token_urlsafe(16),
            first_token=secrets.token_urlsafe(16),
            second_token=secrets.token_urlsafe(16),
            side=side if beside_control else None,
        )


def _sides(count: int, rng: np.random.Generator) -> list[str]:
    """Sides of the generated pictures: left and right equally often in random order, so that no
    rater who finds them all gives one answer throughout."""
    return rng.permutation(np.resize(rng.permutation(SIDES), count)).tolist()
