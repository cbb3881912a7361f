"""Reads what a report is made of from a study's database or from a CSV file of ratings."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from study.db import queries
from study.db.engine import connect, reading
from study.db.tables import Event, Rater, RatingSession, Stimulus, Study
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.report.ratings_file import read_ratings
from study.report.source import (
    Frozen,
    Picture,
    Sessions,
    Source,
    people_or_programs,
)
from study.stats.ratings import CONTROL


def load(
    file: Path | None = None,
    *,
    url: str | None = None,
    study: str | None = None,
    unfinished: bool = False,
    pictures: bool = False,
    columns: Mapping[str, str] | None = None,
    control: str | None = None,
) -> Source:
    """The ratings of `file`, else those of a study in the database (None: the newest).

    Ratings of unfinished sessions count only if `unfinished`; the pictures are read only if wanted.
    `columns` and `control` are those of `read_ratings`.

    Raises:
        StudyError: flags that contradict each other, or a source that cannot be used.
    """
    if file and (url or study):
        raise StudyError("--ratings reads a file; leave out --db and --study.")
    if (columns or control) and not file:
        raise StudyError("--map and --control are for the table of --ratings.")
    if file:
        source = read_ratings(file, columns, control)
    else:
        source = read_database(url, study, pictures=pictures)
    table = source.table
    if "finished" not in table:
        if unfinished:
            raise StudyError(f"{file} is no export, so --unfinished has no meaning.")
        return source
    finished = table["finished"].astype(bool)
    sessions = replace(
        source.sessions,
        unfinished_with_ratings=table.loc[~finished, "rater"].nunique(),
        unfinished_ratings=int((~finished).sum()),
        unfinished_included=unfinished,
    )
    counted = table if unfinished else table[finished]
    return replace(source, table=counted.drop(columns="finished"), sessions=sessions)


def read_database(url: str | None, name: str | None, *, pictures: bool = False) -> Source:
    """A study with all its ratings, checked when they were stored.

    Raises:
        StudyError: there is no such study, or the database cannot be read.
    """
    engine = connect(url, existing=True)
    with reading(engine) as session:
        study = queries.find_study(session, name)
        frozen = _frozen(study, _pictures(session, study) if pictures else [])
        sessions = _sessions(session, study)
        name = study.name
    table, checks = queries.ratings(engine, name), queries.checks(engine, name)
    config = frozen.config
    if config.names_models:
        table["condition"] = table["arm"]
        arms = [CONTROL, *config.models]  # whose order all tables follow
        table = table.sort_values("condition", key=lambda arm: arm.map(arms.index), kind="stable")
    table = table.astype({"rating": float, "simulated": bool})  # some databases give Decimal
    return people_or_programs(
        Source(
            name=f"study {name}",
            table=table.drop(columns=["study", "arm", "shown_at", "rated_at"]),
            protocol=config.task,
            checks=checks,
            study=frozen,
        ),
        sessions,
    )


def _frozen(study: Study, pictures: list[Picture]) -> Frozen:
    return Frozen(
        config=StudyConfig.frozen(study.config),
        pictures_from=study.pictures_from,
        created_at=study.created_at,
        manifest=study.manifest,
        manifest_sha256=study.manifest_sha256,
        pictures=pictures,
    )


def _pictures(session: Session, study: Study) -> list[Picture]:
    """The pictures that raters rate, control first among the colours of each."""
    by_model = StudyConfig.frozen(study.config).names_models
    stimuli = session.scalars(
        sa.select(Stimulus)
        .where(Stimulus.study_id == study.id, Stimulus.purpose == "main")
        .order_by(Stimulus.picture, Stimulus.condition, Stimulus.arm)
        .options(undefer(Stimulus.gray_png), undefer(Stimulus.color_png))
    )
    found: dict[str, Picture] = {}
    for each in stimuli:
        picture = found.setdefault(each.picture, Picture(each.picture, each.gray_png, {}))
        picture.colors[each.arm if by_model else each.condition] = each.color_png
    return list(found.values())


def _sessions(session: Session, study: Study) -> dict[bool, Sessions]:
    """Those of people and, under True, of programs."""
    forgotten = session.scalar(
        sa.select(sa.func.count()).where(Event.study_id == study.id, Event.kind == "forgotten")
    )
    began = RatingSession.consented_at
    rows = session.execute(
        sa.select(
            Rater.simulated,
            sa.func.count(),
            sa.func.count(RatingSession.finished_at),
            sa.func.min(began),
            sa.func.max(began),
        )
        .join_from(RatingSession, Rater, Rater.id == RatingSession.rater_id)
        .where(RatingSession.study_id == study.id)
        .group_by(Rater.simulated)
    )
    found = dict.fromkeys((False, True), Sessions(0, 0, forgotten=forgotten))
    for simulated, begun, finished, *moments in rows:
        first, last = (moment.astimezone(UTC).date().isoformat() for moment in moments)
        found[bool(simulated)] = Sessions(
            begun, finished, forgotten=forgotten, first=first, last=last
        )
    return found
