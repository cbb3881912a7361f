"""The exported files: complete, explained, safe to open, and nobody named unless asked for."""

import codecs
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from study import forget
from study.db.engine import connect, reading, writing
from study.db.tables import Stimulus, Study
from study.export import __main__ as export
from study.export.tables import TABLES
from study.rate import Feedback, Finished, Identity, Pair, answer, begin, go_on
from study.report import __main__ as report
from study.simulate.raters import crowd, run
from tests.support.engines import each_engine
from tests.support.tiny_study import STUDY, add_study

SECRET = "5f3c-prolific-id"
COMMENT = '=HYPERLINK("http://example.org")\nsecond line, with "quotes" and \N{SNOWMAN}'


def send_person(
    engine: sa.Engine,
    comment: str,
    *,
    identity: Identity | None = None,
    leave_at: int | None = None,
) -> None:
    """A rater who rates the first pair 1, the second 2...; who gives up at the pair `leave_at`."""
    token, view = begin(engine, STUDY, consent=True, identity=identity)
    measured = {"response_ms": 1500, "viewport_width": 800}
    while not isinstance(view, Finished):
        if isinstance(view, Feedback):
            view = go_on(engine, token, STUDY)
            continue
        if isinstance(view, Pair):
            if not view.practice and view.number == leave_at:
                return
            value = view.number
        else:
            value = [*view.choices][-1] if view.choices else comment
        view = answer(engine, token, STUDY, view.step, value, measured=measured)


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    """Raters 1 and 2 are simulated, 3 finished, and 4 left at the third pair."""
    made = connect(db_url)
    add_study(made, pairs=4)
    rng = np.random.default_rng(0)
    run(made, STUDY, crowd(2, rng), rng)
    send_person(made, COMMENT, identity=Identity(SECRET, "S-1", "=V"))
    send_person(made, "", identity=Identity(f"{SECRET}-2"), leave_at=3)
    return made


def read(file: Path) -> list[dict]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_every_column_is_explained_and_every_explained_column_is_there(engine, db_url, tmp_path):
    arguments = ["--to", str(tmp_path / "out"), "--db", db_url, "--with-participants"]
    assert export.main(arguments) == 0
    explained = json.loads((tmp_path / "out" / "codebook.json").read_text())["tables"]
    text = (tmp_path / "out" / "codebook.md").read_text()
    assert sorted(explained) == sorted(TABLES)
    for name, table in explained.items():
        rows = read(tmp_path / "out" / f"{name}.csv")
        assert list(rows[0]) == list(table["columns"])
        assert list(json.loads((tmp_path / "out" / f"{name}.json").read_text())[0]) == list(rows[0])
        for column, what in table["columns"].items():
            assert f"| {column} | {what['meaning']} | {what['values']} |" in text


@each_engine
def test_csv_and_json_hold_the_same_and_all_of_it(engine, db_url, tmp_path):
    assert export.main(["--to", str(tmp_path / "out"), "--db", db_url]) == 0
    for name in ("ratings", "sessions", "answers", "checks", "events", "stimuli"):
        rows = read(tmp_path / "out" / f"{name}.csv")
        records = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        assert len(rows) == len(records) > 0
        for row, record in zip(rows, records, strict=True):
            for column, value in record.items():
                if value is None:
                    assert row[column] == ""
                elif isinstance(value, bool):
                    assert row[column] == str(value).lower()
                elif isinstance(value, int | float):
                    assert float(row[column]) == value
                else:
                    assert row[column].removeprefix("'") == value.replace("\r\n", "\n")
    ratings = json.loads((tmp_path / "out" / "ratings.json").read_text())
    purposes = [row["purpose"] for row in ratings]
    assert {p: purposes.count(p) for p in purposes} == {
        "practice": 8,
        "main": 4 * 3 + sum(row["rater"] == 4 and row["purpose"] == "main" for row in ratings),
        "attention": 3
        + sum(row["rater"] == 4 and row["purpose"] == "attention" for row in ratings),
    }
    assert [row["rated"] for row in read(tmp_path / "out" / "sessions.csv")] == ["7", "7", "7", "4"]
    person = [row for row in ratings if row["rater"] == 3 and row["purpose"] != "practice"]
    assert [row["rating"] for row in person] == [1, 2, 3, 4, 5]
    assert {row["response_ms"] for row in person} == {1500}
    assert {row["viewport_height"] for row in person} == {None}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    with reading(engine) as database:
        assert manifest["manifest_sha256"] == database.scalar(sa.select(Study.manifest_sha256))


