"""A rater's way through a study: nothing lost, nothing twice, nothing given away."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from study.db import queries
from study.db.engine import connect, reading, writing
from study.db.tables import (
    Answer,
    Event,
    Participant,
    QualityCheck,
    Rater,
    Rating,
    RatingSession,
    Stimulus,
    Study,
    Trial,
)
from study.errors import StudyError
from study.plan.questions import COMMENT, QUESTIONS, Question
from study.plan.texts import Texts
from study.rate import (
    Feedback,
    Finished,
    Identity,
    Pair,
    answer,
    answers,
    begin,
    go_on,
    known,
    picture,
    resume,
    start,
    steps,
)
from tests.support.engines import each_engine
from tests.support.tiny_study import NO_QUESTIONS, STUDY, add_study

TEXTS = Texts()
PLAIN = {"pairs": 4, "practice": 0, "checks": {"attention": False, **NO_QUESTIONS}}


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    """A database with a study of four pairs, without practice or questions."""
    made = connect(db_url)
    add_study(made, **PLAIN)
    return made


def first_pair(engine: sa.Engine) -> tuple[str, Pair]:
    """A new session's token, and its first pair: the instructions are read."""
    token, view = begin(engine, STUDY, consent=True)
    return token, answer(engine, token, STUDY, view.step, "read")


def take_step(engine: sa.Engine, token: str, view, rating=5):
    """Answer a view as it wants to be answered."""
    if isinstance(view, Feedback):
        return go_on(engine, token, STUDY)
    if isinstance(view, Pair):
        value = rating(view) if callable(rating) else rating
    else:
        value = "Fine." if view is COMMENT else view.simulated
    return answer(engine, token, STUDY, view.step, value)


def finish(engine: sa.Engine, token: str, rating=5) -> list:
    """Everything that a rater sees from here to the end."""
    seen = [resume(engine, token, STUDY)]
    while not isinstance(seen[-1], Finished):
        seen.append(take_step(engine, token, seen[-1], rating))
    return seen


def count(engine: sa.Engine, table, *where) -> int:
    with reading(engine) as database:
        return database.scalar(sa.select(sa.func.count()).select_from(table).where(*where))


def kinds(seen: list) -> list[str]:
    """The order of steps, pairs numbered: what a rater went through."""
    return [
        view.step
        if isinstance(view, Question)
        else f"{'practice' if view.practice else 'pair'} {view.number}/{view.total}"
        if isinstance(view, Pair)
        else type(view).__name__
        for view in seen
    ]


# The whole way


def test_a_rater_who_read_the_texts_of_an_older_study_does_not_begin(db_url):
    engine = connect(db_url)
    add_study(engine)
    with pytest.raises(StudyError, match="was changed a moment ago"):
        begin(engine, STUDY, consent=True, created_at="2026-01-01T00:00:00+00:00")
    with reading(engine) as database:
        made = database.scalar(sa.select(Study.created_at)).isoformat()
        assert database.scalar(sa.select(sa.func.count()).select_from(RatingSession)) == 0
    assert begin(engine, STUDY, consent=True, created_at=made).token


@each_engine
def test_the_whole_way_from_consent_to_the_code(db_url):
    engine = connect(db_url)
    completion = {"code": "C123", "url": "https://example.org/done"}
    add_study(engine, pairs=4, completion=completion)
    seen = finish(engine, begin(engine, STUDY, consent=True).token)
    assert kinds(seen) == [
        *(question.step for question in QUESTIONS if not question.after_pairs),
        "practice 1/2",
        "Feedback",
        "practice 2/2",
        "Feedback",
        *(f"pair {number}/5" for number in range(1, 6)),
        *(question.step for question in QUESTIONS if question.after_pairs),
        "Finished",
    ]
    assert seen[-1] == Finished(5, "C123", "https://example.org/done")
    assert {view.text for view in seen if isinstance(view, Feedback)} == {
        TEXTS.feedback_control,
        TEXTS.feedback_generated,
    }
    table = queries.ratings(engine, STUDY)
    assert len(table) == 4, "neither practice nor the attention check is analysed"
    assert table.arm.value_counts().to_dict() == {"control": 2, "colornet": 2}
    assert queries.checks(engine, STUDY).set_index("name").outcome.to_dict() == {
        "attention": "failed",  # 5 of 10 for a blue apple
        "too fast": "could not run",
        "one answer throughout": "failed",
    } | {question.check: "passed" for question in QUESTIONS if question.check}
    with reading(engine) as database:
        said = dict(database.execute(sa.select(Answer.step, Answer.value)).all())
        events = database.scalars(sa.select(Event.kind).order_by(Event.id)).all()
    answered = {question.step: question.simulated for question in QUESTIONS}
    answered["comment"] = "Fine."
    assert {step: json.loads(value) for step, value in said.items()} == answered
    assert events[0] == "consented"
    assert events.count("rated") == 7
    assert events.count("finished") == 1


