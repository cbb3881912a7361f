"""Where a study lives: the few ways in and out of the database (`study.db.tables`).

The URL comes from `--db`, else from the environment variable STUDY_DB, else it is the SQLite file
`study.sqlite` in the project's folder. Pictures are stored in the database too: it is the whole
study, and a server process needs nothing else.
"""

import logging
import os
import sqlite3
import threading
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.orm import Session

from study.db import upgrade
from study.errors import StudyError

DEFAULT_URL = f"sqlite:///{Path(__file__).resolve().parent.parent.parent / 'study.sqlite'}"
# Time that a write waits for another one, in seconds.
LOCK_SECONDS = 10
# Connections of a server process: one for each of its threads.
THREADS = 40

log = logging.getLogger(__name__)
_opened: weakref.WeakSet[sa.Engine] = weakref.WeakSet()
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by database


def connect(url: str | None = None, *, existing: bool = False) -> sa.Engine:
    """An engine on the study's database, its tables made or brought up to date.

    Args:
        url: the database; None: that of STUDY_DB, else the study's SQLite file.
        existing: refuse an SQLite file that does not exist, instead of making it.

    Raises:
        StudyError: not a database URL, no driver for it, no such file, or the database cannot be
            opened.
    """
    engine = open_database(url, existing=existing)
    try:
        upgrade.bring_up_to_date(engine)
    except (SQLAlchemyError, upgrade.UpgradeError) as error:
        engine.dispose()
        shown = address(engine)
        if isinstance(error, SQLAlchemyError):
            raise StudyError(f"The database {shown} cannot be opened: {_detail(error)}.") from None
        raise StudyError(f"The database {shown} {error}.") from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "do_connect", _refuse_missing)
    return engine


def address(engine: sa.Engine) -> str:
    """Where the database is, without a password."""
    return engine.url.difference_update_query(["password"]).render_as_string(hide_password=True)


def open_database(url: str | None = None, *, existing: bool = False) -> sa.Engine:
    """An engine on the study's database as it is; `url` and `existing` as in `connect`.

    Raises:
        StudyError: not a database URL, one in memory, no driver for it, or no such file.
    """
    try:
        parsed = sa.make_url(url or os.environ.get("STUDY_DB") or DEFAULT_URL)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database in (None, "", ":memory:"):
            raise StudyError("A database in memory keeps nothing; name a file: sqlite:///FILE.")
        is_file = is_sqlite and not parsed.query
        torn = existing and is_file and lacks_wal(Path(parsed.database))
        if existing and is_file and not Path(parsed.database).exists():
            raise StudyError(
                f"There is no database {parsed.database}; python -m study.prepare makes one."
            )
        engine = sa.create_engine(
            parsed,
            connect_args=_waiting(parsed.get_backend_name()),
            pool_size=THREADS,
            pool_timeout=LOCK_SECONDS,
            pool_pre_ping=not is_sqlite,  # raters do not notice a restart of the server
            hide_parameters=True,  # answers and names stay out of logs
        )
    except ImportError as error:
        raise StudyError(
            f"The database driver {error.name} is not installed; see docs/study.md."
        ) from None
    except (ArgumentError, NoSuchModuleError):  # the URL is not repeated: it may hold a password
        raise StudyError(
            "--db or STUDY_DB is not a database URL that can be used; expected one such as"
            " sqlite:///study.sqlite or postgresql+psycopg://user@host/database."
        ) from None
    if is_sqlite:
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        if not torn:  # else it would no longer be known
            sa.event.listen(engine, "close", _close_sqlite)
    _opened.add(engine)
    return engine


@contextmanager
def closing() -> Iterator[None]:
    """Close the databases that are opened meanwhile, so that all of an SQLite database is in its
    one file afterwards."""
    before = {*_opened}
    try:
        yield
    finally:
        for engine in {*_opened} - before:
            engine.dispose()


def lacks_wal(file: Path) -> bool:
    """Whether an SQLite file was in use when it was copied, and the file beside it that holds what
    was written last, `-wal`, was left behind.

    An SQLite file says in its bytes 18 and 19 how it is written; `_close_sqlite` changes that back.
    """
    try:
        with file.open("rb") as opened:
            in_use = opened.read(20)[18:] == b"\2\2"
    except OSError:
        return False
    return in_use and not file.with_name(f"{file.name}-wal").exists()


def _waiting(backend: str) -> dict:
    """What a driver is told about waiting."""
    if backend == "sqlite":
        return {"timeout": LOCK_SECONDS}
    if backend == "postgresql":
        limits = f"-c lock_timeout={LOCK_SECONDS}s"
        return {"connect_timeout": LOCK_SECONDS, "options": limits}
    return {}


def _refuse_missing(_, __, arguments: list, options: dict) -> None:
    """SQLite would make an empty file in place of a study's that has gone."""
    if not options.get("uri") and not Path(arguments[0]).exists():
        raise sqlite3.OperationalError("unable to open database file")


def _set_up_sqlite(connection, _) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # a committed rating survives a power cut
    with suppress(sqlite3.OperationalError):  # a read-only database stays in its mode
        connection.execute("PRAGMA journal_mode = WAL")


def _close_sqlite(connection, _) -> None:
    """The last connection puts everything into the database's file and says so in it."""
    with suppress(sqlite3.Error):  # others have it open, or it is read-only
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE")


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Session]:
    """A database session for reading.

    Raises:
        StudyError: the database cannot be read.
    """
    try:
        with Session(engine) as session:
            yield session
    except (DBAPIError, TimeoutError) as error:
        if not _is_trouble(error):
            raise
        raise StudyError(f"The study's database cannot be read: {_reason(error)}.") from None


@contextmanager
def writing(engine: sa.Engine) -> Iterator[Session]:
    """A database session whose work is committed at the end, all of it or nothing.

    Raises:
        StudyError: nothing was saved; the sentence says why.
    """
    try:
        with (
            _turn(engine),
            Session(engine.execution_options(writing=True), expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
    except (DBAPIError, TimeoutError) as error:
        if not _is_trouble(error):
            raise
        raise StudyError(f"Not saved: {_reason(error)}. Please try again.") from None


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    """Let the threads of this process queue for a write.

    SQLite allows one write at a time, and a connection that waits for it polls at ever longer
    intervals, so that others would overtake it.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    turn = _turns[str(engine.url)]
    if not turn.acquire(timeout=LOCK_SECONDS):
        raise TimeoutError("database is locked")
    try:
        yield
    finally:
        turn.release()


def _is_trouble(error: SQLAlchemyError) -> bool:
    """Whether the database is in trouble, and not a statement of this program wrong."""
    if isinstance(error, OperationalError):  # where SQLite also puts mistakes in statements
        return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    expected = isinstance(error, (InterfaceError, IntegrityError, TimeoutError))
    return expected or _is_read_only(error) or _is_damaged(error)


def _is_read_only(error: SQLAlchemyError) -> bool:
    return "readonly" in _detail(error) or "read-only" in _detail(error)


def _is_damaged(error: SQLAlchemyError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _detail(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")


def _reason(error: SQLAlchemyError) -> str:
    """For raters: in plain words, and without what a driver tells of servers and tables."""
    detail = _detail(error)
    log.warning("database: %s", detail)
    if "locked" in detail or "lock timeout" in detail:
        return "another program keeps the database locked"
    if _is_read_only(error):
        return "the database is read-only"
    if isinstance(error, IntegrityError):
        return "it contradicts what is stored already"
    return "the database does not answer"
