"""Whole studies: frozen, rated by simulated raters, reported; on SQLite and on PostgreSQL."""

import json

import numpy as np
import pytest
import sqlalchemy as sa

from study import backup, forget, move, status
from study.audit import __main__ as audit
from study.db import queries
from study.db.engine import connect, reading, writing
from study.db.tables import Rater, Stimulus, Study
from study.export import __main__ as export
from study.plan.questions import Question
from study.rate import Feedback, answer, begin, go_on
from study.report import __main__ as report
from study.simulate.raters import crowd, run
from tests.support.engines import each_engine
from tests.support.tiny_study import STUDY, add_study


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    """A database with a study of four pairs."""
    made = connect(db_url)
    add_study(made, pairs=4)
    return made


def rate(engine: sa.Engine, raters: int, effect: float = 3, *, as_people: bool = True) -> None:
    """Send raters through the study; they are taken for people from then on."""
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(raters, rng, effect=effect), rng)
    if as_people:
        with writing(engine) as database:
            database.execute(sa.update(Rater).values(simulated=False))


@each_engine
def test_a_whole_study_ends_in_the_report_with_every_rating(engine, db_url, capsys):
    rate(engine, 6)
    table = queries.ratings(engine)
    assert table.finished.all()
    assert table.groupby(["rater", "condition"]).size().tolist() == [2] * 12
    assert (table.groupby(["picture", "condition"]).size() == 3).all()
    assert report.main(["--db", db_url, "--json"]) == 0
    reported = {row["condition"]: row for row in json.loads(capsys.readouterr().out)["conditions"]}
    for condition in ("control", "generated"):
        means = table[table.condition == condition].groupby("rater").rating.mean()
        assert reported[condition]["mean"] == pytest.approx(means.mean())
    assert reported["control"]["mean"] > reported["generated"]["mean"] + 1


def test_a_report_of_simulated_raters_says_so_first_and_what_was_frozen_last(
    engine, db_url, capsys
):
    rate(engine, 4, as_people=False)
    assert report.main(["--db", db_url]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert "simulated" in first.lower()
    with reading(engine) as database:
        assert last.endswith(f" manifest: {database.scalar(sa.select(Study.manifest_sha256))}")


def test_without_ratings_the_report_says_so(engine, db_url, capsys):
    assert report.main(["--db", db_url]) == 0
    assert "No ratings yet in study tiny." in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        report.main,
        audit.main,
        status.main,
        lambda flags: export.main(["--to", "out", *flags]),
        lambda flags: backup.main(["--to", "out", *flags]),
        lambda flags: forget.main(["--number", "1", *flags]),
        lambda flags: move.main(["--from", flags[1], "--to", "sqlite:///out"]),
    ],
)
def test_what_reads_a_database_makes_none(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command(["--db", "sqlite:///mistyped.sqlite"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "There is no database mistyped.sqlite" in err
    assert list(tmp_path.iterdir()) == []


def test_unfinished_sessions_are_told_and_left_out(engine, db_url, capsys):
    rate(engine, 2)
    token, view = begin(engine, STUDY, consent=True)
    while len(queries.ratings(engine)) < 10:  # Main pairs, wherever the attention check is.
        if isinstance(view, Question):
            view = answer(engine, token, STUDY, view.step, view.simulated)
        elif isinstance(view, Feedback):
            view = go_on(engine, token, STUDY)
        else:
            view = answer(engine, token, STUDY, view.step, 10)
    report.main(["--db", db_url, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["ratings"] == 8
    assert told["sessions"]["unfinished_with_ratings"] == 1
    assert told["sessions"]["unfinished_ratings"] == 2


def test_an_unknown_study_is_named_with_those_there_are(engine, db_url, capsys):
    assert report.main(["--db", db_url, "--study", "nobody"]) == 2
    assert "There is no study 'nobody'; there are: tiny." in capsys.readouterr().err


def test_a_read_only_database_can_be_reported_on(engine, db_url, capsys):
    rate(engine, 2)
    engine.dispose()
    file = db_url.removeprefix("sqlite:///")
    assert report.main(["--db", f"sqlite:///file:{file}?mode=ro&uri=true", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ratings"] == 8


def test_a_changed_picture_is_found_before_it_is_reported(engine, db_url, capsys):
    rate(engine, 1)
    with writing(engine) as database:
        database.execute(sa.update(Stimulus).values(color_png=b"another picture"))
    assert report.main(["--db", db_url]) == 2
    assert "is not the one that was frozen" in capsys.readouterr().err