def test_a_fake_is_to_be_found_and_feedback_says_whether_it_was(db_url):
    engine = connect(db_url)
    add_study(engine, protocol="real-or-fake", pairs=4, practice=2, checks=NO_QUESTIONS)
    token = begin(engine, STUDY, consent=True).token
    seen = finish(engine, token, "left")
    assert kinds(seen)[1:5] == ["practice 1/2", "Feedback", "practice 2/2", "Feedback"]
    with reading(engine) as database:
        trials = database.scalars(sa.select(Trial).order_by(Trial.position)).all()
        for trial in trials:
            assert trial.rating.choice == "left"
            assert trial.rating.value == (trial.side == "right"), "fooled"
            assert trial.stimulus.condition == "generated"
        told = [view.text for view in seen if isinstance(view, Feedback)]
        right = {"left": TEXTS.feedback_right, "right": TEXTS.feedback_wrong}
        assert told == [right[trial.side] for trial in trials[:2]]
        for trial in trials:
            pictures = (trial.first_token, trial.second_token)
            fake = pictures[0 if trial.side == "left" else 1]
            true = pictures[1 if trial.side == "left" else 0]
            control = database.scalar(
                sa.select(Stimulus.color_png).where(
                    Stimulus.picture == trial.stimulus.picture, Stimulus.arm == "control"
                )
            )
            assert picture(engine, fake) == trial.stimulus.color_png
            assert picture(engine, true) == control
    with pytest.raises(StudyError) as refused:
        token = begin(engine, STUDY, consent=True).token
        view = answer(engine, token, STUDY, "instructions", "read")
        answer(engine, token, STUDY, view.step, 5)
    assert str(refused.value) == TEXTS.no_choice


def test_a_pair_is_shown_when_it_is_handed_out_and_not_while_feedback_is_read(engine):
    add_study(engine, name="short", pairs=4, practice=1, checks=NO_QUESTIONS)
    token, view = begin(engine, "short", consent=True)
    view = answer(engine, token, "short", view.step, "read")
    assert isinstance(answer(engine, token, "short", view.step, 5), Feedback)

    def shown() -> list[bool]:
        with reading(engine) as database:
            moments = sa.select(Trial.shown_at).join(RatingSession).order_by(Trial.position)
            return [
                bool(at) for at in database.scalars(moments.where(RatingSession.token == token))
            ]

    assert shown() == [True, False, False, False, False, False]
    assert go_on(engine, token, "short").number == 1
    assert shown() == [True, True, False, False, False, False]
    with reading(engine) as database:
        events = database.scalars(sa.select(Event.kind).order_by(Event.id)).all()
    assert events == ["consented", "answered", "shown", "rated", "shown"], "nobody resumed"
    resume(engine, token, "short")
    assert count(engine, Event, Event.kind == "resumed") == 1


