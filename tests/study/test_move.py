"""Whole databases moved between SQLite and PostgreSQL, also while raters rate."""

import hashlib
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from study import move
from study.db import queries
from study.db.engine import connect, open_database, writing
from study.db.tables import Stimulus, Study, Trial
from study.rate import (
    Feedback,
    Finished,
    Identity,
    Pair,
    answer,
    begin,
    go_on,
    known,
    picture,
    resume,
)
from study.simulate.raters import crowd, run, take_part
from tests.support.postgres import EMPTY, Postgres
from tests.support.tiny_study import STUDY, add_study

COMMENT = 'Zoë: "it\'s" 100% \N{PEAR}, \N{LINE SEPARATOR}\\0'


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.sqlite'}"


@pytest.fixture
def db_url(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with postgres.database(EMPTY) as url:
        yield url


@pytest.fixture(params=["up", "down"])
def urls(request: pytest.FixtureRequest, db_url: str, sqlite_url: str) -> tuple[str, str]:
    """Two empty databases, from and to: SQLite and PostgreSQL, or back."""
    return (sqlite_url, db_url) if request.param == "up" else (db_url, sqlite_url)


def moved(source: str, target: str, *flags: str) -> int:
    return move.main(["--from", source, "--to", target, *flags])


def fill(engine: sa.Engine, name: str = STUDY, **fields) -> str:
    """Add a study with three finished sessions and a person's that is half way; its token."""
    add_study(engine, name=name, pairs=4, **fields)
    rng = np.random.default_rng(0)
    run(engine, name, crowd(3, rng), rng)
    who = Identity(f"Zoë of {name}", "study", "visit")
    token, view = begin(engine, name, consent=True, identity=who)
    for value in ("normal", "all", "read", 5):
        measured = {"response_ms": 1000.1 + 0.2}
        view = answer(engine, token, name, view.step, value, measured=measured)
    return token


def contents(url: str) -> dict[str, list]:
    """The rows of each table."""
    with open_database(url).connect() as connection:
        return {
            table.name: sorted(connection.execute(sa.select(table)).all(), key=repr)
            for table in move.TABLES
        }


def rows(url: str) -> dict[str, int]:
    return {name: len(found) for name, found in contents(url).items()}


def finish(engine: sa.Engine, token: str) -> None:
    view = resume(engine, token, STUDY)
    while not isinstance(view, Finished):
        if isinstance(view, Feedback):
            view = go_on(engine, token, STUDY)
        else:
            value = 7 if isinstance(view, Pair) else COMMENT
            view = answer(engine, token, STUDY, view.step, value)


def test_everything_is_the_same_on_the_other_engine_and_back(urls, tmp_path, capsys):
    source, target = urls
    engine = connect(source)
    finish(engine, fill(engine))
    add_study(engine, name="second", pairs=4, protocol="real-or-fake")
    take_part(engine, "second", crowd(1, np.random.default_rng(1))[0], np.random.default_rng(1))
    before = contents(source)
    assert all(before.values()), "all tables are filled"

    assert moved(source, target) == 0
    told = capsys.readouterr().out
    assert all(f"{table.name} " in told for table in move.TABLES)
    assert "DIFFERENT" not in told
    assert "Later ratings on the old database are not in it" in told
    back = f"sqlite:///{tmp_path / 'back.sqlite'}"
    assert moved(target, back) == 0
    assert before == contents(source) == contents(target) == contents(back)


def test_raters_go_on_and_new_ones_come_after_the_move(sqlite_url, db_url):
    token = fill(connect(sqlite_url))
    old = rows(sqlite_url)
    assert moved(sqlite_url, db_url) == 0
    there = connect(db_url)
    assert known(there, STUDY, Identity(f"Zoë of {STUDY}")) == token
    assert all(picture(there, name) for name in resume(there, token, STUDY).pictures)
    finish(there, token)
    run(there, STUDY, crowd(2, np.random.default_rng(2)), np.random.default_rng(2))
    new = rows(db_url)
    assert (new["rater"], new["session"]) == (old["rater"] + 2, old["session"] + 2)
    assert new["rating"] == 6 * 7, "each of the six rated all pairs once"
    add_study(there, name="later")


def test_a_copy_made_while_raters_rate_is_of_one_moment(urls, capsys):
    source, target = urls
    engine = connect(source)
    fill(engine)
    rng = np.random.default_rng(3)
    rating = threading.Thread(target=run, args=(engine, STUDY, crowd(4, rng), rng))
    rating.start()
    try:
        assert moved(source, target) == 0
    finally:
        rating.join()
    assert len(queries.ratings(engine)) == 7 * 4, "nobody who rated was disturbed"
    table = queries.ratings(connect(target))
    finished = table[table.finished.astype(bool)].groupby("rater").size()
    assert (finished == 4).all()
    copied, kept = rows(target), rows(source)
    assert all(copied[name] <= kept[name] for name in copied)

    run(engine, STUDY, crowd(1, rng), rng)
    capsys.readouterr()
    assert moved(source, target, "--verify") == 2
    said = capsys.readouterr()
    assert "DIFFERENT" in said.out
    assert said.err == "study.move: The databases differ: something was stored after the copy.\n"


def test_verify_finds_a_changed_picture(sqlite_url, tmp_path, capsys):
    target = f"sqlite:///{tmp_path / 'to.sqlite'}"
    fill(connect(sqlite_url))
    assert moved(sqlite_url, target) == 0
    assert moved(sqlite_url, target, "--verify") == 0
    with writing(connect(target)) as database:
        database.scalar(sa.select(Stimulus).limit(1)).color_png = b"another"
    assert moved(sqlite_url, target, "--verify") == 2
    assert "is not the one that was frozen" in capsys.readouterr().err


def test_a_target_that_holds_a_study_is_refused(sqlite_url, tmp_path, capsys):
    target = f"sqlite:///{tmp_path / 'to.sqlite'}"
    fill(connect(sqlite_url))
    add_study(connect(target), name="mine")
    before = contents(target)
    assert moved(sqlite_url, target) == 2
    error = capsys.readouterr().err
    assert "holds a study already, mine; move into an empty database." in error
    assert error.count("\n") == 1
    assert contents(target) == before
    assert moved(sqlite_url, sqlite_url) == 2
    assert f"holds a study already, {STUDY}" in capsys.readouterr().err


def test_a_move_that_fails_half_way_leaves_nothing(db_url, sqlite_url, capsys):
    engine = connect(sqlite_url)
    fill(engine)
    with writing(engine) as database:  # PostgreSQL cannot store it
        database.scalar(sa.select(Trial).order_by(Trial.id.desc())).token = "a\0b"
    assert moved(sqlite_url, db_url) == 2
    error = capsys.readouterr().err
    assert error.startswith("study.move: Nothing was moved: ")
    assert error.count("\n") == 1
    assert set(rows(db_url).values()) == {0}


@pytest.mark.parametrize(
    ("table", "lost", "sentence"),
    [
        ("rating", "DELETE FROM rating WHERE trial_id = new.trial_id", "rating did not arrive"),
        ("stimulus", "UPDATE stimulus SET gray_png = x'00'", "its SHA-256 differs"),
    ],
)
def test_rows_and_pictures_that_do_not_arrive_are_noticed(
    sqlite_url, tmp_path, capsys, table, lost, sentence
):
    target = f"sqlite:///{tmp_path / 'to.sqlite'}"
    fill(connect(sqlite_url))
    with connect(target).begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER bad AFTER INSERT ON {table} BEGIN {lost}; END")
    assert moved(sqlite_url, target) == 2
    assert sentence in capsys.readouterr().err
    assert set(rows(target).values()) == {0}


def test_a_source_without_a_study_is_told_and_nothing_is_made(sqlite_url, tmp_path, capsys):
    missing, empty = f"sqlite:///{tmp_path / 'mistyped.sqlite'}", open_database(sqlite_url)
    empty.connect().close()
    assert moved(missing, sqlite_url) == 2
    assert "There is no database" in capsys.readouterr().err
    assert moved(sqlite_url, missing) == 2
    assert "holds no study." in capsys.readouterr().err
    assert not (tmp_path / "mistyped.sqlite").exists()
    assert sa.inspect(empty).get_table_names() == []


@pytest.mark.parametrize("target", ["nonsense", "postgresql+psycopg://me:secret@127.0.0.1:1/x"])
def test_a_target_that_cannot_be_used_is_told_in_a_sentence(sqlite_url, target, capsys):
    add_study(connect(sqlite_url))
    assert moved(sqlite_url, target) == 2
    error = capsys.readouterr().err
    assert error.startswith("study.move: ")
    assert error.count("\n") == 1
    assert "secret" not in error


def test_memory_holds_few_pictures_at_once(db_url, sqlite_url):
    engine = connect(db_url)
    config = add_study(engine)
    picture, pictures = np.random.default_rng(0).bytes(2**20), 40
    sha256 = hashlib.sha256(picture).hexdigest()
    with writing(engine) as database:
        study = database.scalar(sa.select(Study).where(Study.name == config.name))
        for number in range(pictures):
            fields = {"purpose": "main", "kind": "apple", "condition": "control", "arm": "control"}
            fields |= {"gray_sha256": sha256, "color_sha256": sha256, "list_name": None}
            fields |= {"gray_png": picture, "color_png": picture, "picture": f"large {number}"}
            database.add(Stimulus(token=f"large {number}", study_id=study.id, **fields))
    tracemalloc.start()
    try:
        assert moved(db_url, sqlite_url) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < pictures * 2 * 2**20 / 2, f"{peak:,} bytes"
