"""How a study stands: python -m study.status [--db URL] [--study NAME] [--json]

Counts sessions as of now: finished, live (a sign of life within the study's `stale_minutes`) and
stale, for each list; the places that are taken; and what the quality checks found.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from study import cli
from study.db.engine import connect, lacks_wal, open_database, reading
from study.db.queries import find_study
from study.db.tables import QualityCheck, Rater, RatingSession, Study, now
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.plan.quality import COULD_NOT_RUN, FAILED, PASSED


@dataclass(frozen=True)
class Counts:
    """Sessions: every one that started is finished, live or stale."""

    started: int = 0
    finished: int = 0
    live: int = 0
    stale: int = 0


@dataclass(frozen=True)
class Status:
    """How one study stands.

    Attributes:
        study: its name.
        simulated: sessions of simulated raters, who are counted nowhere else.
        total, lists: sessions of people, all and by list.
        quota: places for people; None: no limit.
        checks: {name of the check: {outcome: finished sessions of people}}.
        seen_at: last sign of life of any session, in ISO format; None: there is no session.
    """

    study: str
    simulated: Counts
    total: Counts
    lists: dict[str, Counts]
    quota: int | None
    checks: dict[str, dict[str, int]]
    seen_at: str | None = None


def status(engine: sa.Engine, study_name: str | None = None) -> Status:
    """How a study (None: the newest) stands now.

    Raises:
        StudyError: there is no such study, or the database cannot be read.
    """
    with reading(engine) as database:
        study = find_study(database, study_name)
        config = StudyConfig.frozen(study.config)
        finished = RatingSession.finished_at.is_not(None)
        since = now() - timedelta(minutes=config.stale_minutes)
        rows = database.execute(
            sa.select(
                Rater.simulated,
                RatingSession.list_name,
                sa.case(
                    (finished, "finished"), (RatingSession.seen_at > since, "live"), else_="stale"
                ),
                sa.func.count(),
            )
            .join_from(RatingSession, Rater)
            .where(RatingSession.study_id == study.id)
            .group_by(*(sa.literal_column(column) for column in "123"))
        ).all()
        seen_at = database.scalar(
            sa.select(sa.func.max(RatingSession.seen_at)).where(RatingSession.study_id == study.id)
        )
        people = [row[1:] for row in rows if not row[0]]
        lists = {stimulus.list_name for stimulus in study.stimuli if stimulus.list_name}
        return Status(
            study=study.name,
            simulated=_counts(row[2:] for row in rows if row[0]),
            total=_counts(row[1:] for row in people),
            lists={
                name: _counts(row[1:] for row in people if row[0] == name) for name in sorted(lists)
            },
            quota=config.quota,
            checks=_checks(database, study),
            seen_at=seen_at and seen_at.isoformat(timespec="seconds"),
        )


def _counts(rows) -> Counts:
    found = dict.fromkeys(("finished", "live", "stale"), 0)
    for state, count in rows:
        found[state] += count
    return Counts(started=sum(found.values()), **found)


def _checks(database, study: Study) -> dict[str, dict[str, int]]:
    rows = database.execute(
        sa.select(QualityCheck.name, QualityCheck.outcome, sa.func.count())
        .join_from(QualityCheck, RatingSession)
        .join(Rater, Rater.id == RatingSession.rater_id)
        .where(RatingSession.study_id == study.id, Rater.simulated.is_(False))
        .group_by(QualityCheck.name, QualityCheck.outcome)
        .order_by(QualityCheck.name)
    )
    found: dict[str, dict[str, int]] = {}
    for name, outcome, count in rows:
        found.setdefault(name, dict.fromkeys((PASSED, FAILED, COULD_NOT_RUN), 0))[outcome] = count
    return found


def as_text(found: Status) -> str:
    """The status as text for people.

    >>> print(as_text(Status("apples", Counts(), Counts(3, 2, 1), {"A": Counts(3, 2, 1)}, 8, {})))
    Study apples
    Simulated raters: none
    <BLANKLINE>
    People     started  finished  live  stale
    list A           3         2     1      0
    all              3         2     1      0
    <BLANKLINE>
    Places: 3 of 8 taken, by those finished and live
    """
    programs = found.simulated
    simulated = "none"
    if programs.started:
        simulated = f"{programs.started}, finished {programs.finished}; not counted below"
    lines = [f"Study {found.study}", f"Simulated raters: {simulated}", ""]
    lines += [f"{'People':10} started  finished  live  stale"]
    for name, counts in [*((f"list {n}", c) for n, c in found.lists.items()), ("all", found.total)]:
        lines.append(
            f"{name:10} {counts.started:7}  {counts.finished:8}  {counts.live:4}  {counts.stale:5}"
        )
    taken = found.total.finished + found.total.live
    places = f"{taken} of {found.quota} taken, by those finished and live"
    lines += ["", f"Places: {places if found.quota else 'no limit'}"]
    if found.checks:
        lines += ["", f"{'Checks':24} passed  failed  could not run"]
    for name, counts in found.checks.items():
        passed, failed, could_not = (counts[key] for key in (PASSED, FAILED, COULD_NOT_RUN))
        lines.append(f"{name:24} {passed:6}  {failed:6}  {could_not:13}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.status", __doc__)
    cli.add_database(parser)
    cli.add_study(parser)
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Print the status and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _print_status, argv)


def _print_status(arguments: argparse.Namespace) -> None:
    engine = open_database(arguments.db, existing=True)
    torn = engine.dialect.name == "sqlite" and lacks_wal(Path(engine.url.database))
    engine = connect(arguments.db, existing=True)
    try:
        found = status(engine, arguments.study)
    except StudyError as error:
        raise StudyError(f"{error} {_torn(engine)}" if torn else error) from None
    if torn:
        print(f"study.status: {_torn(engine, found.seen_at)}", file=sys.stderr)
    print(json.dumps(asdict(found), indent=2) if arguments.json else as_text(found))


def _torn(engine: sa.Engine, seen_at: str | None = None) -> str:
    name = Path(engine.url.database).name
    later = f" later than {seen_at}" if seen_at else ""
    return (
        f"{name} was copied while in use, and {name}-wal, which lay beside it, was not:"
        f" answers{later} may be missing here. Copy both files, or use study.backup."
    )


if __name__ == "__main__":
    sys.exit(main())