def test_every_rater_has_an_order_of_their_own_and_the_attention_check_is_inside(db_url):
    engine = connect(db_url)
    add_study(engine, pairs=6)
    for _ in range(6):
        begin(engine, STUDY, consent=True)
    orders = []
    with reading(engine) as database:
        for each in database.scalars(sa.select(RatingSession)):
            purposes = [trial.stimulus.purpose for trial in each.trials]
            assert purposes[:2] == ["practice", "practice"]
            assert [trial.position for trial in each.trials] == list(range(-1, 8))
            assert purposes[2] == purposes[-1] == "main"
            assert purposes.count("attention") == 1
            shown = {t.stimulus.picture: t.stimulus.arm for t in each.trials[2:]}
            assert len(shown) == 7, "every picture once"
            orders.append(tuple(trial.stimulus.picture for trial in each.trials[2:]))
    assert len(set(orders)) == 6


def test_pictures_are_given_out_with_their_pair_and_the_next_one_and_to_nobody_before(engine):
    token, view = first_pair(engine)
    with reading(engine) as database:
        trials = database.execute(
            sa.select(Trial.first_token, Trial.second_token, Stimulus.gray_png, Stimulus.color_png)
            .join(Stimulus)
            .order_by(Trial.position)
        ).all()
    assert view.pictures == trials[0][:2]
    assert view.upcoming == trials[1][:2]
    for number, (first, second, gray, color) in enumerate(trials):
        expected = (gray, color) if number < 2 else (None, None)
        assert (picture(engine, first), picture(engine, second)) == expected
    assert picture(engine, "forged") is None
    assert picture(engine, "") is None
    everything = [trial for trial in trials for trial in trial[:2]]
    assert len(set(everything)) == 8, "tokens tell nothing of what they have in common"


def test_two_raters_get_different_names_for_the_same_picture(engine):
    views = [first_pair(engine)[1] for _ in range(8)]
    names = [name for view in views for name in (*view.pictures, *view.upcoming)]
    assert len(names) == len(set(names))


# Nothing lost, nothing twice


def test_a_rater_who_comes_back_goes_on_at_the_same_pair(engine, db_url):
    token, first = first_pair(engine)
    second = answer(engine, token, STUDY, first.step, 3)
    assert second.number == 2
    assert resume(connect(db_url), token, STUDY) == second


def test_a_repeated_answer_changes_nothing_and_succeeds(engine):
    token, first = first_pair(engine)
    second = answer(engine, token, STUDY, first.step, 3)
    for value in (9, 3, "nonsense", None):
        assert answer(engine, token, STUDY, first.step, value) == second
    assert answer(engine, token, STUDY, "instructions", "read") == second
    assert queries.ratings(engine).rating.tolist() == [3]
    assert count(engine, Event, Event.kind == "answered again") == 5


def test_of_two_tabs_the_first_answer_stands_and_the_other_goes_on(engine):
    token, here = first_pair(engine)
    there = resume(engine, token, STUDY)
    assert there == here
    further = answer(engine, token, STUDY, here.step, 3)
    assert answer(engine, token, STUDY, there.step, 8) == further
    answer(engine, token, STUDY, further.step, 4)
    assert answer(engine, token, STUDY, further.step, 9).number == 3
    assert sorted(queries.ratings(engine).rating) == [3, 4]


@each_engine
def test_many_simultaneous_clicks_store_one_rating(engine):
    token, first = first_pair(engine)
    barrier = threading.Barrier(8)

    def click(_) -> int:
        barrier.wait()
        return answer(engine, token, STUDY, first.step, 4).number

    with ThreadPoolExecutor(8) as clicks:
        assert list(clicks.map(click, range(8))) == [2] * 8
    assert queries.ratings(engine).rating.tolist() == [4]


@each_engine
def test_raters_at_the_same_time_lose_nothing(engine):
    def rate(number: int) -> None:
        finish(engine, begin(engine, STUDY, consent=True).token, number)

    with ThreadPoolExecutor(6) as raters:
        list(raters.map(rate, range(6)))
    table = queries.ratings(engine)
    assert table.finished.all()
    assert sorted(table.rating) == sorted([number for number in range(6) for _ in range(4)])


