"""Questions to the database that several rooms ask."""

import hashlib
import re

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from study.db.engine import reading
from study.db.tables import (
    Event,
    QualityCheck,
    Rater,
    Rating,
    RatingSession,
    Stimulus,
    Study,
    Trial,
)
from study.errors import StudyError


def find_study(session: Session, name: str | None = None, *, locked: bool = False) -> Study | None:
    """The study called `name`, or the newest; `locked`: others who want it so wait until the
    transaction ends.

    Raises:
        StudyError: there is no study of that name.
    """
    if name is None:
        return session.scalar(sa.select(Study).order_by(Study.id.desc()).limit(1))
    wanted = sa.select(Study).where(Study.name == name)
    study = session.scalar(wanted.with_for_update(key_share=True) if locked else wanted)
    if study is None:
        names = session.scalars(sa.select(Study.name).order_by(Study.id)).all()
        raise StudyError(f"There is no study {name!r}; there are: {', '.join(names) or 'none'}.")
    return study


def storage_key(study_name: str) -> str:
    """Under which a rater's browser keeps the session; the page tells it."""
    return f"rating-session-{study_name}"


def rater_number(written: str) -> int | None:
    """The number of a rater, written #12 as in commands; None: `written` is no such number, but may
    be the ID that a recruiting service uses.

    >>> rater_number("#12"), rater_number("12")
    (12, None)
    """
    found = re.fullmatch(r"#([0-9]{1,9})", written)
    return int(found[1]) if found else None


def check_frozen(study: Study) -> None:
    """Compare the pictures of `study` with the hashes that they were frozen with.

    Raises:
        StudyError: a picture has changed since.
    """
    for stimulus in study.stimuli:
        for png, sha256 in (
            (stimulus.gray_png, stimulus.gray_sha256),
            (stimulus.color_png, stimulus.color_sha256),
        ):
            if hashlib.sha256(png).hexdigest() != sha256:
                raise StudyError(
                    f"The picture {stimulus.picture!r} of study {study.name!r} is not the one that"
                    " was frozen: its SHA-256 differs."
                )


def ratings(engine: sa.Engine, study_name: str | None = None) -> pd.DataFrame:
    """All ratings of a study (None: the newest), one a row, without practice and attention check.

    Returns:
        columns study, rater, simulated, list, position, picture, kind, condition ("control" or
        "generated"), arm ("control" or the model), rating, shown_at, rated_at, response_ms, and
        finished (whether the session is); the study's name, None where there is no study, also
        stands in its `attrs["study"]`.

    Raises:
        StudyError: there is no study of that name, a picture of it was changed, or the database
            cannot be read.
    """
    with reading(engine) as session:
        study = find_study(session, study_name)
        if study:
            check_frozen(study)
        rows = session.execute(
            sa.select(
                sa.literal(study.name if study else "").label("study"),
                RatingSession.rater_id.label("rater"),
                Rater.simulated,
                RatingSession.list_name.label("list"),
                Trial.position,
                Stimulus.picture,
                Stimulus.kind,
                Stimulus.condition,
                Stimulus.arm,
                Rating.value.label("rating"),
                Trial.shown_at,
                Rating.rated_at,
                Rating.response_ms,
                RatingSession.finished_at.is_not(None).label("finished"),
            )
            .join_from(Rating, Trial)
            .join(Stimulus)
            .join(RatingSession, RatingSession.id == Trial.session_id)
            .join(Rater, Rater.id == RatingSession.rater_id)
            .where(RatingSession.study_id == (study.id if study else None))
            .where(Stimulus.purpose == "main")
            .order_by(RatingSession.rater_id, Trial.position)
        )
        table = pd.DataFrame(rows.all(), columns=list(rows.keys()))
        table.attrs["study"] = study.name if study else None
        return table


def checks(engine: sa.Engine, study_name: str | None = None) -> pd.DataFrame:
    """What the quality checks found: columns rater, name, outcome, detail.

    Raises:
        StudyError: as `ratings`.
    """
    with reading(engine) as session:
        study = find_study(session, study_name)
        rows = session.execute(
            sa.select(
                RatingSession.rater_id.label("rater"),
                QualityCheck.name,
                QualityCheck.outcome,
                QualityCheck.detail,
            )
            .join_from(QualityCheck, RatingSession)
            .where(RatingSession.study_id == (study.id if study else None))
            .order_by(RatingSession.rater_id, QualityCheck.name)
        )
        return pd.DataFrame(rows.all(), columns=list(rows.keys()))


def log_event(
    session: Session, study: Study, kind: str, rating_session: RatingSession | None = None, **detail
) -> None:
    """Add to the event log."""
    session_id = rating_session.id if rating_session else None
    session.add(Event(study_id=study.id, session_id=session_id, kind=kind, detail=detail))
