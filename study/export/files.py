"""The files of an export."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from study.db.engine import reading
from study.db.queries import check_frozen, find_study
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
from study.errors import StudyError
from study.export import codebook

FORMULA = (*"=+-@\t\r\n", *"＝＋－＠")  # with which a spreadsheet begins to calculate
WHOLE = ("rater", "event", "position", "pairs", "rated", "viewport_width", "viewport_height")

WHO = (RatingSession.rater_id.label("rater"), Rater.simulated)
LIST = RatingSession.list_name.label("list")
FINISHED = RatingSession.finished_at.is_not(None).label("finished")
OF_SESSION = Trial.session_id == RatingSession.id
PAIRS = sa.select(sa.func.count(Trial.id)).where(OF_SESSION)
RATED = sa.select(sa.func.count(Rating.trial_id)).join_from(Rating, Trial).where(OF_SESSION)

QUERIES = {  # what is in each table, in the codebook's names; `_table` takes one study of it
    "ratings": sa.select(
        *WHO,
        LIST,
        Trial.position,
        *(getattr(Stimulus, column) for column in codebook.STIMULUS),
        Rating.value.label("rating"),
        Rating.step,
        Rating.choice,
        Trial.side,
        Trial.shown_at,
        Rating.rated_at,
        Rating.response_ms,
        Rating.viewport_width,
        Rating.viewport_height,
        Rating.pixel_ratio,
        FINISHED,
    )
    .join_from(Rating, Trial)
    .join(Stimulus)
    .join(RatingSession, OF_SESSION)
    .join(Rater)
    .order_by(RatingSession.rater_id, Trial.position),
    "sessions": sa.select(
        *WHO,
        LIST,
        PAIRS.correlate(RatingSession).scalar_subquery().label("pairs"),
        RATED.correlate(RatingSession).scalar_subquery().label("rated"),
        FINISHED,
        RatingSession.consent_sha256,
        RatingSession.consented_at,
        RatingSession.seen_at,
        RatingSession.finished_at,
    )
    .join_from(RatingSession, Rater)
    .order_by(RatingSession.rater_id),
    "answers": sa.select(
        *WHO, Answer.step.label("question"), Answer.value.label("answer"), Answer.answered_at
    )
    .join_from(Answer, RatingSession)
    .join(Rater)
    .order_by(RatingSession.rater_id, Answer.answered_at),
    "checks": sa.select(*WHO, QualityCheck.name, QualityCheck.outcome, QualityCheck.detail)
    .join_from(QualityCheck, RatingSession)
    .join(Rater)
    .order_by(RatingSession.rater_id, QualityCheck.name),
    "events": sa.select(*WHO, Event.id.label("event"), Event.at, Event.kind, Event.detail)
    .join_from(Event, RatingSession, isouter=True)
    .join(Rater, isouter=True)
    .order_by(Event.id),
    "stimuli": sa.select(
        *(getattr(Stimulus, column) for column in codebook.STIMULUS),
        Stimulus.list_name.label("list"),
        Stimulus.gray_sha256,
        Stimulus.color_sha256,
    ).order_by(Stimulus.purpose, Stimulus.picture, Stimulus.arm),
    "participants": sa.select(
        *WHO, Participant.external_id, Participant.study_ref, Participant.session_ref
    )
    .join_from(Participant, Rater)
    .join(RatingSession)
    .order_by(RatingSession.rater_id),
}
OF_STUDY = {"events": Event.study_id, "stimuli": Stimulus.study_id}  # else the session's


def export(
    engine: sa.Engine,
    folder: Path,
    study_name: str | None = None,
    *,
    formats: tuple[str, ...] = ("csv", "json"),
    with_participants: bool = False,
) -> list[Path]:
    """Write the data of a study (None: the newest) and return the files.

    Raises:
        StudyError: there is no such study, a picture of it was changed, the database cannot be
            read, or `folder` holds something or cannot be written.
    """
    names = [name for name in codebook.TABLES if name != "participants" or with_participants]
    with reading(engine) as database:
        study = find_study(database, study_name)
        check_frozen(database, study)
        tables = {name: _table(database, study, name) for name in names}
        manifest = {"manifest_sha256": study.manifest_sha256, "manifest": study.manifest}
    contents = {"manifest.json": _json(manifest)}
    for name, table in tables.items():
        if "csv" in formats:
            contents[f"{name}.csv"] = as_csv(table)
        if "json" in formats:
            contents[f"{name}.json"] = _json(list(_records(table)))
    contents["codebook.md"] = codebook.as_markdown(names)
    contents["codebook.json"] = _json(codebook.as_json(names))
    return _write(folder, contents)


def _table(database: Session, study: Study, name: str) -> pd.DataFrame:
    """The table of that name with the codebook's columns."""
    of_study = OF_STUDY.get(name, RatingSession.study_id)
    rows = database.execute(QUERIES[name].where(of_study == study.id))
    table = pd.DataFrame(rows.all(), columns=list(rows.keys()), dtype=object)
    table.insert(0, "study", study.name)
    if name == "answers":
        table["answer"] = [json.loads(answer) for answer in table["answer"]]
    if name == "events":
        table["detail"] = [json.dumps(detail, sort_keys=True) for detail in table["detail"]]
    for column in table:
        if column.endswith("_at") or column == "at":
            table[column] = [moment and moment.isoformat() for moment in table[column]]
        elif column in WHOLE:
            table[column] = table[column].astype("Int64")
    return table[list(codebook.TABLES[name])]


def as_csv(table: pd.DataFrame) -> str:
    """`table` as CSV that is safe to open in a spreadsheet.

    >>> print(as_csv(pd.DataFrame({"comment": ["=1+1", "fine"], "rating": [-1, 2]})), end="")
    comment,rating
    '=1+1,-1
    fine,2
    """
    return table.map(_csv_cell).to_csv(index=False, lineterminator="\n")


def _csv_cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else value


def _records(table: pd.DataFrame) -> Iterator[dict]:
    for row in table.astype(object).itertuples(index=False):
        yield {
            column: None if pd.isna(value) else value
            for column, value in zip(table, row, strict=True)
        }


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _write(folder: Path, contents: dict[str, str]) -> list[Path]:
    """All files or none."""
    files = {folder / name: text.encode() for name, text in contents.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StudyError(f"{folder} is not empty; an export replaces and mixes nothing.")
        try:
            for file, content in files.items():
                file.write_bytes(content)
        except BaseException:
            for file in files:
                file.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StudyError(f"{folder} cannot be written: {error.strerror}.") from None
    return list(files)
