"""Copy the study's database while the page runs: python -m study.backup --to FILE [--db URL]

The copy is whole and of one moment, and it is checked. An SQLite copy is a study database itself:
`--db sqlite:///FILE` uses it, and with the page stopped `cp FILE study.sqlite` puts it back. One of
PostgreSQL is made by `pg_dump`; `pg_restore --dbname=... FILE` puts it into an empty database.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from study.db.engine import is_missing, open_database
from study.db.upgrade import copy_sqlite
from study.errors import StudyError


def backup(engine: sa.Engine, to: Path) -> None:
    """Copy the database behind `engine` into the new file `to`.

    Raises:
        StudyError: `to` is there or cannot be written, or the database cannot be copied.
    """
    if to.exists():
        raise StudyError(f"{to} exists already; a backup replaces nothing.")
    if engine.dialect.name == "postgresql":
        _dump(engine.url, to)
        return
    try:
        with engine.connect() as connection:
            file = connection.exec_driver_sql("PRAGMA database_list").first()[2]
        if not file:
            raise StudyError("A database in memory cannot be copied.")
        copy_sqlite(Path(file), to)
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StudyError(f"No backup was made: {reason}.") from None


def _dump(url: sa.URL, to: Path) -> None:
    """By PostgreSQL's own program, which must not be older than the server."""
    program = shutil.which("pg_dump")
    if program is None:
        raise StudyError(
            "No backup was made: it takes PostgreSQL's program pg_dump, which is not installed"
            " (Debian: apt-get install postgresql-client)."
        )
    password = url.password or url.query.get("password")
    secret = {"PGPASSWORD": password} if password else {}  # not where all may see it
    url = url.set(drivername="postgresql", password=None).difference_update_query(["password"])
    address = url.render_as_string()
    part = to.with_name(f"{to.name}.part")
    try:
        part.touch(mode=0o600)
        done = subprocess.run(  # noqa: S603 - found on PATH, no shell
            [program, "--format=custom", f"--file={part}", f"--dbname={address}"],
            env=os.environ | secret,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()] or ["it failed"]
            raise StudyError(f"No backup was made: {said[0].removesuffix('.')}.")
        part.rename(to)
    except OSError as error:
        raise StudyError(f"No backup was made: {to}: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    """Make a backup; return 0, or 2 after one sentence on standard error."""
    parser = argparse.ArgumentParser("python -m study.backup", description=__doc__)
    parser.add_argument("--to", metavar="FILE", type=Path, required=True, help="a new file")
    parser.add_argument(
        "--db", metavar="URL", help="database (default: STUDY_DB or the study's SQLite file)"
    )
    arguments = parser.parse_args(argv)
    try:
        if is_missing(arguments.db):
            raise StudyError(f"There is no database {arguments.db or 'yet'}.")
        engine = open_database(arguments.db)
        backup(engine, arguments.to)
    except StudyError as error:
        print(f"study.backup: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.to}: {arguments.to.stat().st_size:,} bytes, checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
