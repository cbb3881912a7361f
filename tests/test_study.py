"""A study from preparation to the table of ratings, on SQLite and on PostgreSQL."""

import hashlib
import io
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from model.color import rgb_to_lab_exact
from study import design, prepare, report, session, store, texts
from study.store import Rating, RatingSession, Stimulus, Study, StudyError, Trial

STUDY = "test"


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    """A database with a frozen study of rendered pictures."""
    arguments = ["--rendered", "--seed", "1", "--name", STUDY, "--db", db_url]
    assert prepare.main(arguments) == 0
    return store.connect(db_url)


def rate_all(engine: sa.Engine, rating_of) -> str:
    """Send one rater through the study; `rating_of(number)` is the answer to each pair."""
    token = session.begin(engine, STUDY, consent=True)
    view = session.resume(engine, token, STUDY)
    while isinstance(view, session.Pair):
        view = session.rate(engine, token, STUDY, view.trial, rating_of(view.number))
    assert view == session.Finished(10)
    return token


def count(engine: sa.Engine, table) -> int:
    with store.reading(engine) as database:
        return database.scalar(sa.select(sa.func.count()).select_from(table))


# Stimuli


def test_a_study_shows_five_controls_and_five_generated_pictures_of_all_kinds(engine):
    with store.reading(engine) as database:
        study = store.find_study(database, STUDY)
        shown = [s for s in study.stimuli if s.list_name == design.SHOWN_LIST]
        pictures = {stimulus.picture for stimulus in study.stimuli}
    conditions = [stimulus.condition for stimulus in shown]
    kinds = [stimulus.kind for stimulus in shown]
    assert len(shown) == len(pictures) == 10, "each picture is shown once"
    assert conditions.count("control") == conditions.count("generated") == 5
    assert sorted(kinds.count(kind) for kind in design.KINDS) == [3, 3, 4]
    for kind in design.KINDS:
        of_kind = [s.condition for s in shown if s.kind == kind]
        assert abs(of_kind.count("control") - of_kind.count("generated")) <= 1


def test_both_versions_of_a_picture_differ_in_nothing_but_their_colours(engine):
    with store.reading(engine) as database:
        rows = database.execute(
            sa.select(
                Stimulus.picture,
                Stimulus.condition,
                Stimulus.gray_png,
                Stimulus.color_png,
                Stimulus.gray_sha256,
                Stimulus.color_sha256,
            )
        ).all()
    versions = {(row.picture, row.condition): row for row in rows}
    for picture in {row.picture for row in rows}:
        control, generated = versions[picture, "control"], versions[picture, "generated"]
        assert control.gray_png == generated.gray_png
        assert len(control.color_png) == len(generated.color_png), "file sizes tell nothing"
        images = [
            Image.open(io.BytesIO(row))
            for row in (control.gray_png, control.color_png, generated.color_png)
        ]
        assert len({(image.size, image.mode, image.format) for image in images}) == 1
        assert all(image.info == {} for image in images), "no metadata"
        gray, true, painted = [rgb_to_lab_exact(np.array(image)) for image in images]
        assert np.abs(true[..., 0] - gray[..., 0]).max() < 1
        assert np.abs(painted[..., 0] - gray[..., 0]).max() < 1
        assert np.abs(true - painted)[..., 1:].max() > 5
        assert np.abs(gray[..., 1:]).max() < 0.1
    for row in rows:
        assert hashlib.sha256(row.gray_png).hexdigest() == row.gray_sha256
        assert hashlib.sha256(row.color_png).hexdigest() == row.color_sha256


def test_the_same_seed_draws_the_same_study(engine, db_url, capsys):
    def hashes(name: str) -> list:
        with store.reading(engine) as database:
            stimuli = store.find_study(database, name).stimuli
            return sorted((s.picture, s.list_name, s.condition, s.color_sha256) for s in stimuli)

    for name, seed in (("again", "1"), ("other", "2")):
        prepare.main(["--rendered", "--seed", seed, "--name", name, "--db", db_url])
    assert hashes("again") == hashes(STUDY)
    assert hashes("other") != hashes(STUDY)
    printed = capsys.readouterr().out
    assert all(sha256 in printed for _, shown, _, sha256 in hashes("other") if shown == "A")