def test_simulated_raters_are_marked_in_every_file(engine, db_url, tmp_path):
    export.main(["--to", str(tmp_path / "out"), "--db", db_url])
    for name in ("ratings", "sessions", "answers", "checks", "events"):
        for row in read(tmp_path / "out" / f"{name}.csv"):
            assert row["simulated"] == ("true" if int(row["rater"]) < 3 else "false")


def test_nobody_is_named_unless_asked_for(engine, db_url, tmp_path):
    export.main(["--to", str(tmp_path / "without"), "--db", db_url])
    for file in (tmp_path / "without").iterdir():
        assert SECRET not in file.read_text()
        assert "participants" not in file.name
    export.main(["--to", str(tmp_path / "with"), "--db", db_url, "--with-participants"])
    rows = read(tmp_path / "with" / "participants.csv")
    assert [(row["rater"], row["external_id"]) for row in rows] == [
        ("3", SECRET),
        ("4", f"{SECRET}-2"),
    ]
    named = [file.name for file in (tmp_path / "with").iterdir() if SECRET in file.read_text()]
    assert sorted(named) == ["participants.csv", "participants.json"]


def test_no_token_of_a_browser_leaves_the_database(engine, db_url, tmp_path):
    export.main(["--to", str(tmp_path / "out"), "--db", db_url, "--with-participants"])
    with engine.connect() as connection:
        for query in (
            "SELECT token FROM session",
            "SELECT token FROM trial",
            "SELECT first_token FROM trial",
        ):
            for token in connection.exec_driver_sql(query).scalars():
                for file in (tmp_path / "out").iterdir():
                    assert token not in file.read_text()


def test_no_cell_is_a_formula_and_numbers_stay_numbers(engine, db_url, tmp_path):
    starts = "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1", "＝1", "＋1", "－1", "＠1", "'=1", "fine"
    for start in starts:
        send_person(engine, start)
    export.main(["--to", str(tmp_path / "out"), "--db", db_url, "--with-participants"])
    comments = [
        row["answer"]
        for row in read(tmp_path / "out" / "answers.csv")
        if row["question"] == "comment"
    ]
    assert f"'{COMMENT}" in comments
    assert [c for c in comments if c and c[0] in "=+-@\t\r\n＝＋－＠"] == []
    assert {"'+1", "'-1", "'@SUM(A1)", "'=1", "fine"} <= set(comments)
    assert read(tmp_path / "out" / "participants.csv")[0]["session_ref"] == "'=V"
    raw = (tmp_path / "out" / "ratings.csv").read_text()
    assert {row["position"] for row in read(tmp_path / "out" / "ratings.csv")} >= {"-1", "0", "1"}
    assert "'" not in raw
    said = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert COMMENT in [row["answer"] for row in said], "JSON has it as it was given"
    assert "apostrophe" in (tmp_path / "out" / "codebook.md").read_text()


def test_a_spreadsheet_is_told_the_encoding_where_wanted(engine, db_url, tmp_path):
    for folder, more in (("plain", []), ("excel", ["--excel"])):
        assert export.main(["--to", str(tmp_path / folder), "--db", db_url, *more]) == 0
    for file in (tmp_path / "excel").glob("*.csv"):
        plain = (tmp_path / "plain" / file.name).read_bytes()
        assert file.read_bytes() == codecs.BOM_UTF8 + plain
    for file in (tmp_path / "excel").glob("*.json"):
        assert file.read_bytes() == (tmp_path / "plain" / file.name).read_bytes()
    assert report.main(["--ratings", str(tmp_path / "excel" / "ratings.csv")]) == 0