@each_engine
def test_the_last_answer_at_the_same_moment_finishes_once(engine):
    token, view = first_pair(engine)
    for _ in range(3):
        view = answer(engine, token, STUDY, view.step, 5)
    barrier = threading.Barrier(4)

    def click(_):
        barrier.wait()
        return answer(engine, token, STUDY, view.step, 5)

    with ThreadPoolExecutor(4) as clicks:
        assert list(clicks.map(click, range(4))) == [COMMENT] * 4
    assert count(engine, Event, Event.kind == "finished") == 1
    assert count(engine, QualityCheck) == 2


def test_a_rater_who_returns_after_the_end_sees_the_end(engine):
    token = begin(engine, STUDY, consent=True).token
    seen = finish(engine, token)
    assert resume(engine, token, STUDY) == Finished(4, "", "")
    for view in seen[1:-1]:
        assert answer(engine, token, STUDY, view.step, 1) == Finished(4, "", "")
    with pytest.raises(StudyError) as refused:
        answer(engine, token, STUDY, "another step", 1)
    assert str(refused.value) == TEXTS.unknown_trial
    assert queries.ratings(engine).rating.tolist() == [5] * 4


@each_engine
def test_half_points_are_kept_exactly_where_the_scale_has_them(db_url):
    engine = connect(db_url)
    add_study(engine, **PLAIN, scale={"step": 0.5})
    finish(engine, begin(engine, STUDY, consent=True).token, lambda pair: pair.number - 0.5)
    assert queries.ratings(engine).rating.tolist() == [number + 0.5 for number in range(4)]
    token, view = first_pair(engine)
    with pytest.raises(StudyError, match=r"steps of 0\.5"):
        answer(engine, token, STUDY, view.step, 3.25)


# What is refused


@pytest.mark.parametrize("consent", [False, None, "yes", 1])
def test_without_consent_nothing_is_stored(engine, consent):
    with pytest.raises(StudyError, match=r"tick the box"):
        begin(engine, STUDY, consent=consent)
    assert count(engine, RatingSession) == count(engine, Rater) == count(engine, Event) == 0


def test_a_value_that_is_no_rating_is_refused_in_one_sentence_and_loses_nothing(engine):
    token, view = first_pair(engine)
    view = answer(engine, token, STUDY, view.step, 8)
    numbers = [11, -1, 3.3, 3.5, float("nan"), float("inf"), 10**400, True]
    for value in [*numbers, "seven", "", None, [3], {"a": 1}]:
        with pytest.raises(StudyError) as refused:
            answer(engine, token, STUDY, view.step, value)
        assert "from 0 to 10" in str(refused.value)
    assert queries.ratings(engine).rating.tolist() == [8]
    assert resume(engine, token, STUDY) == view


def test_a_value_that_is_no_answer_to_a_question_is_refused(db_url):
    engine = connect(db_url)
    add_study(engine)
    token, view = begin(engine, STUDY, consent=True)
    while isinstance(view, Question):
        for value in ("purple", "", None, 7, ["normal"], {}, "normal\0", "x" * 10**5):
            with pytest.raises(StudyError) as refused:
                answer(engine, token, STUDY, view.step, value)
            assert str(refused.value) == TEXTS.bad_answer
        assert resume(engine, token, STUDY) == view
        view = take_step(engine, token, view)


@each_engine
def test_a_comment_may_be_empty_or_odd_but_not_endless(engine):
    odd = "=1+1\n'; DROP TABLE rating; -- \N{SNOWMAN} \0 <script>"
    half = ("half \ud800 of a pair", '"half ? of a pair"')
    for comment, kept in ((None, '""'), ("  ", '""'), half, (odd, None), ("x" * 2_000, None)):
        token, view = begin(engine, STUDY, consent=True)
        while view.step != "comment":
            view = take_step(engine, token, view)
        with pytest.raises(StudyError, match=r"shorten your comment to 2000"):
            answer(engine, token, STUDY, "comment", "x" * 2_001)
        assert isinstance(answer(engine, token, STUDY, "comment", comment), Finished)
        if kept:
            with reading(engine) as database:
                last = sa.select(Answer.value).order_by(Answer.session_id.desc()).limit(1)
                assert database.scalar(last.where(Answer.step == "comment")) == kept
    assert count(engine, Rating) == 5 * 4


