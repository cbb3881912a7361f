"""Whole databases moved between SQLite and PostgreSQL, also while raters rate."""

import json
import shutil
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from study import move
from study.db import queries
from study.db.engine import connect, open_database, reading, writing
from study.db.tables import Answer, Event, Rating, RatingSession, Stimulus, Study, Trial
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


@pytest.fixture
def db_url(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with postgres.database(EMPTY) as url:
        yield url


@pytest.fixture(params=["up", "down"])
def urls(request: pytest.FixtureRequest, db_url: str, tmp_path: Path) -> tuple[str, str]:
    """Two empty databases, from and to: SQLite and PostgreSQL, or back."""
    sqlite = f"sqlite:///{tmp_path / 'study.sqlite'}"
    return (sqlite, db_url) if request.param == "up" else (db_url, sqlite)


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
        view = answer(engine, token, name, view.step, value, measured={"response_ms": 0.1 + 0.2})
    return token


def rows(url: str) -> dict[str, int]:
    engine = open_database(url)
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in move.TABLES
        }


def hashes(url: str) -> dict[str, str]:
    engine = connect(url)
    both = move.compare(engine, engine)
    engine.dispose()
    return {name: tally.sha256 for name, tally in both[0].items()}


def test_everything_is_the_same_on_the_other_engine_and_back(urls, tmp_path, capsys):
    source, target = urls
    engine = connect(source)
    fill(engine)
    add_study(engine, name="second", pairs=4, protocol="real-or-fake")
    take_part(engine, "second", crowd(1, np.random.default_rng(1))[0], np.random.default_rng(1))
    before = hashes(source)
    assert len(set(before.values())) == len(move.TABLES), "all tables are filled"

    assert moved(source, target) == 0
    told = capsys.readouterr().out
    assert all(f"{table.name} " in told for table in move.TABLES)
    assert "DIFFERENT" not in told
    assert "What is rated later on the old database is not in it" in told
    back = f"sqlite:///{tmp_path / 'back.sqlite'}"
    assert moved(target, back) == 0
    assert before == hashes(source) == hashes(target) == hashes(back)


def test_raters_go_on_and_new_ones_come_after_the_move(urls):
    source, target = urls
    token = fill(connect(source))
    old = rows(source)
    assert moved(source, target) == 0
    there = connect(target)
    assert known(there, STUDY, Identity(f"Zoë of {STUDY}")) == token
    view = resume(there, token, STUDY)
    pictures = {name: picture(there, name) for name in view.pictures}
    assert all(pictures.values())
    while not isinstance(view, Finished):
        if isinstance(view, Pair):
            view = answer(there, token, STUDY, view.step, 7)
        elif isinstance(view, Feedback):
            view = go_on(there, token, STUDY)
        else:
            view = answer(there, token, STUDY, view.step, "thanks")
    run(there, STUDY, crowd(2, np.random.default_rng(2)), np.random.default_rng(2))
    new = rows(target)
    assert (new["rater"], new["session"]) == (old["rater"] + 2, old["session"] + 2)
    assert new["rating"] == 6 * 7, "each of the six rated all pairs once"
    add_study(there, name="later")


MILLISECONDS = st.floats(1, 86_400_000)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
DETAILS = st.dictionaries(st.text(), st.text() | NUMBERS)


def test_any_value_arrives_as_it_was(db_url, tmp_path):
    filled = tmp_path / "filled.sqlite"
    engine = connect(f"sqlite:///{filled}")
    token = fill(engine)
    engine.dispose()
    examples = (tmp_path / str(number) for number in count())
    there = connect(db_url)

    @settings(max_examples=5)
    @given(MILLISECONDS, MOMENTS, st.text(), DETAILS)
    def moves(milliseconds, moment, comment, detail):
        folder = next(examples)
        folder.mkdir()
        shutil.copy(filled, folder / "study.sqlite")
        urls = [f"sqlite:///{folder}/study.sqlite", db_url, f"sqlite:///{folder}/back.sqlite"]
        with there.begin() as connection:
            for table in reversed(move.TABLES):
                connection.execute(sa.delete(table))
        engine = connect(urls[0])
        with writing(engine) as database:
            rated = database.scalar(sa.select(Rating))
            rated.response_ms, rated.rated_at = milliseconds, moment
            found = database.scalar(sa.select(RatingSession).where(RatingSession.token == token))
            found.answers.append(Answer(step="comment", value=json.dumps(comment)))
            database.add(Event(study_id=found.study_id, kind="told", detail=detail))
        engine.dispose()
        assert moved(*urls[:2]) == moved(*urls[1:]) == 0
        assert hashes(urls[0]) == hashes(urls[1]) == hashes(urls[2])
        with reading(there) as database:
            assert moment in database.scalars(sa.select(Rating.rated_at)).all()
            assert milliseconds in database.scalars(sa.select(Rating.response_ms)).all()
            told = database.scalar(sa.select(Event).where(Event.kind == "told"))
            assert told.detail == detail

    moves()


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


