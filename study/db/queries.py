"""Questions to the database that several rooms ask."""

import hashlib
import re
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:  # pandas takes half a second, which commands that need no table are spared
    import pandas as pd

# Stimuli, each with its pictures, that are in memory at once.
STIMULI_AT_ONCE = 8


def find_study(session: Session, name: str | None = None, *, locked: bool = False) -> Study:
    """The study called `name`, or the newest.

    Args:
        session: a session with the database.
        name: the study's name; None: the newest.
        locked: let other transactions that ask for the study with `locked` wait for the end of
            this one.

    Raises:
        StudyError: there is no study of that name, or none at all.
    """
    if name is None:
        newest = session.scalar(sa.select(Study).order_by(Study.id.desc()).limit(1))
        if newest is None:
            raise StudyError(
                "There is no study in the database yet; python -m study.prepare makes one."
            )
        return newest
    wanted = sa.select(Study).where(Study.name == name)
    study = session.scalar(wanted.with_for_update(key_share=True) if locked else wanted)
    if study is None:
        names = session.scalars(sa.select(Study.name).order_by(Study.id)).all()
        raise StudyError(f"There is no study {name!r}; there are: {', '.join(names) or 'none'}.")
    return study


def storage_key(study_name: str) -> str:
    """The key under which a rater's browser keeps the session's token; the page tells it."""
    return f"rating-session-{study_name}"


def rater_number(written: str) -> int | None:
    """The number of a rater, written #12 as in commands; None: `written` is something else, such as
    the ID that a recruiting service uses.

    >>> rater_number("#12"), rater_number("12")
    (12, None)
    """
    found = re.fullmatch(r"#([0-9]{1,9})", written)
    return int(found[1]) if found else None


def check_frozen(session: Session, study: Study) -> None:
    """Compare the pictures of `study` with the hashes that they were frozen with, in one query.

    Raises:
        StudyError: a picture has changed since.
    """
    pictures = session.execute(
        sa.select(
            Stimulus.picture,
            Stimulus.gray_png,
            Stimulus.gray_sha256,
            Stimulus.color_png,
            Stimulus.color_sha256,
        ).where(Stimulus.study_id == study.id),
        execution_options={"yield_per": STIMULI_AT_ONCE},
    )
    for picture, gray_png, gray_sha256, color_png, color_sha256 in pictures:
        for png, sha256 in ((gray_png, gray_sha256), (color_png, color_sha256)):
            if hashlib.sha256(png).hexdigest() != sha256:
                raise StudyError(
                    f"The picture {picture!r} of study {study.name!r} is not the one that was"
                    " frozen: its SHA-256 differs."
                )


def ratings(engine: sa.Engine, study_name: str | None = None) -> "pd.DataFrame":
    """All ratings of a study (None: the newest), one a row, without practice and attention check.

    Returns:
        columns study, rater, simulated, list, position, picture, kind, condition ("control" or
        "generated"), arm ("control" or the model), rating, shown_at, rated_at, response_ms, and
        finished (whether the session is finished).

    Raises:
        StudyError: there is no such study, a picture of it was changed, or the database cannot be
            read.
    """
    with reading(engine) as session:
        study = find_study(session, study_name)
        check_frozen(session, study)
        rows = session.execute(
            sa.select(
                sa.literal(study.name).label("study"),
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
            .where(RatingSession.study_id == study.id)
            .where(Stimulus.purpose == "main")
            .order_by(RatingSession.rater_id, Trial.position)
        )
        return _table(rows)


def checks(engine: sa.Engine, study_name: str | None = None) -> "pd.DataFrame":
    """The outcomes of the quality checks, with columns rater, name, outcome, detail.

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
            .where(RatingSession.study_id == study.id)
            .order_by(RatingSession.rater_id, QualityCheck.name)
        )
        return _table(rows)


def _table(rows: sa.Result) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows.all(), columns=list(rows.keys()))


def log_event(
    session: Session, study: Study, kind: str, rating_session: RatingSession | None = None, **detail
) -> None:
    """Add an event with these details to the log."""
    session_id = rating_session.id if rating_session else None
    session.add(Event(study_id=study.id, session_id=session_id, kind=kind, detail=detail))