def test_nobody_rates_for_somebody_else_or_ahead(engine):
    mine, view = first_pair(engine)
    _, theirs = first_pair(engine)
    with reading(engine) as database:
        ahead = database.scalar(
            sa.select(Trial.token)
            .join(RatingSession)
            .where(RatingSession.token == mine, Trial.position == 4)
        )
    for step in (
        theirs.step,
        ahead,
        "comment",
        "screen",
        "forged",
        "",
        None,
        7,
        ["x"],
        "x" * 10**5,
    ):
        with pytest.raises(StudyError) as refused:
            answer(engine, mine, STUDY, step, 5)
        assert str(refused.value) == TEXTS.unknown_trial
    assert count(engine, Rating) == 0
    assert resume(engine, mine, STUDY) == view


@each_engine
def test_a_forged_session_is_unknown(engine):
    for token in ("forged", "", None, 7, ["x"], "x" * 100_000, "a\0b", "\ud800"):
        assert resume(engine, token, STUDY) is None
        assert picture(engine, token) is None
        with pytest.raises(StudyError) as refused:
            answer(engine, token, STUDY, "x", 5)
        assert str(refused.value) == TEXTS.unknown_session


def test_a_session_of_one_study_is_unknown_in_another(engine):
    add_study(engine, name="other", **PLAIN)
    token, _ = first_pair(engine)
    assert resume(engine, token, "other") is None
    with pytest.raises(StudyError, match="There is no study 'nobody'; there are: tiny, other"):
        begin(engine, "nobody", consent=True)


@each_engine
def test_what_the_browser_measured_is_kept_and_nonsense_is_unknown(engine):
    token, view = first_pair(engine)
    honest = {
        "response_ms": 1234.5,
        "viewport_width": 800,
        "viewport_height": "600",
        "pixel_ratio": 1.25,
        "more": "ignored",
    }
    absurd = {"response_ms": -5, "viewport_width": 10**400, "viewport_height": []}
    absurd["pixel_ratio"] = float("nan")
    for measured in (honest, absurd, "nonsense", None):
        view = answer(engine, token, STUDY, view.step, 5, measured=measured)
    with reading(engine) as database:
        rows = database.execute(
            sa.select(
                Rating.response_ms,
                Rating.viewport_width,
                Rating.viewport_height,
                Rating.pixel_ratio,
            )
            .join(Trial)
            .order_by(Trial.position)
        ).all()
    assert rows == [(1234.5, 800, 600, 1.25)] + [(None,) * 4] * 3


# Lists, places, identities


def test_a_new_rater_gets_the_list_that_the_fewest_have(engine):
    for _ in range(7):
        begin(engine, STUDY, consent=True)
    with reading(engine) as database:
        lists = database.scalars(sa.select(RatingSession.list_name)).all()
    assert sorted(lists) in ([*"AAABBBB"], [*"AAAABBB"])


def leave(engine: sa.Engine, minutes: float, *tokens: str) -> None:
    """Pretend that these raters were last seen this long ago."""
    with writing(engine) as database:
        database.execute(
            sa.update(RatingSession)
            .where(RatingSession.token.in_(tokens))
            .values(seen_at=datetime.now(UTC) - timedelta(minutes=minutes))
        )


def list_of(engine: sa.Engine, token: str) -> str:
    with reading(engine) as database:
        return database.scalar(
            sa.select(RatingSession.list_name).where(RatingSession.token == token)
        )