def test_a_frozen_study_is_not_replaced(engine, db_url, capsys):
    before = count(engine, Stimulus)
    assert prepare.main(["--rendered", "--name", STUDY, "--db", db_url]) == 2
    assert "already" in capsys.readouterr().err
    assert count(engine, Stimulus) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pairs", "7"], "--pairs must be even"),
        (["--pairs", "0"], "--pairs must be even"),
        (["--step", "0.3"], "--step must be 1 or 0.5"),
        (["--seed", "-1"], "--seed must be 0 or more"),
        (["--weights", "nobody"], "There are no weights 'nobody'"),
        (["--data", "/nowhere"], "holds no Fruits-360 pictures"),
        (["--db", "nonsense"], "is no database URL"),
        (["--db", "mysql+pymysql://me@host/x"], "driver pymysql is not installed"),
        (["--db", "sqlite:////nowhere/at/all.sqlite"], "cannot be opened"),
    ],
)
def test_preparing_with_a_wrong_argument_says_which_in_one_sentence(arguments, sentence, capsys):
    base = [] if "--data" in arguments else ["--rendered"]
    if "--db" not in arguments:
        base += ["--db", "sqlite://"]
    assert prepare.main(base + arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_fruits360_pictures_come_from_test_and_from_different_varieties(
    rendered_dir, db_url, capsys
):
    arguments = ["--data", str(rendered_dir), "--name", "real", "--seed", "3", "--db", db_url]
    assert prepare.main(arguments) == 0
    with store.reading(store.connect(db_url)) as database:
        study = store.find_study(database)
        assert study.pictures_from == prepare.RENDERED, "it says what is shown"
        pictures = sorted({stimulus.picture for stimulus in study.stimuli})
    assert len(pictures) == 10
    assert all((rendered_dir / picture).is_file() for picture in pictures)
    assert len({Path(picture).parent for picture in pictures}) == 9, "all nine varieties"


def test_a_prepared_study_of_real_pictures(fruits360_dir, tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    assert prepare.main(["--data", str(fruits360_dir), "--seed", "5", "--db", url]) == 0
    printed = capsys.readouterr().out
    assert "photographs of Fruits-360, Test" in printed
    assert printed.count("\ncontrol ") == printed.count("\ngenerated ") == 5


# A rater's way


def test_a_whole_study_ends_in_the_report_with_every_rating(engine, db_url, capsys):
    for rater in range(3):
        rate_all(engine, lambda number, rater=rater: (number + rater) % 11)
    table = store.ratings(engine)
    assert len(table) == 30
    assert table.finished.all()
    assert table.groupby("rater").size().tolist() == [10, 10, 10]
    assert table.groupby(["rater", "condition"]).size().tolist() == [5] * 6
    for rater, rows in enumerate(r for _, r in table.groupby("rater")):
        assert sorted(rows.rating) == sorted((n + rater) % 11 for n in range(1, 11))
    capsys.readouterr()
    assert report.main(["--db", db_url, "--json"]) == 0
    reported = {row["condition"]: row for row in json.loads(capsys.readouterr().out)["conditions"]}
    for condition, paper in (("control", 8.55), ("generated", 3.225)):
        means = table[table.condition == condition].groupby("rater").rating.mean()
        assert reported[condition]["mean"] == pytest.approx(means.mean())
        assert reported[condition]["paper"] == paper


def test_without_ratings_the_report_says_so(engine, db_url, capsys):
    capsys.readouterr()
    assert report.main(["--db", db_url]) == 0
    assert capsys.readouterr().out == "No ratings yet in study test.\n"


def test_a_report_makes_no_database(tmp_path, capsys):
    file = tmp_path / "mistyped.sqlite"
    assert report.main(["--db", f"sqlite:///{file}"]) == 0
    assert "No ratings yet in" in capsys.readouterr().out
    assert not file.exists()


def test_exported_ratings_give_the_same_report(engine, db_url, tmp_path, capsys):
    for rater in range(3):
        rate_all(engine, lambda number, rater=rater: (number * 3 + rater) % 11)
    file = str(tmp_path / "ratings.csv")
    capsys.readouterr()
    printed = []
    for source in (["--db", db_url, "--export", file], ["--ratings", file]):
        assert report.main(source) == 0
        printed.append(capsys.readouterr().out.splitlines()[1:])
    assert printed[0] == printed[1]


def test_unfinished_sessions_are_told_and_left_out(engine, db_url, capsys):
    rate_all(engine, lambda number: 5)
    token = session.begin(engine, STUDY, consent=True)
    view = session.resume(engine, token, STUDY)
    session.rate(engine, token, STUDY, view.trial, 10)
    capsys.readouterr()
    report.main(["--db", db_url])
    printed = capsys.readouterr().out
    assert "Unfinished sessions with ratings: 1, holding 1 rating; left out" in printed
    assert "1 rater, 10 ratings" in printed


def test_orders_differ_between_raters_and_are_stored(engine):
    tokens = [session.begin(engine, STUDY, consent=True) for _ in range(4)]
    with store.reading(engine) as database:
        orders = [
            database.scalars(
                sa.select(Trial.stimulus_token)
                .join(RatingSession)
                .where(RatingSession.token == token)
                .order_by(Trial.position)
            ).all()
            for token in tokens
        ]
    assert len({tuple(order) for order in orders}) == 4
    assert len({frozenset(order) for order in orders}) == 1, "all see the same pictures"


def test_a_rater_who_comes_back_goes_on_at_the_same_pair(engine, db_url):
    token = session.begin(engine, STUDY, consent=True)
    first = session.resume(engine, token, STUDY)
    second = session.rate(engine, token, STUDY, first.trial, 3)
    assert second.number == 2
    assert session.resume(store.connect(db_url), token, STUDY) == second
    assert first.gray_png != second.gray_png


def test_a_repeated_answer_changes_nothing_and_succeeds(engine):
    token = session.begin(engine, STUDY, consent=True)
    first = session.resume(engine, token, STUDY)
    second = session.rate(engine, token, STUDY, first.trial, 3)
    assert session.rate(engine, token, STUDY, first.trial, 9) == second
    assert store.ratings(engine).rating.tolist() == [3]


def test_many_simultaneous_clicks_store_one_rating(engine):
    token = session.begin(engine, STUDY, consent=True)
    first = session.resume(engine, token, STUDY)
    barrier = threading.Barrier(8)

    def click(_) -> int:
        barrier.wait()
        return session.rate(engine, token, STUDY, first.trial, 4).number

    with ThreadPoolExecutor(8) as clicks:
        assert list(clicks.map(click, range(8))) == [2] * 8
    assert store.ratings(engine).rating.tolist() == [4]


def test_raters_at_the_same_time_lose_nothing(engine):
    with ThreadPoolExecutor(8) as raters:
        list(raters.map(lambda rater: rate_all(engine, lambda number: rater), range(8)))
    table = store.ratings(engine)
    assert table.finished.all()
    assert sorted(table.rating) == sorted([rater for rater in range(8) for _ in range(10)])


def test_without_consent_nothing_is_stored(engine):
    with pytest.raises(StudyError, match=r"tick the box"):
        session.begin(engine, STUDY, consent=False)
    assert count(engine, RatingSession) == 0


@pytest.mark.parametrize(
    "value", [11, -1, 3.3, 3.5, "seven", "", None, float("nan"), float("inf"), True, [3], {"a": 1}]
)
def test_what_is_no_rating_is_refused_in_one_sentence_and_loses_nothing(engine, value):
    token = session.begin(engine, STUDY, consent=True)
    view = session.resume(engine, token, STUDY)
    view = session.rate(engine, token, STUDY, view.trial, 8)
    with pytest.raises(StudyError) as refused:
        session.rate(engine, token, STUDY, view.trial, value)
    assert "from 0 to 10" in str(refused.value)
    assert store.ratings(engine).rating.tolist() == [8]
    assert session.resume(engine, token, STUDY) == view


def test_half_points_are_kept_exactly_where_the_scale_has_them(db_url):
    prepare.main(["--rendered", "--step", "0.5", "--name", STUDY, "--db", db_url])
    engine = store.connect(db_url)
    rate_all(engine, lambda number: number - 0.5)
    assert sorted(store.ratings(engine).rating) == [n + 0.5 for n in range(10)]
    token = session.begin(engine, STUDY, consent=True)
    view = session.resume(engine, token, STUDY)
    with pytest.raises(StudyError, match=r"steps of 0\.5"):
        session.rate(engine, token, STUDY, view.trial, 3.25)


def test_nobody_rates_for_somebody_else_or_ahead(engine):
    mine, other = (session.begin(engine, STUDY, consent=True) for _ in range(2))
    theirs = session.resume(engine, other, STUDY)
    with store.reading(engine) as database:
        ahead = database.scalar(
            sa.select(Trial.token)
            .join(RatingSession)
            .where(RatingSession.token == mine, Trial.position == 5)
        )
    for trial in (theirs.trial, ahead, "forged", "", None):
        with pytest.raises(StudyError) as refused:
            session.rate(engine, mine, STUDY, trial, 5)
        assert str(refused.value) == texts.UNKNOWN_TRIAL
    assert count(engine, Rating) == 0


@pytest.mark.parametrize("token", ["forged", "", None, 7, ["x"], "x" * 100_000])
def test_a_forged_session_is_unknown(engine, token):
    assert session.resume(engine, token, STUDY) is None
    with pytest.raises(StudyError) as refused:
        session.rate(engine, token, STUDY, "x", 5)
    assert str(refused.value) == texts.UNKNOWN_SESSION


def test_an_unknown_study_is_named_with_those_there_are(engine, db_url, capsys):
    assert report.main(["--db", db_url, "--study", "nobody"]) == 2
    assert "There is no study 'nobody'; there are: test." in capsys.readouterr().err


# The database


def test_the_tables_refuse_what_the_program_would_never_store(engine):
    token = session.begin(engine, STUDY, consent=True)
    with store.reading(engine) as database:
        trial = database.scalar(sa.select(Trial.id).where(Trial.position == 1))
    for value, step in ((11, 1), (-0.5, 0.5), (3.3, 1), (3.5, 1), (3.25, 0.5), (3, 2)):
        with pytest.raises(StudyError, match="Not saved"), store.writing(engine) as database:
            database.add(Rating(trial_id=trial, value=value, step=step))
    with pytest.raises(StudyError, match="Not saved"), store.writing(engine) as database:
        database.add(Rating(trial_id=10**6, value=5, step=1))  # no such trial
    with store.writing(engine) as database:
        database.add(Rating(trial_id=trial, value=5, step=1))
    with pytest.raises(StudyError, match="Not saved"), store.writing(engine) as database:
        database.add(Rating(trial_id=trial, value=6, step=1))  # one rating a trial
    assert session.resume(engine, token, STUDY).number == 2


def test_sqlite_survives_power_cuts_and_lets_readers_in(tmp_path):
    engine = store.connect(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}


def test_a_locked_database_says_so_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.2)
    file = tmp_path / "s.sqlite"
    url = f"sqlite:///{file}"
    prepare.main(["--rendered", "--name", STUDY, "--db", url])
    engine = store.connect(url)
    token = session.begin(engine, STUDY, consent=True)
    view = session.resume(engine, token, STUDY)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StudyError, match=r"Not saved: .*locked.*try again"):
        session.rate(engine, token, STUDY, view.trial, 5)
    other.execute("ROLLBACK")
    assert session.rate(engine, token, STUDY, view.trial, 5).number == 2


