"""Delete all that a rater gave: python -m study.forget RATER [--db URL] [--study NAME]

RATER is the ID by which the recruiting service knows the rater, or the rater's number, `#12` (or
`--number 12`). Deleted are ratings, answers, checks, events, the session and the identity; that a
rater was forgotten, and how many rows it took, stays. The page may run meanwhile. Copies and
exports that were made earlier are not touched: delete those as well.
"""

import argparse
import sqlite3
import sys
from contextlib import closing

import sqlalchemy as sa
from sqlalchemy.orm import Session

from study import cli
from study.db.engine import connect, reading, writing
from study.db.queries import find_study, log_event, rater_number
from study.db.tables import (
    Answer,
    Event,
    Participant,
    QualityCheck,
    Rating,
    RatingSession,
    Study,
    Trial,
)
from study.errors import StudyError

# Tables with rows of a session, in an order in which no row refers to a deleted one.
OF_A_SESSION = {
    "checks": QualityCheck,
    "answers": Answer,
    "events": Event,
    "trials": Trial,
}


def find(engine: sa.Engine, rater: str | int, study_name: str | None = None) -> list[int]:
    """The numbers of a rater, who has one in each study.

    Args:
        engine: the database.
        rater: the ID that the recruiting service uses, or a number.
        study_name: the study to look in; None: all.

    Raises:
        StudyError: there is no such rater, or no such study.
    """
    with reading(engine) as database:
        if isinstance(rater, int):
            wanted = sa.select(RatingSession.rater_id).where(RatingSession.rater_id == rater)
        else:
            wanted = (
                sa.select(RatingSession.rater_id)
                .join(Participant, Participant.rater_id == RatingSession.rater_id)
                .where(Participant.external_id == rater)
            )
        where = ""
        if study_name is not None:
            study = find_study(database, study_name)
            wanted, where = wanted.where(RatingSession.study_id == study.id), f" in {study_name!r}"
        found = database.scalars(wanted.order_by(RatingSession.rater_id)).all()
        if not found:
            called = f"number {rater}" if isinstance(rater, int) else repr(rater)[:60]
            raise StudyError(f"There is no rater {called}{where}.")
        return list(found)


def forget(engine: sa.Engine, number: int) -> dict[str, int]:
    """Delete the rater with this number.

    Returns:
        the rows that were deleted: ratings, trials, answers, checks, events, identities.

    Raises:
        StudyError: there is no such rater any more, or nothing could be deleted.
    """
    with writing(engine) as database:
        if engine.dialect.name == "sqlite":
            database.connection().exec_driver_sql("PRAGMA secure_delete = ON")
        found = database.scalar(
            sa.select(RatingSession).where(RatingSession.rater_id == number).with_for_update()
        )
        if found is None:
            raise StudyError(f"There is no rater number {number}.")
        deleted = _delete(database, found.id, number)
        log_event(database, database.get_one(Study, found.study_id), "forgotten", **deleted)
    return deleted


def _delete(database: Session, session_id: int, number: int) -> dict[str, int]:
    def delete(table, condition) -> int:
        statement = sa.delete(table).where(condition)
        return database.execute(
            statement, execution_options={"synchronize_session": False}
        ).rowcount

    trials = sa.select(Trial.id).where(Trial.session_id == session_id)
    deleted = {"ratings": delete(Rating, Rating.trial_id.in_(trials))}
    for name, table in OF_A_SESSION.items():
        deleted[name] = delete(table, table.session_id == session_id)
    delete(RatingSession, RatingSession.id == session_id)
    deleted["identities"] = delete(Participant, Participant.rater_id == number)
    return deleted  # the rater's row stays, so that nobody else gets the number


def wipe(engine: sa.Engine) -> None:
    """Overwrite what deleted rows leave behind in the files of an SQLite database.

    Raises:
        StudyError: another program is busy with the database.
    """
    if engine.dialect.name != "sqlite":
        return
    with closing(engine.raw_connection()) as pooled:
        sqlite = pooled.driver_connection  # neither statement may be part of a transaction
        try:
            sqlite.execute("VACUUM")
            busy, *_ = sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            busy = True
    if busy:
        raise StudyError(
            "Another program is busy with the database, so that traces may be left in its files;"
            " stop that program and run python -m study.forget --wipe."
        )


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.forget", __doc__)
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "rater", nargs="?", metavar="RATER", help="the recruiting service's ID, or #12"
    )
    who.add_argument("--number", type=int, metavar="12", help="the rater's number")
    who.add_argument(
        "--wipe",
        action="store_true",
        help="only overwrite the traces of earlier deletions",
    )
    cli.add_study(parser, "only in this study (default: in all)")
    cli.add_database(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Forget a rater and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _forget, argv)


def _forget(arguments: argparse.Namespace) -> None:
    engine = connect(arguments.db, existing=True)
    if not arguments.wipe:
        numbers = find(engine, _named(arguments), arguments.study)
        if not arguments.yes and not _agreed(numbers):
            print("Nothing was deleted.")
            return
        for each in numbers:
            deleted = forget(engine, each)
            counts = ", ".join(f"{name} {count}" for name, count in deleted.items())
            print(f"Rater {each} is forgotten. Deleted: {counts}.")
        print("Copies and exports that were made earlier are not touched.")
    wipe(engine)


def _named(arguments: argparse.Namespace) -> str | int:
    number = arguments.number if arguments.rater is None else rater_number(arguments.rater)
    return arguments.rater if number is None else number


def _agreed(numbers: list[int]) -> bool:
    who = ", ".join(str(number) for number in numbers)
    try:
        said = input(f"Delete all that rater {who} gave, for good? [y/N] ")
    except EOFError:  # nobody is there to answer
        said = ""
    return said.strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