def test_an_abandoned_session_does_not_count_but_may_be_resumed(db_url):
    engine = connect(db_url)
    add_study(engine, **PLAIN, quota=2, stale_minutes=30)
    first, second = (begin(engine, STUDY, consent=True).token for _ in range(2))
    with pytest.raises(StudyError) as refused:
        begin(engine, STUDY, consent=True)
    assert str(refused.value) == TEXTS.full
    leave(engine, 29, first)
    with pytest.raises(StudyError):
        begin(engine, STUDY, consent=True)
    leave(engine, 31, first)
    third = begin(engine, STUDY, consent=True).token
    assert list_of(engine, third) == list_of(engine, first), "whose place it takes"
    assert isinstance(finish(engine, first)[-1], Finished), "a returning rater may finish"
    assert isinstance(finish(engine, second)[-1], Finished)
    assert isinstance(finish(engine, third)[-1], Finished), "though the places are taken"
    assert count(engine, RatingSession, RatingSession.finished_at.is_not(None)) == 3


@each_engine
def test_the_last_place_is_given_once(db_url):
    engine = connect(db_url)
    add_study(engine, **PLAIN, quota=3)
    barrier = threading.Barrier(6)

    def come(_) -> bool:
        barrier.wait()
        try:
            return bool(begin(engine, STUDY, consent=True).token)
        except StudyError as error:
            assert str(error) == TEXTS.full
            return False

    with ThreadPoolExecutor(6) as raters:
        assert sum(raters.map(come, range(6))) == 3
    assert count(engine, RatingSession) == count(engine, Rater) == 3


@each_engine
def test_an_identity_has_one_session_in_a_study_even_when_it_comes_twice_at_once(engine):
    somebody = Identity("P-1", "study-9", "visit-3")
    assert known(engine, STUDY, somebody) is None
    barrier = threading.Barrier(6)

    def come(number: int) -> str:
        barrier.wait()
        return begin(
            engine, STUDY, consent=True, identity=Identity("P-1", "study-9", f"visit-{number}")
        ).token

    with ThreadPoolExecutor(6) as visits:
        tokens = set(visits.map(come, range(6)))
    assert known(engine, STUDY, somebody) in tokens
    assert count(engine, RatingSession) == count(engine, Rater) == count(engine, Participant) == 1
    add_study(engine, name="other", **PLAIN)
    assert known(engine, "other", somebody) is None
    begin(engine, "other", consent=True, identity=somebody)
    assert count(engine, Participant) == 2


def test_an_identity_stands_nowhere_but_in_its_table(engine):
    finish(engine, begin(engine, STUDY, consent=True, identity=Identity("P-17", "S", "V")).token)
    with reading(engine) as database:
        for table in (Answer, Event, QualityCheck, Rater, Rating, RatingSession, Study, Trial):
            rows = database.execute(sa.select(table.__table__)).all()
            assert rows
            assert "P-17" not in repr(rows)


# Clocks and databases


def test_a_clock_that_is_put_back_makes_no_answer_older_than_its_question(engine, monkeypatch):
    moments = iter(datetime(2030, 1, 1, tzinfo=UTC) - timedelta(hours=n) for n in range(10_000))
    for module in (answers, start, steps):
        monkeypatch.setattr(module, "now", lambda: next(moments))
    token = begin(engine, STUDY, consent=True).token
    assert isinstance(finish(engine, token)[-1], Finished)
    table = queries.ratings(engine)
    assert len(table) == 4
    assert (table.rated_at >= table.shown_at).all()
    with reading(engine) as database:
        each = database.scalar(sa.select(RatingSession))
        assert each.finished_at >= max(table.shown_at)


@each_engine
def test_the_tables_refuse_what_the_program_would_never_store(engine):
    token, view = first_pair(engine)
    with reading(engine) as database:
        trial = database.scalar(sa.select(Trial.id).where(Trial.position == 1))
    for value, step in ((11, 1), (-0.5, 0.5), (3.3, 1), (3.5, 1), (3.25, 0.5), (3, 2)):
        with pytest.raises(StudyError, match="Not saved"), writing(engine) as database:
            database.add(Rating(trial_id=trial, value=value, step=step))
    with pytest.raises(StudyError, match="Not saved"), writing(engine) as database:
        database.add(Rating(trial_id=trial, value=1, step=1, choice="middle"))
    with pytest.raises(StudyError, match="Not saved"), writing(engine) as database:
        database.add(Rating(trial_id=10**6, value=5, step=1))  # no such trial
    with writing(engine) as database:
        database.add(Rating(trial_id=trial, value=5, step=1))
    with pytest.raises(StudyError, match="Not saved"), writing(engine) as database:
        database.add(Rating(trial_id=trial, value=6, step=1))  # one rating a trial
    assert resume(engine, token, STUDY).number == 2


