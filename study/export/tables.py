"""The tables of an export: a column is declared once, with its value and its meaning."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from study.db.tables import (
    Answer,
    Event,
    Participant,
    QualityCheck,
    Rater,
    Rating,
    RatingSession,
    Stimulus,
    Study,
    Trial,
)
from study.plan.protocols import PROTOCOLS
from study.plan.questions import QUESTIONS


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its name in the file.
        value: what is read from the database.
        meaning: what the codebook says about it.
        values: its unit, or the values that it takes.
        read: turns the stored value into that of the file.
    """

    name: str
    value: sa.ColumnElement | InstrumentedAttribute
    meaning: str
    values: str = "text"
    read: Callable[[Any], Any] = _same


@dataclass(frozen=True)
class Table:
    """A table of the export: what a row is, its columns, and the rows in order.

    `select` joins to the columns' values what they need, and the study.
    """

    about: str
    columns: tuple[Column, ...]
    select: Callable[[sa.Select], sa.Select]


def _moment(name: str, value: InstrumentedAttribute, meaning: str) -> Column:
    def read(moment: datetime | None) -> str | None:
        return moment and moment.isoformat()

    return Column(name, value, meaning, "UTC, ISO 8601", read)


def _by_protocol(name: str, value: InstrumentedAttribute, meaning: str = "") -> Column:
    """A column whose meaning each protocol declares; the others leave it empty."""
    declared = {p.name: p.columns[name] for p in PROTOCOLS.values() if name in p.columns}
    meanings = [f"{protocol}: {says}" for protocol, (says, _) in declared.items()]
    if len(declared) < len(PROTOCOLS):
        meanings.append("else empty")
    return Column(
        name,
        value,
        "; ".join([meaning, *meanings] if meaning else meanings),
        "; or ".join(dict.fromkeys(values for _, values in declared.values())),
    )


HASH = "SHA-256, 64 hexadecimal digits"
YES_NO = "true or false"
LISTS = "A, B, ..."

STUDY = Column("study", Study.name, "name of the study")
WHO = (
    STUDY,
    Column(
        "rater",
        Rater.id,
        "number of the rater, which says nothing about the person",
        "whole number",
    ),
    Column(
        "simulated",
        Rater.simulated,
        "whether the rater is a program that stands in for a person",
        YES_NO,
    ),
)
PICTURE = (
    Column(
        "purpose",
        Stimulus.purpose,
        "what the pair is for; only main pairs are analysed",
        "main, practice, attention",
    ),
    Column("picture", Stimulus.picture, "where the picture is from; raters are not told"),
    Column("kind", Stimulus.kind, "kind of fruit, or the picture's folder"),
    Column(
        "condition",
        Stimulus.condition,
        "control: true colours; generated: made by a program",
        "control, generated",
    ),
    Column(
        "arm",
        Stimulus.arm,
        "control, or the model that made the colours",
        "control or the model's name",
    ),
)
OF_SESSION = Trial.session_id == RatingSession.id
PAIRS = sa.select(sa.func.count(Trial.id)).where(OF_SESSION)
RATED = sa.select(sa.func.count(Rating.trial_id)).join_from(Rating, Trial).where(OF_SESSION)
FINISHED = RatingSession.finished_at.is_not(None)
CHOICES = {question.step: tuple(question.choices) or ("text",) for question in QUESTIONS}
UNKNOWN = "empty: not known"

