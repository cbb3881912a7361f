"""Where a study lives: SQLAlchemy tables and the few ways in and out of the database.

The URL comes from `--db`, else from the environment variable STUDY_DB, else it is the SQLite file
`study.sqlite` in the project's folder. Pictures are stored in the database too: it is the whole
study, and a server process needs nothing else.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

DEFAULT_URL = f"sqlite:///{Path(__file__).resolve().parent.parent / 'study.sqlite'}"
LOCK_SECONDS = 10  # how long a write waits for another one on SQLite

log = logging.getLogger(__name__)


class StudyError(Exception):
    """Something a person can act on; the message is one sentence for them."""


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {
        datetime: sa.DateTime(timezone=True),
        str: sa.String(255),
        bytes: sa.LargeBinary(2**24 - 1),
    }


class Study(Base):
    """A frozen study: nothing here changes once it is prepared."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    pictures_from: Mapped[str]  # in words for raters and readers
    step: Mapped[float]  # of the 0..10 scale: 1 or 0.5
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    weights: Mapped[str]
    weights_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    stimuli: Mapped[list["Stimulus"]] = relationship(order_by="Stimulus.picture")

    __table_args__ = (sa.CheckConstraint("step IN (0.5, 1)"),)


class Stimulus(Base):
    """One picture in one condition: what a rater may be shown. Each picture is in the table in
    both conditions, on complementary lists; a session shows one list."""

    __tablename__ = "stimulus"

    token: Mapped[str] = mapped_column(primary_key=True)  # random: says nothing to who sees it
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    list_name: Mapped[str]
    picture: Mapped[str]
    kind: Mapped[str]
    condition: Mapped[str]
    gray_png: Mapped[bytes] = mapped_column(deferred=True)
    color_png: Mapped[bytes] = mapped_column(deferred=True)
    gray_sha256: Mapped[str]
    color_sha256: Mapped[str]

    __table_args__ = (
        sa.UniqueConstraint("study_id", "picture", "condition"),
        sa.CheckConstraint("condition IN ('control', 'generated')"),
    )


class Rater(Base):
    """A person who takes part."""

    __tablename__ = "rater"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=_now)


class RatingSession(Base):
    """A rater's way through one study. The token is what the rater's browser keeps."""

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    rater_id: Mapped[int] = mapped_column(sa.ForeignKey("rater.id"))
    token: Mapped[str] = mapped_column(unique=True)
    list_name: Mapped[str]
    consented_at: Mapped[datetime] = mapped_column(default=_now)
    finished_at: Mapped[datetime | None]
    study: Mapped[Study] = relationship()
    trials: Mapped[list["Trial"]] = relationship(order_by="Trial.position")

    __table_args__ = (sa.UniqueConstraint("study_id", "rater_id"),)


class Trial(Base):
    """One stimulus at one place in a session's order, which is drawn when the session starts."""

    __tablename__ = "trial"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), index=True)
    stimulus_token: Mapped[str] = mapped_column(sa.ForeignKey("stimulus.token"))
    position: Mapped[int]  # from 1
    token: Mapped[str] = mapped_column(unique=True)
    shown_at: Mapped[datetime | None]
    rating: Mapped["Rating | None"] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("session_id", "position"),
        sa.UniqueConstraint("session_id", "stimulus_token"),
    )


class Rating(Base):
    """The answer to a trial, exactly as given, with the scale's step at that time."""

    __tablename__ = "rating"

    trial_id: Mapped[int] = mapped_column(sa.ForeignKey("trial.id"), primary_key=True)
    value: Mapped[float]
    step: Mapped[float]
    rated_at: Mapped[datetime] = mapped_column(default=_now)

    __table_args__ = (
        sa.CheckConstraint("value BETWEEN 0 AND 10"),
        sa.CheckConstraint("value / step = ROUND(value / step)"),
        sa.CheckConstraint("step IN (0.5, 1)"),
    )


