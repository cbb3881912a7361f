"""How a study stands, told live."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from study import status
from study.db.engine import connect, writing
from study.db.tables import Rater, RatingSession
from study.rate import begin
from study.simulate.raters import crowd, run
from tests.support.engines import each_engine
from tests.support.server import ROOT
from tests.support.tiny_study import STUDY, add_study


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    """Six people, three finished, two live, one stale, and four programs."""
    made = connect(db_url)
    add_study(made, pairs=4, quota=8)
    rng = np.random.default_rng(0)
    run(made, STUDY, crowd(3, rng, lazy=1), rng)
    with writing(made) as database:
        database.execute(sa.update(Rater).values(simulated=False))
    run(made, STUDY, crowd(4, rng), rng)
    tokens = [begin(made, STUDY, consent=True).token for _ in range(3)]
    with writing(made) as database:
        database.execute(
            sa.update(RatingSession)
            .where(RatingSession.token == tokens[0])
            .values(seen_at=datetime.now(UTC) - timedelta(minutes=61))
        )
    return made


@each_engine
def test_sessions_of_people_are_counted_by_list_and_programs_apart(engine, db_url, capsys):
    assert status.main(["--db", db_url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["study"] == STUDY
    assert told["total"] == {"started": 6, "finished": 3, "live": 2, "stale": 1}
    assert told["simulated"] == {"started": 4, "finished": 4, "live": 0, "stale": 0}
    assert sorted(told["lists"]) == ["A", "B"]
    for key, count in told["total"].items():
        assert sum(counts[key] for counts in told["lists"].values()) == count
    assert told["quota"] == 8
    assert told["checks"]["too fast"] == {"passed": 2, "failed": 1, "could not run": 0}
    assert told["checks"]["colour vision"]["passed"] == 3


def test_the_text_names_simulated_raters_first(engine, db_url, capsys):
    assert status.main(["--db", db_url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "Study tiny",
        "Simulated raters: 4, finished 4; not counted below",
    ]
    assert "all              6         3     2      1" in lines
    assert "Places: 5 of 8 taken, by those finished and live" in lines
    assert any(line.split() == ["too", "fast", "2", "1", "0"] for line in lines)


def test_without_a_study_or_database_it_says_so(db_url, tmp_path, capsys):
    connect(db_url)
    assert status.main(["--db", db_url]) == 2
    assert "There is no study in the database yet" in capsys.readouterr().err
    file = tmp_path / "mistyped.sqlite"
    assert status.main(["--db", f"sqlite:///{file}"]) == 2
    assert "There is no database" in capsys.readouterr().err
    assert not file.exists()


def test_a_study_that_nobody_began(engine, db_url, capsys):
    add_study(engine, name="fresh", pairs=4)
    assert status.main(["--db", db_url, "--study", "fresh"]) == 0
    printed = capsys.readouterr().out
    assert "Simulated raters: none" in printed
    assert "list B           0         0     0      0" in printed
    assert "Places: no limit" in printed
    assert "Checks" not in printed


@pytest.mark.process
def test_commands_that_only_ask_the_database_load_nothing_heavy():
    code = """if True:
        import sys
        from study import backup, forget, move, status
        heavy = {"torch", "numpy", "pandas", "scipy", "matplotlib", "gradio", "PIL", "skimage"}
        print(heavy & sys.modules.keys() or "nothing")
        from study.prepare import __main__  # --help and mistakes in a study file need no PyTorch
        print("torch" in sys.modules)
    """
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "nothing\nFalse\n", done.stderr


def test_a_copy_without_its_second_file_says_what_may_be_missing(tmp_path, capsys):
    file, copy = tmp_path / "study.sqlite", tmp_path / "copy.sqlite"
    engine = connect(f"sqlite:///{file}")

    def told(file: Path, code: int = 0) -> str:
        assert status.main(["--db", f"sqlite:///{file}"]) == code
        return capsys.readouterr().err

    add_study(engine, pairs=4)
    shutil.copy(file, copy)
    assert "There is no study in the database yet" in told(copy, 2)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint")
    begin(engine, STUDY, consent=True)
    assert told(file) == "", "while the page runs, both files are there"
    shutil.copy(file, copy)
    for _ in range(2):  # it is not forgotten by looking
        assert "copy.sqlite-wal, which lay beside it, was not: answers may be" in told(copy)
    engine.dispose()
    assert sorted(each.name for each in tmp_path.glob("study.*")) == ["study.sqlite"]
    shutil.copy(file, copy)
    assert told(copy) == ""
    assert status.status(connect(f"sqlite:///{copy}")).total.started == 1