def test_verify_finds_what_has_changed_on_one_side(urls, capsys):
    source, target = urls
    engine = connect(source)
    fill(engine)
    assert moved(source, target) == 0
    assert moved(source, target, "--verify") == 0
    with writing(engine) as database:
        trial = database.scalar(sa.select(Trial).where(Trial.shown_at.is_not(None)))
        trial.shown_at = trial.shown_at.replace(microsecond=(trial.shown_at.microsecond + 1) % 1000)
    capsys.readouterr()
    assert moved(source, target, "--verify") == 2
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "DIFFERENT" in line]
    assert line.startswith("trial ")


def test_a_target_that_holds_a_study_is_refused(urls, capsys):
    source, target = urls
    fill(connect(source))
    add_study(connect(target), name="mine")
    before = hashes(target)
    assert moved(source, target) == 2
    error = capsys.readouterr().err
    assert "holds a study already, mine; move into an empty database." in error
    assert error.count("\n") == 1
    assert hashes(target) == before
    assert moved(source, source) == 2
    assert f"holds a study already, {STUDY}" in capsys.readouterr().err


def test_what_fails_half_way_leaves_nothing(db_url, tmp_path, capsys):
    source = f"sqlite:///{tmp_path / 'study.sqlite'}"
    engine = connect(source)
    token = fill(engine)
    with writing(engine) as database:  # PostgreSQL cannot store it
        database.scalar(sa.select(Trial).order_by(Trial.id.desc())).token = "a\0b"
    assert moved(source, db_url) == 2
    error = capsys.readouterr().err
    assert error.startswith("study.move: Nothing was moved: ")
    assert error.count("\n") == 1
    assert set(rows(db_url).values()) == {0}
    with writing(engine) as database:
        database.scalar(sa.select(Trial).order_by(Trial.id.desc())).token = "ab"
    assert moved(source, db_url) == 0
    assert resume(connect(db_url), token, STUDY) is not None


def test_what_arrives_otherwise_is_noticed(db_url, tmp_path, capsys):
    target = f"sqlite:///{tmp_path / 'study.sqlite'}"
    fill(connect(db_url))
    with connect(target).begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER bad AFTER INSERT ON rating BEGIN"
            " UPDATE rating SET response_ms = response_ms + 1e-9 WHERE trial_id = new.trial_id; END"
        )
    assert moved(db_url, target) == 2
    assert capsys.readouterr().err == (
        "study.move: Nothing was moved: rating did not arrive whole.\n"
    )
    assert set(rows(target).values()) == {0}


def test_a_source_without_a_study_is_told_and_nothing_is_made(db_url, tmp_path, capsys):
    missing = f"sqlite:///{tmp_path / 'mistyped.sqlite'}"
    assert moved(missing, db_url) == 2
    assert "There is no database" in capsys.readouterr().err
    assert moved(db_url, missing) == 2
    assert "holds no study." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with open_database(db_url).connect() as connection:
        assert sa.inspect(connection).get_table_names() == []


@pytest.mark.parametrize("target", ["nonsense", "postgresql+psycopg://me:secret@127.0.0.1:1/x"])
def test_a_target_that_cannot_be_used_is_told_in_a_sentence(db_url, target, capsys):
    fill(connect(db_url))
    assert moved(db_url, target) == 2
    error = capsys.readouterr().err
    assert error.startswith("study.move: ")
    assert error.count("\n") == 1
    assert "secret" not in error


def test_memory_holds_few_pictures_at_once(urls):
    source, target = urls
    engine = connect(source)
    add_study(engine)
    picture, pictures = np.random.default_rng(0).bytes(2**20), 40
    with writing(engine) as database:
        study = database.scalar(sa.select(Study))
        for number in range(pictures):
            fields = {"purpose": "main", "kind": "apple", "condition": "control", "arm": "control"}
            fields |= {"gray_sha256": "", "color_sha256": "", "list_name": None}
            fields |= {"gray_png": picture, "color_png": picture, "picture": f"large {number}"}
            database.add(Stimulus(token=f"large {number}", study_id=study.id, **fields))
    tracemalloc.start()
    try:
        assert moved(source, target) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < pictures * 2 * 2**20 / 2, f"{peak:,} bytes"
