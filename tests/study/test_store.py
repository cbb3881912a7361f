"""The database: opened, brought up to date, and what it refuses; SQLite and PostgreSQL."""

import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from study.db import queries, upgrade
from study.db.engine import connect, open_database, reading, writing
from study.db.tables import Base, Stimulus, Study
from study.errors import StudyError
from study.export.files import export
from study.rate import begin
from study.simulate.raters import crowd, run
from tests.support.engines import each_engine, on_postgresql
from tests.support.server import ROOT
from tests.support.tiny_study import STUDY, add_study

LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"

def upgrade() -> None:
    op.add_column("study", sa.Column("remark", sa.Text))
"""


def differences(engine: sa.Engine) -> list:
    """What Alembic would have to change to get from the database to `study.db.tables`."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)


def revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def columns(engine: sa.Engine) -> list[str]:
    return [column["name"] for column in sa.inspect(engine).get_columns("study")]


def add_migration(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let the program know of one more migration, as a later version would."""
    migrations = shutil.copytree(upgrade.MIGRATIONS, folder / "migrations")
    (migrations / "versions" / "0003_later.py").write_text(text)
    monkeypatch.setattr(upgrade, "MIGRATIONS", migrations)


# Up to date


def test_a_new_database_is_up_to_date(empty_url):
    engine = connect(empty_url)
    assert differences(engine) == []
    assert revision(engine) == "0002"


@each_engine
def test_an_older_database_is_migrated_and_keeps_its_data(db_url, tmp_path, monkeypatch):
    add_study(connect(db_url))
    add_migration(tmp_path, monkeypatch, LATER)
    for _ in range(2):
        engine = connect(db_url)
        assert revision(engine) == "0003"
        assert "remark" in columns(engine)
        with reading(engine) as database:
            assert queries.find_study(database).name == STUDY


@each_engine
def test_an_interrupted_migration_changes_nothing(db_url, tmp_path, monkeypatch):
    add_study(connect(db_url))
    add_migration(tmp_path, monkeypatch, f"{LATER}    raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        connect(db_url)
    engine = open_database(db_url)
    assert revision(engine) == "0002"
    assert "remark" not in columns(engine)


def test_a_database_of_another_version_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    engine = connect(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StudyError, match=r"another version .*9999.*; update the program\.$"):
        connect(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(StudyError, match=r"another version .*unknown"):
        connect(url)


def test_a_read_only_database_of_an_older_version_is_refused_in_one_sentence(tmp_path, monkeypatch):
    file = tmp_path / "study.sqlite"
    connect(f"sqlite:///{file}").dispose()
    add_migration(tmp_path, monkeypatch, LATER)
    before = file.read_bytes()
    with pytest.raises(StudyError) as refused:
        connect(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert "older version and could not be brought up to date" in str(refused.value)
    assert "readonly" in str(refused.value)
    assert str(refused.value).count("\n") == 0
    assert file.read_bytes() == before


@pytest.mark.process
def test_several_programs_may_be_first_at_the_same_moment(empty_url):
    code = (
        "import sys; from study.db.engine import connect; input('ready\\n'); connect(sys.argv[1])"
    )
    command = [sys.executable, "-u", "-c", code, empty_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    programs = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(3)]
    assert all(program.stdout.readline() == b"ready\n" for program in programs)
    for program in programs:
        program.stdin.write(b"now\n")
        program.stdin.close()
    assert [program.wait() for program in programs] == [0] * 3
    engine = connect(empty_url)
    assert differences(engine) == []
    assert revision(engine) == "0002"


# Opened


def test_sqlite_survives_power_cuts_and_lets_readers_in(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("these are my notes, and no database at all\n" * 50)
    with pytest.raises(StudyError, match=r"cannot be opened: file is not a database"):
        connect(f"sqlite:///{file}")
    assert file.read_text().startswith("these are my notes")


@pytest.mark.parametrize(
    "given", ["me:geheim@127.0.0.1:1/none", "me@127.0.0.1:1/x?password=geheim"]
)
def test_a_password_is_never_shown(given):
    with pytest.raises(StudyError) as refused:
        connect(f"postgresql+psycopg://{given}")
    assert "cannot be opened" in str(refused.value)
    assert "geheim" not in str(refused.value)


# Asked


@each_engine
def test_a_wrong_statement_is_no_trouble_of_the_database(db_url):
    engine = connect(db_url)
    for opened in (reading, writing):
        with pytest.raises(sa.exc.DBAPIError), opened(engine) as database:
            database.execute(sa.text("SELECT colour FROM study"))
        with pytest.raises(sa.exc.DBAPIError), opened(engine) as database:
            database.execute(sa.text("SELECT * FROM nowhere"))


@each_engine
def test_trouble_of_the_database_is_told_in_a_sentence(db_url):
    engine = connect(db_url)
    add_study(engine, pairs=2)
    with pytest.raises(StudyError, match="contradicts what is stored"):
        add_study(engine, pairs=2)
    if engine.dialect.name == "sqlite":
        engine = open_database(f"sqlite:///file:{engine.url.database}?mode=ro&uri=true")
    else:
        engine = engine.execution_options(postgresql_readonly=True)
    with pytest.raises(StudyError, match="Not saved: the database is read-only"):
        add_study(engine, name="another", pairs=2)


def test_a_damaged_database_is_told_in_a_sentence(tmp_path):
    file = tmp_path / "study.sqlite"
    engine = connect(f"sqlite:///{file}")
    add_study(engine, pairs=40)
    engine.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * len(content[4096:])
    file.write_bytes(content)
    with pytest.raises(StudyError, match="cannot be read"), reading(engine) as database:
        queries.find_study(database)


@each_engine
def test_a_frozen_study_is_checked_in_one_query(db_url):
    engine = connect(db_url)
    add_study(engine, pairs=40)
    asked = []
    with reading(engine) as database:
        study = queries.find_study(database)
        sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        queries.check_frozen(database, study)
    assert len(asked) == 1
    with writing(engine) as database:
        changed = database.scalar(sa.select(Stimulus).order_by(Stimulus.token.desc()))
        changed.color_png = b"another"
    with reading(engine) as database, pytest.raises(StudyError, match="its SHA-256 differs"):
        queries.check_frozen(database, queries.find_study(database))


@on_postgresql
def test_a_restart_of_postgresql_goes_unnoticed(db_url):
    engine = connect(db_url)
    add_study(engine, pairs=2)
    with open_database(db_url).begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with reading(engine) as database:
        assert queries.find_study(database).name == STUDY


@on_postgresql
def test_times_are_utc_whatever_the_zone_of_the_database(db_url, tmp_path):
    engine = connect(db_url)
    add_study(engine, pairs=2)
    with engine.begin() as connection:
        zone = f"ALTER DATABASE {engine.url.database} SET timezone TO 'Asia/Kolkata'"
        connection.exec_driver_sql(zone)
    engine.dispose()
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(1, rng), rng)
    with reading(engine) as database:
        made = database.scalar(sa.select(Study.created_at))
    assert made.utcoffset() == timedelta(0)
    export(engine, tmp_path / "export")
    for table in ("ratings", "sessions", "events"):
        rows = pd.read_csv(tmp_path / "export" / f"{table}.csv")
        moments = [name for name in rows if name == "at" or name.endswith("_at")]
        assert rows[moments].map(lambda moment: moment.endswith("+00:00")).all(axis=None)
    elsewhere = made.astimezone(timezone(timedelta(hours=-5)))
    assert begin(engine, STUDY, consent=True, created_at=elsewhere.isoformat()).token
