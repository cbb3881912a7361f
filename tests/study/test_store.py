"""The database: opened, brought up to date, and what it refuses; SQLite and PostgreSQL."""

import hashlib
import multiprocessing
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from study.db import queries, upgrade
from study.db.engine import connect, open_database, reading
from study.db.tables import Base, RatingSession
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.plan.questions import COMMENT, Question
from study.rate import answer, begin, picture, resume
from tests.support.server import ROOT

OLD_TABLES = """
CREATE TABLE rater (
    id {ID} NOT NULL,
    created_at {MOMENT} NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE study (
    id {ID} NOT NULL,
    name VARCHAR(255) NOT NULL,
    pictures_from VARCHAR(255) NOT NULL,
    step {DOUBLE} NOT NULL,
    seed BIGINT NOT NULL,
    weights VARCHAR(255) NOT NULL,
    weights_sha256 VARCHAR(255) NOT NULL,
    created_at {MOMENT} NOT NULL,
    PRIMARY KEY (id),
    CHECK (step IN (0.5, 1)),
    UNIQUE (name)
);
CREATE TABLE session (
    id {ID} NOT NULL,
    study_id INTEGER NOT NULL,
    rater_id INTEGER NOT NULL,
    token VARCHAR(255) NOT NULL,
    list_name VARCHAR(255) NOT NULL,
    consented_at {MOMENT} NOT NULL,
    finished_at {MOMENT},
    PRIMARY KEY (id),
    UNIQUE (study_id, rater_id),
    FOREIGN KEY(study_id) REFERENCES study (id),
    FOREIGN KEY(rater_id) REFERENCES rater (id),
    UNIQUE (token)
);
CREATE TABLE stimulus (
    token VARCHAR(255) NOT NULL,
    study_id INTEGER NOT NULL,
    list_name VARCHAR(255) NOT NULL,
    picture VARCHAR(255) NOT NULL,
    kind VARCHAR(255) NOT NULL,
    condition VARCHAR(255) NOT NULL,
    gray_png {BYTES} NOT NULL,
    color_png {BYTES} NOT NULL,
    gray_sha256 VARCHAR(255) NOT NULL,
    color_sha256 VARCHAR(255) NOT NULL,
    PRIMARY KEY (token),
    UNIQUE (study_id, picture, condition),
    CHECK (condition IN ('control', 'generated')),
    FOREIGN KEY(study_id) REFERENCES study (id)
);
CREATE TABLE trial (
    id {ID} NOT NULL,
    session_id INTEGER NOT NULL,
    stimulus_token VARCHAR(255) NOT NULL,
    position INTEGER NOT NULL,
    token VARCHAR(255) NOT NULL,
    shown_at {MOMENT},
    PRIMARY KEY (id),
    UNIQUE (session_id, position),
    UNIQUE (session_id, stimulus_token),
    FOREIGN KEY(session_id) REFERENCES session (id),
    FOREIGN KEY(stimulus_token) REFERENCES stimulus (token),
    UNIQUE (token)
);
CREATE INDEX ix_trial_session_id ON trial (session_id);
CREATE TABLE rating (
    trial_id INTEGER NOT NULL,
    value {DOUBLE} NOT NULL,
    step {DOUBLE} NOT NULL,
    rated_at {MOMENT} NOT NULL,
    PRIMARY KEY (trial_id),
    CHECK (value BETWEEN 0 AND 10),
    CHECK (value / step = ROUND(value / step)),
    CHECK (step IN (0.5, 1)),
    FOREIGN KEY(trial_id) REFERENCES trial (id)
);
"""
DIALECTS = {
    "sqlite": {"ID": "INTEGER", "MOMENT": "DATETIME", "BYTES": "BLOB", "DOUBLE": "DOUBLE"},
    "postgresql": {
        "ID": "SERIAL",
        "MOMENT": "TIMESTAMP WITH TIME ZONE",
        "BYTES": "BYTEA",
        "DOUBLE": "DOUBLE PRECISION",
    },
}
OLD_STUDY = "My study, half points"
BEGAN = datetime(2025, 3, 1, 12, tzinfo=UTC)