def test_a_read_only_database_can_be_reported_on_but_not_rated_in(tmp_path, capsys):
    file = tmp_path / "s.sqlite"
    prepare.main(["--rendered", "--name", STUDY, "--db", f"sqlite:///{file}"])
    writable = store.connect(f"sqlite:///{file}")
    rate_all(writable, lambda number: 5)
    writable.dispose()
    url = f"sqlite:///file:{file}?mode=ro&uri=true"
    with pytest.raises(StudyError, match=r"Not saved: the database is read-only"):
        session.begin(store.connect(url), STUDY, consent=True)
    capsys.readouterr()
    assert report.main(["--db", url]) == 0
    assert "1 rater, 10 ratings" in capsys.readouterr().out


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("these are my notes, and no database at all\n" * 50)
    with pytest.raises(StudyError, match=r"cannot be opened: file is not a database"):
        store.connect(f"sqlite:///{file}")
    assert file.read_text().startswith("these are my notes")


def test_a_password_is_never_shown():
    with pytest.raises(StudyError) as refused:
        store.connect("postgresql+psycopg://me:geheim@127.0.0.1:1/none")
    assert "cannot be opened" in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_a_changed_picture_is_found_before_it_is_shown_or_reported(engine, db_url, capsys):
    rate_all(engine, lambda number: 5)
    with store.writing(engine) as database:
        database.execute(sa.update(Stimulus).values(color_png=b"another picture"))
    capsys.readouterr()
    assert report.main(["--db", db_url]) == 2
    assert "is not the one that was frozen" in capsys.readouterr().err


def test_the_ready_study_is_made_once(db_url):
    engine = store.connect(db_url)
    prepare.prepare_ready_study(engine)
    prepare.prepare_ready_study(engine)
    with store.reading(engine) as database:
        assert database.scalars(sa.select(Study.name)).all() == [prepare.READY_STUDY]
