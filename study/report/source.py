"""What a report is made of, read from a study's database or from a CSV file of ratings."""

import csv
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from study.db import queries
from study.db.engine import connect, reading
from study.db.tables import Event, Rater, RatingSession, Stimulus, Study
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.stats.ratings import CONDITIONS, CONTROL, check_ratings

YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


class ReportError(StudyError):
    """One sentence for the person who asked for the report."""


@dataclass(frozen=True)
class Sessions:
    """How many there are; None where the source does not tell."""

    begun: int | None = None
    finished: int | None = None
    unfinished_with_ratings: int | None = None
    unfinished_ratings: int | None = None
    unfinished_included: bool = True
    forgotten: int | None = None  # raters who were deleted, most at their wish
    first: str | None = None  # day on which the first and the last of them began, UTC
    last: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture of the study as raters saw it, in PNGs: grayscale, and the colours of each
    condition."""

    name: str
    gray: bytes
    colors: dict[str, bytes]


@dataclass(frozen=True)
class Frozen:
    """What is fixed of a study in the database."""

    config: StudyConfig
    pictures_from: str
    created_at: datetime
    manifest: dict
    manifest_sha256: str
    weights: dict[str, str]  # SHA-256 of each model's
    pictures: list[Picture]


@dataclass(frozen=True)
class Source:
    """The ratings that count, and what is known about them.

    Attributes:
        name: the study, or the file.
        table: of `study.stats.ratings`; condition is the model where there are several.
        real_or_fake: a rating is 1 where the rater was fooled, else 0.
        simulated: whether programs gave these ratings; then nobody else did.
        simulated_left_out: raters that are programs, beside people who are not.
        checks: rater, name, outcome, detail; None where the source has none.
        study: None for a file.
    """

    name: str
    table: pd.DataFrame
    real_or_fake: bool = False
    simulated: bool = False
    simulated_left_out: int = 0
    sessions: Sessions = Sessions()
    checks: pd.DataFrame | None = None
    study: Frozen | None = None


def load(
    file: Path | None = None,
    *,
    url: str | None = None,
    study: str | None = None,
    unfinished: bool = False,
    pictures: bool = False,
) -> Source:
    """The ratings of `file`, else those of a study in the database (None: the newest).

    Ratings of unfinished sessions count only if `unfinished`; the pictures are read only if wanted.

    Raises:
        StudyError: flags that contradict each other, or a source that cannot be used.
    """
    if file and (url or study):
        raise ReportError("--ratings reads a file; leave out --db and --study.")
    source = read_csv(file) if file else read_database(url, study, pictures=pictures)
    table = source.table
    if "finished" not in table:
        if unfinished:
            raise ReportError(f"{file} has no column finished, so --unfinished has no meaning.")
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


# The database


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
    if _names_models(config):
        table["condition"] = table["arm"]
        arms = [CONTROL, *config.models]  # whose order all tables follow
        table = table.sort_values("condition", key=lambda arm: arm.map(arms.index), kind="stable")
    table = table.astype({"rating": float, "simulated": bool})  # some databases give Decimal
    return _people_or_programs(
        Source(
            name=f"study {name}",
            table=table.drop(columns=["study", "arm", "shown_at", "rated_at"]),
            real_or_fake=config.protocol == "real-or-fake",
            checks=checks,
            study=frozen,
        ),
        sessions,
    )


def _names_models(config: StudyConfig) -> bool:
    """Whether the model stands in the place of the condition."""
    return len(config.models) > 1 or config.protocol == "real-or-fake"


def _frozen(study: Study, pictures: list[Picture]) -> Frozen:
    manifest = study.manifest
    return Frozen(
        config=StudyConfig.frozen(study.config),
        pictures_from=study.pictures_from,
        created_at=study.created_at,
        manifest=manifest,
        manifest_sha256=study.manifest_sha256,
        # the second name is that in studies of an older version of the tables
        weights=manifest["weights"],
        pictures=pictures,
    )


def _pictures(session: Session, study: Study) -> list[Picture]:
    """The pictures that raters rate, control first among the colours of each."""
    by_model = _names_models(StudyConfig.frozen(study.config))
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


def _people_or_programs(source: Source, sessions: dict[bool, Sessions] | None = None) -> Source:
    """`source` with people only if there are any, so that programs never count beside them."""
    table = source.table
    programs = table["simulated"]
    people = bool(sessions[False].begun) if sessions else not programs.all()
    simulated = bool(programs.any()) and not people
    counted = table[programs == simulated].drop(columns="simulated")
    left_out = 0 if simulated else table.loc[programs, "rater"].nunique()
    return replace(
        source,
        table=counted,
        simulated=simulated,
        simulated_left_out=left_out,
        sessions=sessions[simulated] if sessions else source.sessions,
    )


# A file


def read_csv(file: Path) -> Source:
    """The ratings in a file with the columns rater, picture, condition and rating.

    Used where they are there: finished, simulated, purpose (only "main" counts), arm (in the place
    of the condition where there are several models), choice (of real-or-fake), list, kind and
    response_ms.

    Raises:
        ReportError: naming the first line at fault.
    """
    raw = _rows(file)
    more = raw.loc[:, ~raw.columns.duplicated(keep=False)]  # what is there twice says nothing
    if "purpose" in more:
        main = more["purpose"].str.strip().isin(["main", ""])
        raw, more = raw[main], more[main]
    several = _has_several(more)
    try:
        named = raw.assign(condition=more["arm"]) if several else raw
        table = check_ratings(named, None if several else CONDITIONS)
    except ValueError as error:
        raise ReportError(f"{file}: {error}") from error
    if "study" in more and more["study"].nunique() > 1:
        names = ", ".join(repr(name)[:60] for name in more["study"].unique()[:5])
        raise ReportError(f"{file} holds several studies, {names}; give one of them.")
    for column in ("list", "kind"):
        if column in more:
            table[column] = more[column].str.strip().replace("", np.nan)
    if "response_ms" in more:
        table["response_ms"] = pd.to_numeric(more["response_ms"], errors="coerce")
    for column in ("finished", "simulated"):
        if column in more:
            table[column] = _yes_or_no(more[column], column, file)
    source = Source(str(file), table, real_or_fake=several and _has_choices(more))
    if source.real_or_fake and not table["rating"].isin([0, 1]).all():
        raise ReportError(f"{file}: with a column choice every rating is 1 (fooled) or 0.")
    return _people_or_programs(source) if "simulated" in table else source


def _rows(file: Path) -> pd.DataFrame:
    """The fields as text; the index is the line number less 2, as `check_ratings` counts."""
    lines, rows = [], []
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.reader(opened, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                if len(row) != len(header):
                    counts = f"{len(row)} fields where the header has {len(header)}"
                    raise ReportError(f"{file}: Line {reader.line_num}: {counts}.")
                lines.append(reader.line_num)
                rows.append(row)
    except OSError as error:
        raise ReportError(f"{file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{file} is not a CSV file in UTF-8 text.") from error
    except csv.Error as error:
        raise ReportError(f"{file}: Line {reader.line_num}: {error}.") from error
    return pd.DataFrame(rows, columns=header, index=np.array(lines, dtype=int) - 2, dtype=str)


def _has_several(raw: pd.DataFrame) -> bool:
    """Whether the arm says more than the condition: several models, or real-or-fake."""
    if "arm" not in raw:
        return False
    models = set(raw["arm"].str.strip()) - {CONTROL}
    return len(models) > 1 or _has_choices(raw)


def _has_choices(raw: pd.DataFrame) -> bool:
    return "choice" in raw and bool(raw["choice"].str.strip().any())


def _yes_or_no(column: pd.Series, name: str, file: Path) -> pd.Series:
    found = column.str.strip().str.lower().map(YES_OR_NO)
    if found.isna().any():
        line = found.index[found.isna()][0] + 2
        raise ReportError(f"{file}: Line {line}: {name} is neither true nor false.")
    return found.astype(bool)