def test_a_locked_database_says_so_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("study.db.engine.LOCK_SECONDS", 0.2)
    file = tmp_path / "s.sqlite"
    engine = connect(f"sqlite:///{file}")
    add_study(engine, **PLAIN)
    token, view = first_pair(engine)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StudyError, match=r"Not saved: .*locked.*try again"):
        answer(engine, token, STUDY, view.step, 5)
    other.execute("ROLLBACK")
    assert answer(engine, token, STUDY, view.step, 5).number == 2


def test_in_a_read_only_database_nobody_begins(tmp_path):
    file = tmp_path / "s.sqlite"
    writable = connect(f"sqlite:///{file}")
    add_study(writable, **PLAIN)
    writable.dispose()
    with pytest.raises(StudyError, match=r"Not saved: the database is read-only"):
        begin(connect(f"sqlite:///file:{file}?mode=ro&uri=true"), STUDY, consent=True)


# Anything at all

VALUES = some.one_of(
    some.sampled_from([*range(11), 3.5, "7", "left", None, "", True]),
    some.sampled_from([choice for question in QUESTIONS for choice in question.choices]),
    some.floats(),
    some.text(max_size=20),
    some.lists(some.integers(), max_size=2),
    some.dictionaries(some.text(max_size=3), some.integers(), max_size=2),
)
CALLS = some.lists(
    some.one_of(
        some.tuples(some.just("answer"), some.integers(0, 20), VALUES),  # to a step seen so far
        some.tuples(some.just("forward"), some.integers(0, 10), some.none()),
        some.tuples(some.just("forge"), VALUES, VALUES),
        some.tuples(some.just("resume"), some.none(), some.none()),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def many_sessions(tmp_path_factory: pytest.TempPathFactory) -> sa.Engine:
    file = tmp_path_factory.mktemp("sequences") / "study.sqlite"
    engine = connect(f"sqlite:///{file}")
    add_study(engine, pairs=4)
    return engine


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(calls=CALLS)
def test_whatever_is_called_in_whatever_order_loses_and_doubles_nothing(many_sessions, calls):
    engine = many_sessions
    token, view = begin(engine, STUDY, consent=True)
    steps, stored = [view.step], {}
    for what, one, two in calls:
        step, value = one, two
        if what == "resume":
            view = resume(engine, token, STUDY)
        else:
            if what == "answer":
                step = steps[one % len(steps)]
            elif what == "forward":
                if isinstance(view, Feedback | Finished):
                    view = go_on(engine, token, STUDY)
                step = getattr(view, "step", "comment")
                value = one if isinstance(view, Pair) else getattr(view, "simulated", None)
            try:
                view = answer(engine, token, STUDY, step, value)
                stored.setdefault(step, value)
            except StudyError as error:
                assert str(error).count("\n") == 0
                assert "Not saved" not in str(error)
        if hasattr(view, "step") and view.step not in steps:
            steps.append(view.step)
    with reading(engine) as database:
        rated = database.execute(
            sa.select(Trial.token, Rating.value)
            .join_from(Rating, Trial)
            .join(RatingSession)
            .where(RatingSession.token == token)
        ).all()
        said = database.scalars(
            sa.select(Answer.step).join(RatingSession).where(RatingSession.token == token)
        ).all()
    kept = dict(rated)
    assert len(rated) == len(kept)
    assert set(kept) | set(said) == set(stored), "what was accepted is there, and nothing else"
    assert all(kept[step] == float(stored[step]) for step in kept), "the first answer stands"
    finish(engine, token)
    with reading(engine) as database:
        whole = sa.select(RatingSession).where(RatingSession.token == token)
        assert all(trial.rating for trial in database.scalar(whole).trials)