def make_old_database(url: str) -> None:
    """As the program wrote it before there were migrations: a study of ten pairs in half points,
    raters 1 to 3 who finished it, and rater 4 who gave two ratings."""
    engine = open_database(url)
    old = sa.MetaData()
    with engine.begin() as connection:
        for statement in OLD_TABLES.format(**DIALECTS[engine.dialect.name]).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    old.reflect(engine)
    with engine.begin() as connection:

        def add(table: str, **values) -> int | None:
            made = connection.execute(sa.insert(old.tables[table]).values(values))
            return made.inserted_primary_key[0]

        study = add(
            "study",
            name=OLD_STUDY,
            pictures_from="photographs of Fruits-360, Test",
            step=0.5,
            seed=2**40,
            weights="paper",
            weights_sha256="ab" * 32,
            created_at=BEGAN,
        )
        for number in range(10):
            for condition in ("control", "generated"):
                shown = (number % 2 == 0) == (condition == "control")
                gray, color = f"gray {number}".encode(), f"{condition} {number}".encode()
                add(
                    "stimulus",
                    token=f"{condition}-{number}",
                    study_id=study,
                    list_name="A" if shown else "B",
                    picture=f"Test/Pear/{number}_100.jpg",
                    kind="pear",
                    condition=condition,
                    gray_png=gray,
                    color_png=color,
                    gray_sha256=hashlib.sha256(gray).hexdigest(),
                    color_sha256=hashlib.sha256(color).hexdigest(),
                )
        for rater in range(1, 5):
            finished = rater < 4
            rating_session = add(
                "session",
                study_id=study,
                rater_id=add("rater", created_at=BEGAN),
                token=f"session-{rater}",
                list_name="A",
                consented_at=BEGAN,
                finished_at=BEGAN + timedelta(minutes=20) if finished else None,
            )
            for number in range(10):
                seen = finished or number <= 2
                shown_at = BEGAN + timedelta(minutes=number) if seen else None
                trial = add(
                    "trial",
                    session_id=rating_session,
                    stimulus_token=f"{('control', 'generated')[number % 2]}-{number}",
                    position=number + 1,
                    token=f"trial-{rater}-{number}",
                    shown_at=shown_at,
                )
                if finished or number < 2:
                    rated_at = shown_at + timedelta(seconds=5)
                    value = (number + rater) / 2
                    add("rating", trial_id=trial, value=value, step=0.5, rated_at=rated_at)
    engine.dispose()


@pytest.fixture
def old_url(empty_url: str) -> str:
    make_old_database(empty_url)
    return empty_url


def shape(engine: sa.Engine) -> dict:
    """All that the database tells of its tables."""
    inspector = sa.inspect(engine)
    found = {}
    for table in inspector.get_table_names():
        columns = inspector.get_columns(table)
        found[table] = {
            "columns": {c["name"]: (str(c["type"]), c["nullable"]) for c in columns},
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (key["constrained_columns"], key["referred_table"], key["name"])
                for key in inspector.get_foreign_keys(table)
            ),
            "unique": sorted(
                (sorted(unique["column_names"]), unique["name"])
                for unique in inspector.get_unique_constraints(table)
            ),
            "checks": sorted(
                (check["name"], check["sqltext"])
                for check in inspector.get_check_constraints(table)
            ),
            "indexes": sorted(
                (index["name"], index["column_names"]) for index in inspector.get_indexes(table)
            ),
        }
    return found


