"""What the tab "Rate" shows a rater who opens the page or starts, without a browser."""

import sqlite3
from pathlib import Path

import gradio as gr
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from study.db.engine import connect, reading
from study.db.tables import RatingSession
from study.errors import StudyError
from study.plan.config import StudyConfig
from study.plan.texts import Texts
from study.rate import answer, resume
from study.rate.shown import show
from study.rate.visits import Visits
from tests.support.tiny_study import NO_QUESTIONS, STUDY, add_study

TEXTS = Texts()
CODE = "C1234"
VALUES = {"instructions": "read", "commenting": ""}  # Answers by panel; elsewhere 5.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


@pytest.fixture
def visits(file: Path, monkeypatch: pytest.MonkeyPatch) -> Visits:
    monkeypatch.setattr("study.db.engine.LOCK_SECONDS", 0.1)
    engine = connect(f"sqlite:///{file}")
    config: StudyConfig = add_study(
        engine, pairs=4, practice=0, checks=NO_QUESTIONS, completion={"code": CODE}
    )
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
        {"prolific_pid": "[PROLIFIC_PID]"},
        [("rater", "one"), ("Rater", "two")],
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


def finish(visits: Visits, token: str, shown: dict) -> dict:
    """Rate all pairs; returns what is shown at the end."""
    while panel(shown) != ["done"]:
        view = answer(visits.engine, token, STUDY, shown["step"], VALUES.get(panel(shown)[0], 5))
        shown = show(view, visits.config)
    return shown


def test_of_people_who_share_a_link_only_one_is_told_the_code(visits):
    """Both have opened the page before either starts; the second takes over, and finishes."""
    link = {"rater": "class-7"}
    _, first = visits.started(True, None, link)
    _, second = visits.started(True, None, link)
    with pytest.raises(StudyError, match="unknown"):
        answer(visits.engine, first["token"], STUDY, first["step"], "read")
    assert CODE in finish(visits, second["token"], second)["code"]
    for told in (visits.opened("", link, first["token"]), visits.started(True, None, link)[1]):
        assert TEXTS.link_used in told["problem"]
        assert not panel(told)
    told = visits.opened("", link, second["token"])
    assert panel(told) == ["done"]
    assert CODE in told["code"]


def test_a_link_goes_on_in_the_same_browser_and_in_another_one(visits):
    _, shown = visits.started(True, None, {"rater": "Müller"})
    again = visits.opened("", [("RATER", "Mu\u0308ller"), ("rater", " Müller ")], shown["token"])
    assert again["token"] == shown["token"]
    elsewhere = visits.opened("", {"rater": "Müller"})
    assert elsewhere["token"] not in ("", shown["token"])
    assert panel(elsewhere) == ["instructions"]


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
