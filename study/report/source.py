"""What a report is made of: the ratings that count, and what is known about them."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import pandas as pd

from study.plan.config import StudyConfig
from study.plan.protocols import RATING, Protocol
from study.stats.ratings import Ratings


@dataclass(frozen=True)
class Sessions:
    """Numbers of sessions; None where the source does not tell.

    `forgotten` raters were deleted, most at their wish; `first` and `last` are the days, in UTC, on
    which the first and the last session began.
    """

    begun: int | None = None
    finished: int | None = None
    unfinished_with_ratings: int | None = None
    unfinished_ratings: int | None = None
    unfinished_included: bool = True
    forgotten: int | None = None
    first: str | None = None
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
    pictures: list[Picture]


@dataclass(frozen=True)
class Source:
    """The ratings that count, and what is known about them.

    Attributes:
        name: the study, or the file.
        table: of `study.stats.ratings`; condition is the model where there are several.
        protocol: how raters answered.
        simulated: whether programs gave these ratings; then no person did.
        simulated_left_out: number of raters that are programs, where people rated too.
        checks: rater, name, outcome, detail; None where the source has none.
        study: None for a file.
        notes: what of a file was left out, and how it was read, in sentences.
    """

    name: str
    table: pd.DataFrame
    protocol: Protocol = RATING
    simulated: bool = False
    simulated_left_out: int = 0
    sessions: Sessions = Sessions()
    checks: pd.DataFrame | None = None
    study: Frozen | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def ratings(self) -> Ratings:
        return Ratings(self.table)

    @property
    def binary(self) -> bool:
        """Whether a rating is 1 where the rater was fooled, else 0."""
        return self.protocol.answered_by == "sides"


def people_or_programs(source: Source, sessions: dict[bool, Sessions] | None = None) -> Source:
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
