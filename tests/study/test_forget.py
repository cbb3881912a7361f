"""Forgetting a rater: all of it, and nothing of others."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from study import forget
from study.db import queries
from study.db.engine import connect, reading, writing
from study.db.tables import Base, Event, Participant
from study.errors import StudyError
from study.plan.questions import QUESTIONS, Question
from study.rate import Feedback, Finished, Identity, answer, begin, go_on, known, resume
from study.simulate.raters import SimulatedRater, run
from tests.support.engines import each_engine
from tests.support.tiny_study import STUDY, add_study

SECRET = "5f3c-prolific-id"
COMMENT = "my cat's name is Xenophon"


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    """A study with a simulated rater (1), a recruited one with a comment (2), another (3)."""
    made = connect(db_url)
    add_study(made, pairs=4)
    run(made, STUDY, [SimulatedRater()], np.random.default_rng(0))
    for name in (SECRET, "somebody else"):
        token, view = begin(made, STUDY, consent=True, identity=Identity(name, "S1", "V1"))
        while not isinstance(view, Finished):
            if isinstance(view, Question):
                value = view.simulated if view.choices else COMMENT
                view = answer(made, token, STUDY, view.step, value)
            elif isinstance(view, Feedback):
                view = go_on(made, token, STUDY)
            else:
                view = answer(made, token, STUDY, view.step, 5)
    return made


def rows(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }


@each_engine
@pytest.mark.parametrize("who", [[SECRET], ["#2"], ["--number", "2"]])
def test_all_of_a_rater_is_deleted_and_nothing_of_others(engine, db_url, capsys, who):
    before, kept = rows(engine), queries.ratings(engine)
    assert forget.main([*who, "--db", db_url, "--yes"]) == 0
    printed = capsys.readouterr().out
    assert "Rater 2 is forgotten" in printed
    checks = 3 + sum(bool(question.check) for question in QUESTIONS)
    assert f"ratings 7, checks {checks}, answers {len(QUESTIONS)}" in printed
    assert "identities 1" in printed
    assert SECRET not in printed
    after = rows(engine)
    for table in ("rating", "trial"):
        assert after[table] == before[table] - 7
    for table in ("session", "participant"):
        assert after[table] == before[table] - 1
    for table in ("study", "stimulus", "rater"):
        assert after[table] == before[table]
    left = queries.ratings(engine)
    assert left.equals(kept[kept.rater != 2].reset_index(drop=True))
    with reading(engine) as database:
        event = database.scalars(sa.select(Event).where(Event.kind == "forgotten")).one()
        assert event.session_id is None
        assert event.detail["ratings"] == 7
        assert set(event.detail) == {
            "ratings",
            "checks",
            "answers",
            "events",
            "trials",
            "identities",
        }
        assert database.scalars(sa.select(Participant.external_id)).all() == ["somebody else"]


def test_nothing_of_a_forgotten_rater_is_left_in_the_files(tmp_path, capsys):
    file = tmp_path / "study.sqlite"
    url = f"sqlite:///{file}"
    engine = connect(url)
    add_study(engine, **{"pairs": 4, "practice": 0})
    tokens = []
    for number in range(60):  # enough rows for pages to be split and moved
        who = Identity(f"{SECRET}-{number}" * 3, "S1", "V1")
        token = begin(engine, STUDY, consent=True, identity=who).token
        with writing(engine) as database:
            database.execute(
                sa.text("INSERT INTO answer VALUES (:session, 'comment', :said, '2025-01-01')"),
                {"session": number + 1, "said": f"{COMMENT} {number}"},
            )
        tokens.append(token)

    def found(text: str) -> bool:
        return any(text.encode() in each.read_bytes() for each in tmp_path.iterdir())

    for number in (7, 30):
        secrets = (f"{SECRET}-{number}{SECRET}", f"{COMMENT} {number}", tokens[number])
        assert all(found(secret) for secret in secrets)
        assert forget.main([f"{SECRET}-{number}" * 3, "--db", url, "--yes"]) == 0
        assert not any(found(secret) for secret in secrets)
    assert found(f"{SECRET}-8{SECRET}"), "others stay"


def test_a_forgotten_session_is_unknown_to_the_browser_that_goes_on(engine):
    token, view = begin(engine, STUDY, consent=True, identity=Identity("late"))
    forget.forget(engine, 4)
    assert resume(engine, token, STUDY) is None
    assert known(engine, STUDY, Identity("late")) is None
    with pytest.raises(StudyError, match="unknown here"):
        answer(engine, token, STUDY, view.step, "normal")
    with pytest.raises(StudyError, match="no rater number 4"):
        forget.forget(engine, 4)


@each_engine
def test_nobody_gets_the_number_of_a_forgotten_rater(engine):
    newest = max(queries.ratings(engine).rater)
    forget.forget(engine, newest)
    begin(engine, STUDY, consent=True, identity=Identity("next"))
    assert forget.find(engine, "next") == [newest + 1]


def test_an_id_is_forgotten_in_all_studies_or_in_one(engine, db_url, capsys):
    for name in ("second", "third"):
        add_study(engine, name=name, pairs=4)
        begin(engine, name, consent=True, identity=Identity(SECRET))
    assert forget.main([SECRET, "--db", db_url, "--study", "third", "--yes"]) == 0
    assert rows(engine)["participant"] == 3
    assert forget.main([SECRET, "--db", db_url, "--yes"]) == 0
    assert capsys.readouterr().out.count("is forgotten") == 3
    assert rows(engine)["participant"] == 1


@pytest.mark.parametrize(("said", "deleted"), [("y\n", 1), ("n\n", 0), ("\n", 0), ("", 0)])
def test_it_asks_first(engine, db_url, monkeypatch, capsys, said, deleted):
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    before = rows(engine)["session"]
    assert forget.main([SECRET, "--db", db_url]) == 0
    assert rows(engine)["session"] == before - deleted
    assert ("Nothing was deleted" in capsys.readouterr().out) == (not deleted)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody"], "There is no rater 'nobody'."),
        (["#99"], "There is no rater number 99."),
        (["--number", "99"], "There is no rater number 99."),
        ([SECRET, "--study", "other"], "There is no study 'other'; there are: tiny."),
    ],
)
def test_an_unknown_rater_is_told_in_one_sentence(engine, db_url, capsys, arguments, sentence):
    assert forget.main([*arguments, "--db", db_url, "--yes"]) == 2
    assert capsys.readouterr().err == f"study.forget: {sentence}\n"


def test_a_busy_database_is_told_and_can_be_wiped_later(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("study.db.engine.LOCK_SECONDS", 0.2)
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    engine = connect(url)
    add_study(engine, pairs=4)
    begin(engine, STUDY, consent=True, identity=Identity(SECRET))
    with engine.connect() as reader:
        reader.exec_driver_sql("SELECT * FROM participant").all()
        assert forget.main([SECRET, "--db", url, "--yes"]) == 2
    told = capsys.readouterr()
    assert "Rater 1 is forgotten" in told.out
    assert "study.forget --wipe" in told.err
    assert forget.main(["--wipe", "--db", url]) == 0
    assert not any(SECRET.encode() in file.read_bytes() for file in Path(tmp_path).iterdir())