def test_the_report_of_the_file_is_that_of_the_database(engine, db_url, tmp_path, capsys):
    for _ in range(6):
        send_person(engine, "")
    export.main(["--to", str(tmp_path / "out"), "--db", db_url, "--format", "csv"])
    capsys.readouterr()
    found = []
    for source in (["--db", db_url], ["--ratings", str(tmp_path / "out" / "ratings.csv")]):
        assert report.main([*source, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    for ours, theirs in zip(*(each["conditions"] for each in found), strict=True):
        assert ours == theirs
    assert not list((tmp_path / "out").glob("ratings.json"))


def test_a_study_that_nobody_began_and_one_whose_raters_are_forgotten(engine, db_url, tmp_path):
    add_study(engine, name="fresh", pairs=4)
    assert export.main(["--to", str(tmp_path / "fresh"), "--db", db_url]) == 0
    assert read(tmp_path / "fresh" / "ratings.csv") == []
    header = (tmp_path / "fresh" / "ratings.csv").read_text().strip().split(",")
    assert header == [column.name for column in TABLES["ratings"].columns]
    assert len(read(tmp_path / "fresh" / "stimuli.csv")) == 11
    for number in (1, 2, 3, 4):
        forget.forget(engine, number)
    arguments = ["--to", str(tmp_path / "left"), "--db", db_url, "--study", STUDY]
    assert export.main(arguments) == 0
    events = read(tmp_path / "left" / "events.csv")
    assert [event["kind"] for event in events] == ["forgotten"] * 4
    assert {event["rater"] for event in events} == {""}


def test_a_real_or_fake_study_tells_side_and_choice(db_url, tmp_path):
    engine = connect(db_url)
    add_study(engine, protocol="real-or-fake", pairs=4, practice=2)
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(1, rng), rng)
    export.main(["--to", str(tmp_path / "out"), "--db", db_url])
    for row in read(tmp_path / "out" / "ratings.csv"):
        assert float(row["rating"]) == (row["choice"] != row["side"])


def test_a_failed_export_leaves_nothing_half_written(engine, db_url, tmp_path, monkeypatch, capsys):
    whole = Path.write_bytes

    def full_disk(file: Path, content: bytes) -> int:
        if file.name == "events.csv":
            whole(file, content[:10])
            raise OSError(28, "No space left on device")
        return whole(file, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    assert export.main(["--to", str(tmp_path / "out"), "--db", db_url]) == 2
    assert "cannot be written: No space left on device." in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.undo()
    assert export.main(["--to", str(tmp_path / "out"), "--db", db_url]) == 0


def test_what_cannot_be_exported_is_told_in_one_sentence(engine, db_url, tmp_path, capsys):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    file = tmp_path / "file"
    file.write_text("mine")
    missing = f"sqlite:///{tmp_path / 'mistyped.sqlite'}"
    for arguments, sentence in (
        (["--to", str(full), "--db", db_url], "is not empty"),
        (["--to", str(file), "--db", db_url], "cannot be written"),
        (["--to", str(tmp_path / "x"), "--db", missing], "There is no database"),
        (["--to", str(tmp_path / "x"), "--db", db_url, "--study", "y"], "There is no study 'y'"),
    ):
        assert export.main(arguments) == 2
        error = capsys.readouterr().err
        assert sentence in error
        assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()
    with writing(engine) as database:
        database.execute(sa.update(Stimulus).values(color_png=b"another picture"))
    assert export.main(["--to", str(tmp_path / "x"), "--db", db_url]) == 2
    assert "is not the one that was frozen" in capsys.readouterr().err
