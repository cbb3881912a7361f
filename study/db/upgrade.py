"""Brings a study's database up to date: makes its tables, or migrates those of an older version.

All of it is one transaction: whatever interrupts it, the old database is as it was. The old data is
kept as well, beside an SQLite file as `study.sqlite.before-0001`, in PostgreSQL as plain tables in
the schema `before_0001`.
"""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from study.db.tables import Base

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
FIRST = "0001"  # of tables that are from before there were migrations
LOCK = 20_260_101  # any number: PostgreSQL's name for the lock of those who upgrade

log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()  # Alembic keeps its state in global variables


class UpgradeError(Exception):
    """What is wrong with a database, to be said after its name."""


def bring_up_to_date(engine: sa.Engine) -> None:
    """Make the tables in an empty database, migrate those of an older version.

    `engine` takes the write lock at once where it is asked for `writing=True`.

    Raises:
        UpgradeError: the database is of a newer version, or of an older one and cannot be changed.
        SQLAlchemyError: it cannot be opened.
    """
    script = ScriptDirectory(str(MIGRATIONS))
    known = {step.revision for step in script.walk_revisions()}
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision == script.get_current_head():
        return
    try:
        with _one_at_a_time, engine.execution_options(writing=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            revision = _revision(connection)  # another process may have been faster
            if revision is None:
                Base.metadata.create_all(connection)
                command.stamp(_alembic(connection), "head")
            elif revision not in known:
                raise UpgradeError(
                    f"was written by a newer version of this program (revision {revision});"
                    " update the program"
                )
            elif revision != script.get_current_head():
                with _kept(connection, revision):
                    command.stamp(_alembic(connection), revision)
                    command.upgrade(_alembic(connection), "head")
    except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
        if revision is None:
            raise
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")
        raise UpgradeError(
            f"is of an older version and could not be brought up to date: {reason};"
            " nothing in it was changed"
        ) from error


def _revision(connection: sa.Connection) -> str | None:
    """Of the tables in the database; None where there are none."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found or (FIRST if sa.inspect(connection).has_table("rating") else None)


def _alembic(connection: sa.Connection) -> Config:
    """What `alembic.ini` would say."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _kept(connection: sa.Connection, revision: str) -> Iterator[None]:
    """Copy the data as it is, for good unless what comes then fails and changes nothing.

    The write lock is held, so that nothing can change meanwhile.
    """
    kept = (
        "The study's database is of an older version and is brought up to date; kept as it was: %s"
    )
    if connection.dialect.name == "postgresql":
        log.warning(kept, f"schema {_copy_tables(connection, revision)}")
        yield  # what fails takes the schema with it
        return
    file = connection.exec_driver_sql("PRAGMA database_list").first()[2]
    if not file:  # it is in memory
        yield
        return
    names = (Path(f"{file}.before-{revision}{_again(time)}") for time in count(1))
    copy = next(name for name in names if not name.exists())
    copy_sqlite(Path(file), copy)
    log.warning(kept, copy)
    try:
        yield
    except BaseException:
        copy.unlink()
        raise


def _copy_tables(connection: sa.Connection, revision: str) -> str:
    """The schema that the copies are in."""
    inspector = sa.inspect(connection)
    schemas = inspector.get_schema_names()
    names = (f"before_{revision}{_again(time)}" for time in count(1))
    schema = next(name for name in names if name not in schemas)
    connection.execute(sa.schema.CreateSchema(schema))
    for table in inspector.get_table_names():
        connection.exec_driver_sql(f'CREATE TABLE "{schema}"."{table}" AS TABLE "{table}"')
    return schema


def _again(time: int) -> str:
    return f"-{time}" if time > 1 else ""


def copy_sqlite(source: Path, to: Path) -> None:
    """Copy an SQLite database, which others may be writing to, and check the copy.

    `to` appears when all of it is there.

    Raises:
        FileExistsError: there is something at `to`.
        sqlite3.Error: `source` is no whole database.
        OSError: `to` cannot be written.
    """
    if to.exists():
        raise FileExistsError(f"{to} exists already")
    part = to.with_name(f"{to.name}.part")
    part.touch(mode=0o600)  # fails with a better sentence than SQLite's
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            old.backup(new)
            [(found,)] = new.execute("PRAGMA integrity_check(1)").fetchall()
        if found != "ok":
            raise sqlite3.DatabaseError(f"the copy of {source} is damaged: {found}")
        shutil.copymode(source, part)
        part.rename(to)
    finally:
        part.unlink(missing_ok=True)
