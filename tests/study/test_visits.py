"""What the tab "Rate" shows a rater who opens the page or starts, without a browser."""

import sqlite3
from pathlib import Path

import gradio as gr
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from study.db.engine import connect, reading
from study.db.tables import RatingSession
from study.plan.config import StudyConfig
from study.plan.texts import Texts
from study.rate import answer, resume
from study.rate.visits import Visits
from tests.support.tiny_study import NO_QUESTIONS, STUDY, add_study

TEXTS = Texts()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


@pytest.fixture
def visits(file: Path, monkeypatch: pytest.MonkeyPatch) -> Visits:
    monkeypatch.setattr("study.db.engine.LOCK_SECONDS", 0.1)
    engine = connect(f"sqlite:///{file}")
    config: StudyConfig = add_study(engine, pairs=4, practice=0, checks=NO_QUESTIONS)
    return Visits(engine, STUDY, config)


def panel(shown: dict) -> list[str]:
    """The panels in sight."""
    return [name for name, new in shown.items() if new == gr.update(visible=True)]


def test_an_address_that_names_nobody_is_one_sentence(visits):
    for parameters in (
        {"rater": ""},
        {"rater": " "},
        {"rater": "x" * 101},
        {"PROLIFIC_PID": "a\0b"},
        {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}", "STUDY_ID": "a"},
        {"rater": "#12"},  # The way in which study.forget calls rater number 12.
        {"STUDY_ID": "a", "SESSION_ID": "b"},
    ):
        shown = visits.opened("", parameters)
        assert TEXTS.bad_link in shown["problem"]
        assert not panel(shown)
        kept, shown = visits.started(True, None, parameters)
        assert TEXTS.bad_link in shown["problem"]
        assert kept == gr.skip()


def test_an_address_that_names_a_rater_takes_precedence_over_the_kept_token(visits):
    mine, shown = visits.started(True, None, {})
    assert panel(shown) == ["instructions"]
    assert panel(visits.opened(mine, {"rater": "second"})) == ["welcome"]
    kept, shown = visits.started(True, None, {"rater": "second"})
    assert kept == gr.skip(), "the token of a named rater stays out of the browser"
    answer(visits.engine, shown["token"], STUDY, "instructions", "read")
    assert panel(visits.opened(mine, {"rater": "second"})) == ["rating_panel"]
    assert panel(visits.opened(mine, {})) == ["instructions", "somebody_else"]
    assert panel(visits.opened("", {})) == ["welcome"]


def test_a_database_that_is_locked_right_after_the_start_takes_no_place_away(visits, file):
    other = sqlite3.connect(file, isolation_level=None)

    def lock(_) -> None:
        other.execute("BEGIN IMMEDIATE")

    sa.event.listen(Session, "after_commit", lock, once=True)
    token, shown = visits.started(True, None, {})
    assert panel(shown) == ["instructions"]
    assert shown["problem"] == ""
    assert TEXTS.unreachable in visits.opened(token, {})["problem"]
    other.execute("ROLLBACK")
    assert resume(visits.engine, token, STUDY).step == "instructions"
    with reading(visits.engine) as database:
        assert database.scalar(sa.select(sa.func.count()).select_from(RatingSession)) == 1
