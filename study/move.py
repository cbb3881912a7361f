"""Copy a whole database into another: python -m study.move --from URL --to URL

From SQLite to PostgreSQL, or back: all studies with their pictures, raters, sessions and ratings,
numbers and tokens kept, so that raters go on where they stopped. The target must hold no study:
start the page on it afterwards. It gets everything or nothing: at the end the rows of each table
are counted on both sides, and the pictures are compared with their hashes. The source is only read,
but one of an older version is brought up to date first, as whenever it is opened.

The page may run meanwhile. The copy is of one moment; later ratings are not in it. So stop the page
before the copy that counts, or stop it afterwards and let `--verify`, which only compares, tell
whether anything was stored in between.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from tqdm import tqdm

from study import cli
from study.db.engine import address, connect, open_database, reading
from study.db.queries import STIMULI_AT_ONCE, check_frozen
from study.db.tables import Base, Study, now
from study.errors import StudyError

TABLES = Base.metadata.sorted_tables  # none refers to one that comes later
# Rows that are in memory at once, of a table without pictures.
ROWS_AT_ONCE = 1_000
# Rows of each table, by its name.
Counts = dict[str, int]


def move(source: sa.Engine, target: sa.Engine) -> Counts:
    """Copy all that is in `source` at this moment into `target`, whose tables are empty.

    Returns:
        the rows that were copied.

    Raises:
        StudyError: `target` holds a study, or something failed; `target` is as it was.
    """
    try:
        with _snapshot(source) as old, target.execution_options(writing=True).begin() as new:
            if names := new.scalars(sa.select(Study.name)).all():
                raise StudyError(
                    f"{address(target)} holds a study already, {', '.join(names)};"
                    " move into an empty database."
                )
            counted = _count(old)
            _copy(old, new, total=sum(counted.values()))
            if new.dialect.name == "postgresql":
                _set_sequences(new)
            arrived = _count(new)
            if lost := [name for name, rows in counted.items() if rows != arrived[name]]:
                raise StudyError(f"Nothing was moved: {', '.join(lost)} did not arrive whole.")
            _check_pictures(new)
            return counted
    except SQLAlchemyError as error:
        raise StudyError(f"Nothing was moved: {_reason(error)}.") from None


def compare(source: sa.Engine, target: sa.Engine) -> tuple[Counts, Counts]:
    """The rows in each of two databases at this moment.

    Raises:
        StudyError: one of them cannot be read, or a picture of a study was changed.
    """
    try:
        with _snapshot(source) as old, _snapshot(target) as new:
            _check_pictures(old)
            _check_pictures(new)
            return _count(old), _count(new)
    except SQLAlchemyError as error:
        raise StudyError(f"The databases cannot be compared: {_reason(error)}.") from None


@contextmanager
def _snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that sees the database as it is at its first query, whatever others write."""
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        engine = engine.execution_options(**options)
    with engine.begin() as connection:
        yield connection


def _count(connection: sa.Connection) -> Counts:
    return {
        table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
        for table in TABLES
    }


def _copy(old: sa.Connection, new: sa.Connection, *, total: int) -> None:
    with tqdm(total=total, unit=" rows", disable=None) as progress:
        for table in TABLES:
            pictures = any(isinstance(column.type, sa.LargeBinary) for column in table.columns)
            options = {"yield_per": STIMULI_AT_ONCE if pictures else ROWS_AT_ONCE}
            for rows in old.execute(sa.select(table), execution_options=options).partitions():
                new.execute(sa.insert(table), [row._asdict() for row in rows])
                progress.update(len(rows))


def _check_pictures(connection: sa.Connection) -> None:
    with Session(connection) as session:
        for study in session.scalars(sa.select(Study)).all():
            check_frozen(session, study)


def _set_sequences(connection: sa.Connection) -> None:
    """Let PostgreSQL number new rows after those that brought their own numbers."""
    for table in TABLES:
        if (column := table.autoincrement_column) is not None:
            name = connection.dialect.identifier_preparer.format_table(table)
            sequence, last = sa.func.pg_get_serial_sequence(name, column.name), sa.func.max(column)
            connection.execute(
                sa.select(sa.func.setval(sequence, sa.func.coalesce(last, 1), last.is_not(None)))
            )


def _reason(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")


def _with_studies(url: str) -> sa.Engine:
    """An engine on a database that has a study in it; nothing is made on any other.

    Raises:
        StudyError: there is no such database, or no study in it.
    """
    engine = open_database(url, existing=True)
    with reading(engine) as database:
        has_tables = sa.inspect(database.connection()).has_table(Study.__tablename__)
        if not has_tables or not database.scalar(sa.select(sa.func.count(Study.id))):
            raise StudyError(f"{address(engine)} holds no study.")
    engine.dispose()
    return connect(url)


def _as_text(old: Counts, new: Counts) -> str:
    """The rows of each table on both sides."""
    lines = [f"{'table':13} {'rows from':>10} {'rows to':>10}"]
    for name, rows in old.items():
        same = "same" if rows == new[name] else "DIFFERENT"
        lines.append(f"{name:13} {rows:>10,} {new[name]:>10,}  {same}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.move", __doc__)
    add = parser.add_argument
    add("--from", dest="source", metavar="URL", required=True, help="database that has the studies")
    add("--to", dest="target", metavar="URL", required=True, help="database without a study")
    add("--verify", action="store_true", help="copy nothing, only compare the two")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Move or compare and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _move, argv)


def _move(arguments: argparse.Namespace) -> None:
    source = _with_studies(arguments.source)
    if arguments.verify:
        old, new = compare(source, _with_studies(arguments.target))
        print(_as_text(old, new))
        if old != new:
            raise StudyError("The databases differ: something was stored after the copy.")
        return
    target = connect(arguments.target)
    moment = now()
    rows = move(source, target)
    print(_as_text(rows, rows))
    print(
        f"{address(target)} holds all that was stored by {moment:%Y-%m-%d %H:%M:%S} UTC. Later"
        " ratings on the old database are not in it: start the page on the new one with --db or"
        " STUDY_DB."
    )


if __name__ == "__main__":
    sys.exit(main())
