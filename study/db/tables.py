"""The study's tables, which `study.db.engine` opens and `study.db.upgrade` keeps up to date.

Identities are in `Participant` alone; a rater is a number everywhere else.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(sa.TypeDecorator):
    """A moment in UTC, with its time zone.

    SQLite stores no time zone, and PostgreSQL returns moments in the zone of the connection.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    type_annotation_map = {
        datetime: UtcDateTime,
        str: sa.String(255),
        bytes: sa.LargeBinary(2**24 - 1),
        dict: sa.JSON,
    }
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Study(Base):
    """A frozen study: nothing here changes once a rating is stored."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    pictures_from: Mapped[str]  # the source of its pictures, in words for people
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    config: Mapped[dict]  # a study.plan.config.StudyConfig as JSON
    manifest: Mapped[dict] = mapped_column(deferred=True)  # hashes and versions
    manifest_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    stimuli: Mapped[list["Stimulus"]] = relationship(
        order_by="Stimulus.picture", cascade="all, delete-orphan"
    )


class Stimulus(Base):
    """One picture in one arm, as a rater may be shown it.

    Each picture of the study is here in every arm. A list has one arm of each picture; a session
    shows one list. `list_name` is None for stimuli of no list: practice pairs, the attention check,
    and controls that are only shown beside a fake.
    """

    __tablename__ = "stimulus"

    token: Mapped[str] = mapped_column(primary_key=True)  # random, so that it tells nothing
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"), index=True)
    purpose: Mapped[str]
    list_name: Mapped[str | None]
    picture: Mapped[str]
    kind: Mapped[str]
    condition: Mapped[str]
    arm: Mapped[str]  # "control", or the model's label
    gray_png: Mapped[bytes] = mapped_column(deferred=True)
    color_png: Mapped[bytes] = mapped_column(deferred=True)
    gray_sha256: Mapped[str]
    color_sha256: Mapped[str]

    __table_args__ = (
        sa.UniqueConstraint("study_id", "picture", "arm"),
        sa.CheckConstraint("condition IN ('control', 'generated')", name="condition"),
        sa.CheckConstraint("purpose IN ('main', 'practice', 'attention')", name="purpose"),
    )


class Rater(Base):
    """A participant: a person, or a program that stands in for one."""

    __tablename__ = "rater"

    id: Mapped[int] = mapped_column(primary_key=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Participant(Base):
    """A recruiting service's names for a rater and a visit. The only table with identities."""

    __tablename__ = "participant"

    rater_id: Mapped[int] = mapped_column(sa.ForeignKey("rater.id"), primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    external_id: Mapped[str]
    study_ref: Mapped[str]  # the service's own names for the study and for the visit
    session_ref: Mapped[str]

    __table_args__ = (sa.UniqueConstraint("study_id", "external_id"),)


class RatingSession(Base):
    """A rater's way through one study. The token is what the rater's browser keeps."""

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    rater_id: Mapped[int] = mapped_column(sa.ForeignKey("rater.id"))
    token: Mapped[str] = mapped_column(unique=True)
    list_name: Mapped[str]
    consent_sha256: Mapped[str]  # hash of the text that the rater agreed to
    consented_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)  # the last sign of life
    finished_at: Mapped[datetime | None]  # the time of the last rating
    study: Mapped[Study] = relationship()
    trials: Mapped[list["Trial"]] = relationship(order_by="Trial.position")
    answers: Mapped[list["Answer"]] = relationship()

    __table_args__ = (sa.UniqueConstraint("study_id", "rater_id"),)


class Answer(Base):
    """The answer to a question: colour vision, screen, comment..."""

    __tablename__ = "answer"

    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)
    answered_at: Mapped[datetime] = mapped_column(default=now)


class Trial(Base):
    """One stimulus at its place in a session's order, which is drawn when the session starts."""

    __tablename__ = "trial"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), index=True)
    stimulus_token: Mapped[str] = mapped_column(sa.ForeignKey("stimulus.token"))
    position: Mapped[int]  # counted from 1; practice pairs have 0 and below
    token: Mapped[str] = mapped_column(unique=True)
    # tokens by which this rater's browser fetches the two pictures
    first_token: Mapped[str] = mapped_column(unique=True)
    second_token: Mapped[str] = mapped_column(unique=True)
    side: Mapped[str | None]  # the fake's, in a pair of true and fake
    given_at: Mapped[datetime | None]  # time at which the pictures' tokens left the server
    shown_at: Mapped[datetime | None]  # time at which the pair was handed out to be seen
    stimulus: Mapped[Stimulus] = relationship()
    rating: Mapped["Rating | None"] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("session_id", "position"),
        sa.UniqueConstraint("session_id", "stimulus_token"),
        sa.CheckConstraint("side IN ('left', 'right')", name="side"),
    )


class Rating(Base):
    """The answer to a trial, exactly as given.

    `value` is on the scale of 0 to 10 in steps of `step`. In a pair of true and fake the answer is
    `choice`, and `value` is 1 if that is the true picture (fooled), else 0. Measurements of the
    browser are None where it took none, or none that makes sense.
    """

    __tablename__ = "rating"

    trial_id: Mapped[int] = mapped_column(sa.ForeignKey("trial.id"), primary_key=True)
    value: Mapped[float]
    step: Mapped[float]
    choice: Mapped[str | None]
    rated_at: Mapped[datetime] = mapped_column(default=now)
    response_ms: Mapped[float | None]  # time from the pair in sight to the answer
    viewport_width: Mapped[int | None]  # CSS pixels
    viewport_height: Mapped[int | None]
    pixel_ratio: Mapped[float | None]  # screen pixels for each of them

    __table_args__ = (
        sa.CheckConstraint("value BETWEEN 0 AND 10", name="scale"),
        sa.CheckConstraint("value / step = ROUND(value / step)", name="on_step"),
        sa.CheckConstraint("step IN (0.5, 1)", name="step"),
        sa.CheckConstraint("choice IN ('left', 'right')", name="choice"),
    )


class QualityCheck(Base):
    """The outcome of a quality check on a finished session."""

    __tablename__ = "quality_check"

    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    detail: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("outcome IN ('passed', 'failed', 'could not run')", name="outcome"),
    )


class Event(Base):
    """What happened, in order. Rows are only ever added; those of a forgotten rater are deleted."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    session_id: Mapped[int | None] = mapped_column(sa.ForeignKey("session.id"), index=True)
    kind: Mapped[str]
    detail: Mapped[dict]
