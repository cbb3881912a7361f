"""Copy the study's database while the page runs: python -m study.backup --to FILE [--db URL]

The copy is whole and of one moment, and it is checked. An SQLite copy is a study database itself:
`--db sqlite:///FILE` uses it. To put it back, stop the page, delete study.sqlite-wal and
study.sqlite-shm, and `cp FILE study.sqlite`. A copy of PostgreSQL is made by `pg_dump`;
`pg_restore --dbname=... FILE` puts it into an empty database.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from study import cli
from study.db.engine import open_database
from study.errors import StudyError


def backup(engine: sa.Engine, to: Path) -> None:
    """Copy the database behind `engine` into the new file `to`.

    Raises:
        StudyError: `to` exists or cannot be written, or the database cannot be copied.
    """
    if to.exists():
        raise StudyError(f"{to} exists already; a backup replaces nothing.")
    if engine.dialect.name == "postgresql":
        _dump(engine.url, to)
        return
    try:
        with engine.connect() as connection:
            file = connection.exec_driver_sql("PRAGMA database_list").first()[2]
        _copy(Path(file), to)
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StudyError(f"No backup was made: {reason}.") from None


def _copy(source: Path, to: Path) -> None:
    """Copy an SQLite database that others may be writing to, and check the copy.

    `to` appears when all of it is there.

    Raises:
        sqlite3.Error: `source` is damaged.
        OSError: `to` cannot be written.
    """
    part = to.with_name(f"{to.name}.part")
    part.touch(mode=0o600)  # fails with a better sentence than SQLite's
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            old.backup(new)
            [(found,)] = new.execute("PRAGMA integrity_check(1)").fetchall()
            new.execute("PRAGMA journal_mode = DELETE")  # it is not in use, and has no second file
        if found != "ok":
            raise sqlite3.DatabaseError(f"the copy of {source} is damaged: {found}")
        shutil.copymode(source, part)
        part.rename(to)
    finally:
        part.unlink(missing_ok=True)


def _dump(url: sa.URL, to: Path) -> None:
    """Copy by PostgreSQL's own program, which must not be older than the server."""
    program = shutil.which("pg_dump")
    if program is None:
        raise StudyError(
            "No backup was made: it takes PostgreSQL's program pg_dump, which is not installed"
            " (Debian: apt-get install postgresql-client)."
        )
    password = url.password or url.query.get("password")
    # not among the arguments, which every user of the machine can read
    secret = {"PGPASSWORD": password} if password else {}
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


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser("study.backup", __doc__)
    parser.add_argument("--to", metavar="FILE", type=Path, required=True, help="a new file")
    cli.add_database(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Make a backup and return an exit code, as `study.cli.run` does."""
    return cli.run(_parser(), _backup, argv)


def _backup(arguments: argparse.Namespace) -> None:
    backup(open_database(arguments.db, existing=True), arguments.to)
    print(f"{arguments.to}: {arguments.to.stat().st_size:,} bytes, checked")


if __name__ == "__main__":
    sys.exit(main())
