"""Simulated raters go through whole studies, which find what is known of them."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from study.db import queries
from study.db.engine import connect, reading
from study.db.tables import QualityCheck, Rater, RatingSession, Trial
from study.errors import StudyError
from study.rate import begin
from study.simulate import __main__ as simulate
from study.simulate.raters import SimulatedRater, crowd, run, take_part
from tests.support.engines import each_engine
from tests.support.tiny_study import STUDY, add_study


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    return connect(db_url)


def outcomes(engine: sa.Engine, name: str) -> list[str]:
    table = queries.checks(engine, STUDY)
    return table[table.name == name].outcome.tolist()


def test_a_crowd_goes_through_a_whole_study_and_its_effect_is_found(engine):
    add_study(engine, pairs=20)
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(8, rng, effect=3), rng)
    table = queries.ratings(engine, STUDY)
    assert len(table) == 8 * 20
    assert table.finished.all()
    assert table.simulated.all()
    assert table.groupby("list").rater.nunique().tolist() == [4, 4]
    means = table.groupby("condition").rating.mean()
    assert 2.2 < means["control"] - means["generated"] < 3.8
    checks = queries.checks(engine, STUDY)
    assert set(checks.name) == {
        "attention",
        "too fast",
        "one answer throughout",
        "colour vision",
    }
    assert set(checks.outcome) == {"passed"}


def test_the_same_seed_gives_the_same_study(tmp_path):
    columns, tables = ["list", "position", "picture", "arm", "rating"], []
    for name in ("first", "second"):
        engine = connect(f"sqlite:///{tmp_path / name}.sqlite")
        add_study(engine, pairs=4)
        rng = np.random.default_rng(7)
        run(engine, STUDY, crowd(3, rng), rng)
        tables.append(queries.ratings(engine, STUDY)[columns])
        engine.dispose()
    assert tables[0].equals(tables[1])


def test_several_models_are_shown_equally_often(engine):
    add_study(engine, arms=("control", "colornet", "paper"), pairs=9)
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(3, rng), rng)
    table = queries.ratings(engine, STUDY)
    assert table.groupby("arm").size().tolist() == [9, 9, 9]
    assert (table.groupby(["picture", "arm"]).size() == 1).all(), "a Latin square"


def test_fakes_without_effect_fool_half_of_the_time_and_others_seldom(engine):
    add_study(engine, protocol="real-or-fake", pairs=20, practice=2)
    rng = np.random.default_rng(0)
    fooled = []
    for effect in (0, 3):
        before = len(queries.ratings(engine, STUDY))
        run(engine, STUDY, [SimulatedRater(effect=effect) for _ in range(4)], rng)
        fooled.append(queries.ratings(engine, STUDY).rating[before:].mean())
    assert 0.38 < fooled[0] < 0.62
    assert fooled[1] < 0.1
    with reading(engine) as database:
        sides = database.execute(
            sa.select(Trial.session_id, Trial.side).where(Trial.position >= 1)
        ).all()
    for session_id in {session_id for session_id, _ in sides}:
        own = [side for of, side in sides if of == session_id]
        assert abs(own.count("left") - own.count("right")) <= 1, "a guess is right half the time"


def test_severe_raters_rate_lower(engine):
    add_study(engine, pairs=20)
    rng = np.random.default_rng(0)
    run(engine, STUDY, [SimulatedRater(severity=severity) for severity in (-1, 3)], rng)
    means = queries.ratings(engine, STUDY).groupby("rater").rating.mean().tolist()
    assert means[0] > means[1] + 2


@pytest.mark.parametrize("protocol", ["rating", "real-or-fake"])
def test_lazy_raters_fail_the_checks_and_others_pass(engine, protocol):
    add_study(engine, protocol=protocol, pairs=10)
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(3, rng, effect=2, lazy=1), rng)
    for name in ("too fast", "one answer throughout"):
        assert outcomes(engine, name) == ["passed", "passed", "failed"]
    assert outcomes(engine, "attention")[:2] == ["passed", "passed"]


@each_engine
def test_lists_stay_even_when_raters_begin_at_the_same_moment(engine):
    add_study(engine, arms=("control", "colornet", "paper"), pairs=6, practice=0)
    raters = [SimulatedRater() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(
            threads.map(
                lambda number: take_part(
                    engine, STUDY, raters[number], np.random.default_rng(number)
                ),
                range(6),
            )
        )
    with reading(engine) as database:
        counts = database.execute(
            sa.select(RatingSession.list_name, sa.func.count()).group_by(RatingSession.list_name)
        ).all()
        checks = database.scalar(sa.select(sa.func.count()).select_from(QualityCheck))
    assert sorted(counts) == [("A", 2), ("B", 2), ("C", 2)]
    table = queries.ratings(engine, STUDY)
    assert len(table) == 6 * 6
    assert table.finished.all()
    assert checks == 6 * 4


def test_simulated_raters_take_no_places_of_people(engine):
    add_study(engine, quota=2)
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(2, rng), rng)
    with pytest.raises(StudyError, match="Enough people"):
        run(engine, STUDY, crowd(1, rng), rng)
    for _ in range(2):
        begin(engine, STUDY, consent=True)
    with reading(engine) as database:
        assert database.scalars(sa.select(Rater.simulated).order_by(Rater.id)).all() == [
            True,
            True,
            False,
            False,
        ]
        of_people = database.scalars(
            sa.select(RatingSession.list_name).join(Rater).where(Rater.simulated.is_(False))
        )
        assert sorted(of_people) == ["A", "B"]


def test_the_command_fills_a_database_and_says_what_it_did(ready_study, tmp_path, capsys):
    url = f"sqlite:///{shutil.copy(ready_study, tmp_path / 'pilot.sqlite')}"
    arguments = ["run", "--raters", "2", "--lazy", "1", "--into", url]
    assert simulate.main(arguments) == 0
    assert "2 simulated raters went through the study rendered." in capsys.readouterr().out
    table = queries.ratings(connect(url))
    assert table.simulated.all()
    assert table.groupby("rater").size().tolist() == [10, 10]
    assert table[table.rater == 2].rating.nunique() == 1, "the lazy one"
    assert simulate.main([*arguments, "--study", "nobody"]) == 2
    assert capsys.readouterr().err == (
        "study.simulate: There is no study 'nobody'; there are: rendered.\n"
    )
    assert simulate.main(["run", "--into", "nonsense"]) == 2
    assert "not a database URL" in capsys.readouterr().err
