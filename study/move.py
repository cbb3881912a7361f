"""Copy a whole database into another: python -m study.move --from URL --to URL

From SQLite to PostgreSQL, or back: all studies with their pictures, raters, sessions and ratings,
numbers and tokens kept, so that raters go on where they stopped. The target must hold no study:
start the page on it afterwards. It gets everything or nothing, after rows and hashes of each table
were compared on both sides. The source is only read, but that one of an older version is brought up
to date first, as whenever it is opened.

The page may run meanwhile. The copy is of one moment: what is rated later is not in it. So stop the
page before the copy that counts, or stop it afterwards and see with `--verify`, which only
compares, whether something was rated in between.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from study.db.engine import address, connect, is_missing, open_database, reading
from study.db.tables import Base, Study, now
from study.errors import StudyError

TABLES = Base.metadata.sorted_tables  # none refers to one that comes later
CHUNK = 1_000  # rows that are in memory at once
PICTURES = 8  # likewise, of a table with pictures


class Tally:
    """Rows that were counted and hashed, equal to another where the same were, on either engine.

    Attributes:
        rows: how many.
        sha256: the sum of the rows' SHA-256, so that their order does not matter, as hexadecimal.
    """

    def __init__(self) -> None:
        self.rows, self._sum = 0, 0

    def add(self, rows: Sequence[sa.Row]) -> None:
        for row in rows:
            text = json.dumps([_plain(value) for value in row], sort_keys=True)
            self._sum += int.from_bytes(hashlib.sha256(text.encode()).digest())
        self.rows += len(rows)

    @property
    def sha256(self) -> str:
        return f"{self._sum % 2**256:064x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and (self.rows, self.sha256) == (other.rows, other.sha256)


Contents = dict[str, Tally]  # by the table's name


def _plain(value: Any) -> Any:
    """What JSON can hold; floats are written by `repr`, which tells them all apart."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value


def move(source: sa.Engine, target: sa.Engine) -> tuple[Contents, Contents]:
    """Copy all that is in `source` at this moment into `target`, whose tables are empty.

    Returns:
        what was read, and what is there now, which is the same.

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
            with tqdm(total=2 * _count(old), unit=" rows", disable=None) as progress:
                read = _copy(old, new, progress)
                if new.dialect.name == "postgresql":
                    _set_sequences(new)
                arrived = _contents(new, progress)
            if changed := [name for name, tally in read.items() if tally != arrived[name]]:
                raise StudyError(f"Nothing was moved: {', '.join(changed)} did not arrive whole.")
            return read, arrived
    except SQLAlchemyError as error:
        raise StudyError(f"Nothing was moved: {_reason(error)}.") from None


def compare(source: sa.Engine, target: sa.Engine) -> tuple[Contents, Contents]:
    """What is in each of two databases at this moment.

    Raises:
        StudyError: one of them cannot be read.
    """
    try:
        with _snapshot(source) as old, _snapshot(target) as new:
            with tqdm(total=_count(old) + _count(new), unit=" rows", disable=None) as progress:
                return _contents(old, progress), _contents(new, progress)
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


def _count(connection: sa.Connection) -> int:
    return sum(connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in TABLES)


def _chunks(
    connection: sa.Connection, table: sa.Table, progress: tqdm
) -> Iterator[Sequence[sa.Row]]:
    """All rows of a table, as many at once as memory should hold."""
    pictures = any(isinstance(column.type, sa.LargeBinary) for column in table.columns)
    options = {"yield_per": PICTURES if pictures else CHUNK}
    for rows in connection.execute(sa.select(table), execution_options=options).partitions():
        yield rows
        progress.update(len(rows))


def _copy(old: sa.Connection, new: sa.Connection, progress: tqdm) -> Contents:
    read = {table.name: Tally() for table in TABLES}
    for table in TABLES:
        for rows in _chunks(old, table, progress):
            new.execute(sa.insert(table), [row._asdict() for row in rows])
            read[table.name].add(rows)
    return read


def _contents(connection: sa.Connection, progress: tqdm) -> Contents:
    found = {table.name: Tally() for table in TABLES}
    for table in TABLES:
        for rows in _chunks(connection, table, progress):
            found[table.name].add(rows)
    return found


def _set_sequences(connection: sa.Connection) -> None:
    """Let PostgreSQL number what comes after the rows that brought their own numbers."""
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
    """An engine on a database that has a study in it; on another nothing is made.

    Raises:
        StudyError: there is no such database, or no study in it.
    """
    if is_missing(url):
        raise StudyError(f"There is no database {url}.")
    engine = open_database(url)
    with reading(engine) as database:
        has_tables = sa.inspect(database.connection()).has_table(Study.__tablename__)
        if not has_tables or not database.scalar(sa.select(sa.func.count(Study.id))):
            raise StudyError(f"{address(engine)} holds no study.")
    engine.dispose()
    return connect(url)


def _told(old: Contents, new: Contents) -> str:
    """Rows and hashes of each table on both sides."""
    lines = [f"{'table':13} {'rows from':>10} {'rows to':>10}  SHA-256 from and to"]
    for name, tally in old.items():
        other = new[name]
        hashes = f"{tally.sha256[:16]} {other.sha256[:16]}"
        same = "same" if tally == other else "DIFFERENT"
        lines.append(f"{name:13} {tally.rows:>10,} {other.rows:>10,}  {hashes}  {same}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Move or compare; return 0, or 2 after one sentence on standard error."""
    parser = argparse.ArgumentParser(
        "python -m study.move",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--from", dest="source", metavar="URL", required=True, help="database that has the studies")
    add("--to", dest="target", metavar="URL", required=True, help="database without a study")
    add("--verify", action="store_true", help="copy nothing, only compare the two")
    arguments = parser.parse_args(argv)
    try:
        source = _with_studies(arguments.source)
        if arguments.verify:
            old, new = compare(source, _with_studies(arguments.target))
            print(_told(old, new))
            if old != new:
                raise StudyError("The databases differ: something was stored after the copy.")
            return 0
        target = connect(arguments.target)
        moment = now()
        print(_told(*move(source, target)))
    except StudyError as error:
        print(f"study.move: {error}", file=sys.stderr)
        return 2
    print(
        f"{address(target)} holds all that was stored by {moment:%Y-%m-%d %H:%M:%S} UTC. What is"
        " rated later on the old database is not in it: use --db or STUDY_DB to start the page on"
        " the new one."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