def connect(url: str | None = None) -> sa.Engine:
    """An engine on the study's database, its tables made where they are missing.

    Raises:
        StudyError: not a database URL, no driver for it, or the database cannot be opened.
    """
    try:
        parsed = sa.make_url(_chosen(url))
        is_sqlite = parsed.get_backend_name() == "sqlite"
        engine = sa.create_engine(
            parsed,
            connect_args={"timeout": LOCK_SECONDS} if is_sqlite else {},
            pool_pre_ping=True,  # a database that was restarted is not noticed by raters
        )
    except ImportError as error:
        raise StudyError(
            f"The database driver {error.name} is not installed; see the README, rating study."
        ) from None
    except (ArgumentError, NoSuchModuleError):  # the URL is not repeated: it may hold a password
        raise StudyError(
            "--db or STUDY_DB is no database URL that can be used; expected one such as"
            " sqlite:///study.sqlite or postgresql+psycopg://user@host/database."
        ) from None
    if is_sqlite:
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    shown = parsed.render_as_string(hide_password=True)
    try:
        if not sa.inspect(engine).has_table("rating"):
            Base.metadata.create_all(engine)
    except SQLAlchemyError as error:
        raise StudyError(f"The database {shown} cannot be opened: {_detail(error)}.") from None
    return engine


def is_missing(url: str | None) -> bool:
    """Whether `url`, as in `connect`, is an SQLite file that does not exist."""
    try:
        parsed = sa.make_url(_chosen(url))
    except ArgumentError:
        return False
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database and not parsed.query
    return bool(is_file) and not Path(parsed.database).exists()


def _chosen(url: str | None) -> str:
    return url or os.environ.get("STUDY_DB") or DEFAULT_URL


def _set_up_sqlite(connection, _) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # a committed rating survives a power cut
    with suppress(sqlite3.OperationalError):  # a read-only database stays in its mode
        connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Session]:
    """A database session for reading.

    Raises:
        StudyError: the database cannot be read.
    """
    try:
        with Session(engine) as session:
            yield session
    except DBAPIError as error:
        raise StudyError(f"The study's database cannot be read: {_reason(error)}.") from None


@contextmanager
def writing(engine: sa.Engine) -> Iterator[Session]:
    """A database session whose work is committed at the end, all of it or nothing.

    Raises:
        StudyError: nothing was saved; the sentence says why.
    """
    try:
        with Session(engine.execution_options(writing=True), expire_on_commit=False) as session:
            with session.begin():
                yield session
    except DBAPIError as error:
        raise StudyError(f"Not saved: {_reason(error)}. Please try again.") from None


def _detail(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")


def _reason(error: DBAPIError) -> str:
    """For a rater: in plain words, and without what a driver tells of servers and tables."""
    detail = _detail(error)
    log.warning("database: %s", detail)
    if "locked" in detail:
        return "another program keeps the database locked"
    if "readonly" in detail or "read-only" in detail:
        return "the database is read-only"
    if isinstance(error, IntegrityError):
        return "it contradicts what is stored already"
    return "the database does not answer"


def find_study(session: Session, name: str | None = None) -> Study | None:
    """The study called `name`, or the newest.

    Raises:
        StudyError: there is no study of that name.
    """
    if name is None:
        return session.scalar(sa.select(Study).order_by(Study.id.desc()).limit(1))
    study = session.scalar(sa.select(Study).where(Study.name == name))
    if study is None:
        names = session.scalars(sa.select(Study.name).order_by(Study.id)).all()
        raise StudyError(f"There is no study {name!r}; there are: {', '.join(names) or 'none'}.")
    return study


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
    """All ratings of a study (None: the newest), one a row.

    Returns:
        columns study, rater, picture, condition, rating, finished (whether the session is); the
        study's name, None where there is no study, also stands in its `attrs["study"]`.

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
                Stimulus.picture,
                Stimulus.condition,
                Rating.value.label("rating"),
                RatingSession.finished_at.is_not(None).label("finished"),
            )
            .join_from(Rating, Trial)
            .join(Stimulus)
            .join(RatingSession, RatingSession.id == Trial.session_id)
            .where(RatingSession.study_id == (study.id if study else None))
            .order_by(Rating.rated_at)
        )
        table = pd.DataFrame(rows.all(), columns=list(rows.keys()))
        table.attrs["study"] = study.name if study else None
        return table