def differences(engine: sa.Engine) -> list:
    """What Alembic would have to change to get from the database to `study.db.tables`."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)


def revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


# Up to date


def test_a_new_database_is_up_to_date(empty_url):
    engine = connect(empty_url)
    assert differences(engine) == []
    assert revision(engine) == "0002"


def test_a_migrated_database_is_like_a_new_one(old_url):
    migrated = connect(old_url)
    assert differences(migrated) == []
    found = shape(migrated)
    with migrated.begin() as connection:
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
    assert found == shape(migrated)


def test_all_migrations_one_after_the_other_give_the_tables_of_today(empty_url):
    engine = open_database(empty_url)
    with engine.begin() as connection:
        command.upgrade(upgrade._alembic(connection), "head")
    assert differences(engine) == []


def test_the_first_migration_makes_the_tables_that_old_databases_have(empty_url, tmp_path):
    engine = open_database(empty_url)
    with engine.begin() as connection:
        command.upgrade(upgrade._alembic(connection), "0001")
    made = shape(engine)
    del made["alembic_version"]
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        old = sa.MetaData()
        old.reflect(connection)
        old.drop_all(connection)
    make_old_database(empty_url)
    assert made == shape(engine)


def test_an_old_database_keeps_every_rating(old_url):
    table = queries.ratings(connect(old_url))
    assert table.attrs["study"] == OLD_STUDY
    assert len(table) == 32
    assert table.groupby("rater").finished.all().tolist() == [True, True, True, False]
    assert table.groupby("rater").rating.apply(list).tolist() == [
        *([(number + rater) / 2 for number in range(10)] for rater in (1, 2, 3)),
        [2.0, 2.5],
    ]
    assert set(table.arm) == {"control", "paper"}
    assert (table.arm == "control").equals(table.condition == "control")
    assert not table.simulated.any()
    assert table.rated_at.iloc[0] == BEGAN + timedelta(seconds=5)
    assert table.shown_at.iloc[1] == BEGAN + timedelta(minutes=1)


def test_an_old_study_is_told_as_what_it_was(old_url):
    with reading(connect(old_url)) as database:
        study = queries.find_study(database, OLD_STUDY)
        config = StudyConfig.model_validate(study.config)
        assert (config.protocol, config.mode, config.pairs) == ("rating", "paper", 10)
        assert config.arms == ("control", "paper")
        assert (config.scale.step, config.practice, config.seed) == (0.5, 0, 2**40)
        assert not config.checks.attention
        assert not config.checks.too_fast_seconds
        assert study.manifest["weights"] == {"paper": "ab" * 32}
        assert [row["list"] for row in study.manifest["pictures"]].count("A") == 10
        lists = [stimulus.list_name for stimulus in study.stimuli]
        assert lists.count("A") == lists.count(None) == 10
        sessions = database.scalars(sa.select(RatingSession).order_by(RatingSession.id)).all()
        assert sessions[3].seen_at == BEGAN + timedelta(minutes=2)
        assert {row.consent_sha256 for row in sessions} == {"unknown"}


def test_who_was_in_the_middle_of_an_old_study_goes_on_and_others_come(old_url):
    engine = connect(old_url)
    view = resume(engine, "session-4", OLD_STUDY)
    while isinstance(view, Question) and view.step != "comment":
        view = answer(engine, "session-4", OLD_STUDY, view.step, "read")
    assert (view.number, view.total) == (3, 10)
    assert picture(engine, view.pictures[1]) == b"control 2"
    for _ in range(8):
        view = answer(engine, "session-4", OLD_STUDY, view.step, 6.5)
    assert view == COMMENT
    assert len(queries.ratings(engine)) == 40
    assert begin(engine, OLD_STUDY, consent=True).view.step == "instructions"
    with reading(engine) as database:
        assert database.scalar(sa.select(sa.func.max(RatingSession.id))) == 5


def test_the_old_data_is_kept_and_nothing_is_kept_twice(old_url, tmp_path, caplog):
    for _ in range(2):
        engine = connect(old_url)
    (told,) = [record.getMessage() for record in caplog.records if "kept" in record.getMessage()]
    assert told.replace("_", "-").endswith("before-0001")
    if engine.dialect.name == "sqlite":
        assert sorted(file.name for file in tmp_path.glob("*before*")) == [
            "study.sqlite.before-0001"
        ]
        kept = sqlite3.connect(tmp_path / "study.sqlite.before-0001")
        assert kept.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert kept.execute("SELECT count(*), sum(value) FROM rating").fetchone() == (32, 102.0)
    else:
        with engine.connect() as connection:
            kept = connection.exec_driver_sql("SELECT count(*), sum(value) FROM before_0001.rating")
            assert kept.one() == (32, 102.0)
            pictures = "SELECT count(*) FROM before_0001.stimulus WHERE color_png IS NOT NULL"
            assert connection.exec_driver_sql(pictures).scalar() == 20


def test_the_copy_replaces_no_other_file_and_can_be_opened_as_a_study(tmp_path):
    file = tmp_path / "study.sqlite"
    make_old_database(f"sqlite:///{file}")
    mine = tmp_path / "study.sqlite.before-0001"
    mine.write_text("mine")
    connect(f"sqlite:///{file}").dispose()
    assert mine.read_text() == "mine"
    kept = connect(f"sqlite:///{tmp_path / 'study.sqlite.before-0001-2'}")
    assert len(queries.ratings(kept)) == 32


@pytest.mark.parametrize("step", ["at the end", "between the tables"])
def test_an_interrupted_migration_leaves_the_old_database(old_url, tmp_path, monkeypatch, step):
    before = shape(open_database(old_url))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if step == "at the end":
            finish = command.upgrade
            patched.setattr(command, "upgrade", lambda *what: (finish(*what), interrupt()))
        else:
            patched.setattr(sa.MetaData, "create_all", interrupt)
        with pytest.raises(KeyboardInterrupt):
            connect(old_url)
    assert shape(open_database(old_url)) == before
    assert not list(tmp_path.glob("*before*")), "as many copies as attempts would fill the disk"
    assert len(queries.ratings(connect(old_url))) == 32


@pytest.mark.process
def test_a_killed_migration_leaves_the_old_database(old_url):
    before = shape(open_database(old_url))
    kill = (
        "import os, sys; from alembic import command; from study import store;"
        "finish = command.upgrade;"
        "command.upgrade = lambda *what: (finish(*what), os._exit(9));"
        "connect(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", kill, old_url], cwd=ROOT).returncode == 9
    assert shape(open_database(old_url)) == before
    assert len(queries.ratings(connect(old_url))) == 32


def test_a_database_of_a_newer_version_is_left_alone(empty_url):
    engine = connect(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StudyError, match=r"newer version .*9999\); update the program\.$"):
        connect(empty_url)


def test_a_read_only_database_of_an_older_version_is_refused_in_one_sentence(tmp_path):
    file = tmp_path / "study.sqlite"
    make_old_database(f"sqlite:///{file}")
    before = file.read_bytes()
    with pytest.raises(StudyError) as refused:
        connect(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert "older version and could not be brought up to date" in str(refused.value)
    assert "readonly" in str(refused.value)
    assert str(refused.value).count("\n") == 0
    assert file.read_bytes() == before
    assert not list(tmp_path.glob("*before*"))


def _connect_at_once(url: str, barrier, results) -> None:
    barrier.wait()
    try:
        engine = connect(url)
        results.put(revision(engine))
    except StudyError as error:
        results.put(str(error))


@pytest.mark.process
@pytest.mark.parametrize("age", ["new", "old"])
def test_several_programs_may_be_first_at_the_same_moment(empty_url, age):
    if age == "old":
        make_old_database(empty_url)
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(4), spawn.Queue()
    processes = [
        spawn.Process(target=_connect_at_once, args=(empty_url, barrier, results)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    assert [results.get(timeout=120) for _ in processes] == ["0002"] * 4
    for process in processes:
        process.join()
    engine = connect(empty_url)
    assert differences(engine) == []
    if age == "old":
        assert len(queries.ratings(engine)) == 32


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
