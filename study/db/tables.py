"""The study's tables. `study.db.engine` opens them, `study/db/migrations/` brings older ones up
to date.

Identities are in `Participant` alone; a rater is a number everywhere else.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def now() -> datetime:
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
    pictures_from: Mapped[str]  # in words for raters and readers
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    config: Mapped[dict]  # of study.plan.config.StudyConfig
    manifest: Mapped[dict] = mapped_column(deferred=True)  # hashes and versions
    manifest_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    stimuli: Mapped[list["Stimulus"]] = relationship(
        order_by="Stimulus.picture", cascade="all, delete-orphan"
    )


class Stimulus(Base):
    """One picture in one arm: what a rater may be shown.

    Each picture of the study is here in every arm. A list, by name, has one arm of each; a session
    shows one list. `list_name` is None for what belongs to no list: practice pairs, the attention
    check, and a control that is only shown beside a fake.
    """

    __tablename__ = "stimulus"

    token: Mapped[str] = mapped_column(primary_key=True)  # random: says nothing to who sees it
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"), index=True)
    purpose: Mapped[str]
    list_name: Mapped[str | None]
    picture: Mapped[str]
    kind: Mapped[str]
    condition: Mapped[str]
    arm: Mapped[str]  # "control", or which model
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
    """Who takes part: a person, or a program that stands in for one."""

    __tablename__ = "rater"

    id: Mapped[int] = mapped_column(primary_key=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Participant(Base):
    """How a recruiting service calls a rater. The only table with identities."""

    __tablename__ = "participant"

    rater_id: Mapped[int] = mapped_column(sa.ForeignKey("rater.id"), primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    external_id: Mapped[str]
    study_ref: Mapped[str]  # the service's own names of the study and of the visit
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
    consent_sha256: Mapped[str]  # of the text that was consented to
    consented_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)  # the last sign of life
    finished_at: Mapped[datetime | None]  # the last rating
    study: Mapped[Study] = relationship()
    trials: Mapped[list["Trial"]] = relationship(order_by="Trial.position")
    answers: Mapped[list["Answer"]] = relationship()

    __table_args__ = (sa.UniqueConstraint("study_id", "rater_id"),)


class Answer(Base):
    """What a rater said at a step that shows no pair: colour vision, screen, comment..."""

    __tablename__ = "answer"

    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)
    answered_at: Mapped[datetime] = mapped_column(default=now)


class Trial(Base):
    """One stimulus at one place in a session's order, which is drawn when the session starts."""

    __tablename__ = "trial"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), index=True)
    stimulus_token: Mapped[str] = mapped_column(sa.ForeignKey("stimulus.token"))
    position: Mapped[int]  # from 1; practice comes before, at 0 and below
    token: Mapped[str] = mapped_column(unique=True)
    first_token: Mapped[str] = mapped_column(unique=True)  # of the two pictures, this rater's own
    second_token: Mapped[str] = mapped_column(unique=True)
    side: Mapped[str | None]  # of the fake, where true and fake stand side by side
    given_at: Mapped[datetime | None]  # when the pictures' tokens left the server
    shown_at: Mapped[datetime | None]
    stimulus: Mapped[Stimulus] = relationship()
    rating: Mapped["Rating | None"] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("session_id", "position"),
        sa.UniqueConstraint("session_id", "stimulus_token"),
        sa.CheckConstraint("side IN ('left', 'right')", name="side"),
    )


class Rating(Base):
    """The answer to a trial, exactly as given.

    `value` is on the scale of 0 to 10 in steps of `step`; where a fake is to be found, `choice` is
    the answer and `value` 1 if it was the true picture (fooled), else 0. What the browser measured
    is None where it did not, or nothing sensible.
    """

    __tablename__ = "rating"

    trial_id: Mapped[int] = mapped_column(sa.ForeignKey("trial.id"), primary_key=True)
    value: Mapped[float]
    step: Mapped[float]
    choice: Mapped[str | None]
    rated_at: Mapped[datetime] = mapped_column(default=now)
    response_ms: Mapped[float | None]  # from the pair in sight to the answer
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
    """What a check found of a finished session."""

    __tablename__ = "quality_check"

    session_id: Mapped[int] = mapped_column(sa.ForeignKey("session.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    detail: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("outcome IN ('passed', 'failed', 'could not run')", name="outcome"),
    )


class Event(Base):
    """What happened, in order; rows are only ever added, but those of a rater who is forgotten."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    session_id: Mapped[int | None] = mapped_column(sa.ForeignKey("session.id"), index=True)
    kind: Mapped[str]
    detail: Mapped[dict]