TABLES = {
    "ratings": Table(
        "One row for each answer to a pair, practice and attention check included.",
        (
            *WHO,
            Column("list", RatingSession.list_name, "counterbalancing list of the session", LISTS),
            Column(
                "position",
                Trial.position,
                "place in the session's order; practice comes before, at 0 and below",
                "whole number",
            ),
            *PICTURE,
            _by_protocol("rating", Rating.value, "the answer exactly as given"),
            Column(
                "step",
                Rating.step,
                "step of the scale at the time of the answer",
                "points, 0.5 or 1",
            ),
            _by_protocol("choice", Rating.choice),
            _by_protocol("side", Trial.side),
            _moment("shown_at", Trial.shown_at, "when the server first handed out the pair"),
            _moment("rated_at", Rating.rated_at, "when the server stored the answer"),
            Column(
                "response_ms",
                Rating.response_ms,
                "time from the pair in sight to the answer, as measured by the browser; " + UNKNOWN,
                "milliseconds",
            ),
            Column(
                "viewport_width",
                Rating.viewport_width,
                f"width of the browser's window; {UNKNOWN}",
                "CSS pixels",
            ),
            Column(
                "viewport_height",
                Rating.viewport_height,
                f"height of the browser's window; {UNKNOWN}",
                "CSS pixels",
            ),
            Column(
                "pixel_ratio",
                Rating.pixel_ratio,
                f"screen pixels for each CSS pixel; {UNKNOWN}",
                "ratio, 0.1 to 20",
            ),
            Column("finished", FINISHED, "whether the rater answered every pair", YES_NO),
        ),
        lambda columns: (
            columns.join_from(Rating, Trial)
            .join(Stimulus)
            .join(RatingSession, OF_SESSION)
            .join(Rater)
            .join(Study, RatingSession.study_id == Study.id)
            .order_by(RatingSession.rater_id, Trial.position)
        ),
    ),
    "sessions": Table(
        "One row for each session, finished or not.",
        (
            *WHO,
            Column("list", RatingSession.list_name, "counterbalancing list", LISTS),
            Column(
                "pairs",
                PAIRS.correlate(RatingSession).scalar_subquery(),
                "pairs of the session, practice and attention check included",
                "count",
            ),
            Column(
                "rated",
                RATED.correlate(RatingSession).scalar_subquery(),
                "pairs answered",
                "count",
            ),
            Column("finished", FINISHED, "whether all pairs are answered", YES_NO),
            Column(
                "consent_sha256",
                RatingSession.consent_sha256,
                "hash of the text that the rater agreed to",
                HASH,
            ),
            _moment("consented_at", RatingSession.consented_at, "when the session began"),
            _moment("seen_at", RatingSession.seen_at, "last sign of life"),
            _moment(
                "finished_at",
                RatingSession.finished_at,
                "time of the last rating; empty: not finished",
            ),
        ),
        lambda columns: (
            columns.join_from(RatingSession, Rater).join(Study).order_by(RatingSession.rater_id)
        ),
    ),
    "answers": Table(
        "One row for each answer to a question.",
        (
            *WHO,
            Column("question", Answer.step, "what was asked", ", ".join(CHOICES)),
            Column(
                "answer",
                Answer.value,
                "what was chosen or written",
                "; ".join(f"{step}: {', '.join(choices)}" for step, choices in CHOICES.items()),
                json.loads,
            ),
            _moment("answered_at", Answer.answered_at, "when the server stored the answer"),
        ),
        lambda columns: (
            columns.join_from(Answer, RatingSession)
            .join(Rater)
            .join(Study)
            .order_by(RatingSession.rater_id, Answer.answered_at)
        ),
    ),
    "checks": Table(
        "One row for each quality check of a finished session.",
        (
            *WHO,
            Column("name", QualityCheck.name, "name of the quality check"),
            Column(
                "outcome",
                QualityCheck.outcome,
                "what it found; nobody is dropped for it",
                "passed, failed, could not run",
            ),
            Column("detail", QualityCheck.detail, "why"),
        ),
        lambda columns: (
            columns.join_from(QualityCheck, RatingSession)
            .join(Rater)
            .join(Study)
            .order_by(RatingSession.rater_id, QualityCheck.name)
        ),
    ),
    "events": Table(
        "What happened, in order. Rows of raters who were forgotten are gone.",
        (
            STUDY,
            Column("event", Event.id, "number, in the order of events", "whole number"),
            _moment("at", Event.at, "when it happened"),
            Column("rater", Rater.id, "whose session it was; empty: nobody's", "whole number"),
            Column(
                "simulated",
                Rater.simulated,
                "whether that rater is a program; empty: nobody's",
                YES_NO,
            ),
            Column(
                "kind",
                Event.kind,
                "what happened",
                "consented, resumed, shown, rated, answered, answered again, finished, forgotten",
            ),
            Column(
                "detail",
                Event.detail,
                "more about it",
                "JSON",
                lambda detail: json.dumps(detail, sort_keys=True),
            ),
        ),
        lambda columns: (
            columns.join_from(Event, Study)
            .join(RatingSession, Event.session_id == RatingSession.id, isouter=True)
            .join(Rater, isouter=True)
            .order_by(Event.id)
        ),
    ),
    "stimuli": Table(
        "One row for each picture in each arm that a rater may be shown.",
        (
            STUDY,
            *PICTURE,
            Column(
                "list",
                Stimulus.list_name,
                "list that shows the picture in this arm; empty: in no list, which holds for"
                " practice, the attention check and a control that is only shown beside a fake",
                LISTS,
            ),
            Column("gray_sha256", Stimulus.gray_sha256, "hash of the grayscale PNG", HASH),
            Column("color_sha256", Stimulus.color_sha256, "hash of the colour PNG", HASH),
        ),
        lambda columns: columns.join_from(Stimulus, Study).order_by(
            Stimulus.purpose, Stimulus.picture, Stimulus.arm
        ),
    ),
    "participants": Table(
        "Who the raters are for the recruiting service. Keep it apart from the rest.",
        (
            *WHO,
            Column(
                "external_id",
                Participant.external_id,
                "the recruiting service's ID of the person: do not publish",
            ),
            Column("study_ref", Participant.study_ref, "its ID of the study"),
            Column("session_ref", Participant.session_ref, "its ID of the visit"),
        ),
        lambda columns: (
            columns.join_from(Participant, Rater)
            .join(RatingSession)
            .join(Study, RatingSession.study_id == Study.id)
            .order_by(RatingSession.rater_id)
        ),
    ),
}


def rows_of(table: Table, study: Study) -> sa.Select:
    """The query for the rows of a table of one study."""
    columns = sa.select(*(column.value.label(column.name) for column in table.columns))
    return table.select(columns).where(Study.id == study.id)
