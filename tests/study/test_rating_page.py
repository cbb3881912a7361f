"""The tab "Rate" as raters meet it: in Chromium, from the link to the completion code.

What needs no browser is in test_session.py, test_visits.py and test_routes.py.
"""

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from study.db import queries
from study.db.engine import connect, reading
from study.db.tables import Answer, Participant, Rating, RatingSession, Trial
from study.plan.questions import QUESTIONS
from study.rate import routes, tab
from tests.support.tiny_study import NO_QUESTIONS, add_study

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
CODE = "C1_2*X"
ASKED = [question for question in QUESTIONS if question.panel == "asking"]
STEP = (
    "[...document.querySelectorAll('#rate .head')].find((head) => head.offsetParent)?.dataset.step"
)
PLAIN = {"checks": {**NO_QUESTIONS, "attention": False}}
STUDIES = {  # By name and path: everything that a study can ask, or nothing but pairs.
    "full": {
        "title": "Colours <b>of</b> fruit",
        "pairs": 2,
        "practice": 1,
        "completion": {"code": CODE, "url": "https://example.org/done?cc=C1&x=2"},
    },
    "plain": {"pairs": 4, "practice": 0, **PLAIN},
    "halves": {"pairs": 2, "practice": 0, "scale": {"step": 0.5}, **PLAIN},
    "fake": {"protocol": "real-or-fake", "pairs": 2, "practice": 1, **PLAIN},
}


@dataclass
class Running:
    """A study that is being served."""

    url: str
    engine: sa.Engine
    file: Path

    def rows(self, *entities) -> list:
        with reading(self.engine) as database:
            return database.execute(sa.select(*entities)).all()

    def ratings(self) -> list[float]:
        """Those of the newest session, in the order of its trials."""
        newest = sa.select(sa.func.max(RatingSession.id)).scalar_subquery()
        wanted = sa.select(Rating.value).join(Trial).order_by(Trial.position)
        with reading(self.engine) as database:
            return database.scalars(wanted.where(Trial.session_id == newest)).all()


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Iterator[dict[str, Running]]:
    """All studies on one server, each with a database that does not wait long for a lock."""
    folder, served = tmp_path_factory.mktemp("studies"), FastAPI()
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.db.engine.LOCK_SECONDS", 0.2)
        for name, fields in STUDIES.items():
            file = folder / f"{name}.sqlite"
            engine = connect(f"sqlite:///{file}")
            add_study(engine, name=name, **fields)
            mount(served, engine, name)
            found[name] = Running(name, engine, file)
    server = uvicorn.Server(uvicorn.Config(served, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    for study in found.values():
        study.url = f"http://127.0.0.1:{port}/{study.url}"
    yield found
    server.should_exit = server.force_exit = True
    thread.join()


def mount(served: FastAPI, engine: sa.Engine, name: str) -> None:
    """A page with the tab alone."""
    with gr.Blocks(analytics_enabled=False) as page:
        kept = tab.browser_token(name)
        with gr.Tabs() as tabs, gr.Tab("Rate", id="rate"):
            tab.build(page, tabs, kept, engine, name)
    served.include_router(routes.routes(engine, name), prefix=f"/{name}")
    gr.mount_gradio_app(
        served, page, path=f"/{name}", css=tab.CSS, head=tab.HEAD, ssr_mode=False, run_history=False
    )


@pytest.fixture(scope="module")
def full(studies) -> Running:
    return studies["full"]


@pytest.fixture(scope="module")
def plain(studies) -> Running:
    return studies["plain"]


@pytest.fixture
def page(browser):
    """A new browser."""
    context = browser.new_context(**DESKTOP)
    yield context.new_page()
    context.close()


def wait_for_step(page, before: str | None) -> str:
    page.wait_for_function(f"before => (step => step && step !== before)({STEP})", arg=before)
    return page.evaluate(STEP)


def consent(page) -> None:
    page.get_by_label("I have read this").check()
    page.locator("#start").click()


def start(page, study: Running) -> None:
    """Go to the first pair of a study without questions."""
    page.goto(study.url)
    consent(page)
    page.get_by_role("button", name="Continue").click()
    wait_for_pair(page, 1)


def wait_for_pair(page, number: int) -> None:
    page.wait_for_function(
        "text => document.querySelector('#progress')?.textContent.startsWith(text)",
        arg=f"{number} of ",
    )
    page.wait_for_selector('.pair[data-phase="answer"]')


def choose(page, value: int) -> None:
    page.get_by_label(str(value), exact=True).check()


def sources(page) -> list[str]:
    return [image.get_attribute("src") for image in page.locator(".pair img").all()]


# The whole way


def test_from_the_link_to_the_completion_code_by_keyboard(page, full):
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    link = f"{full.url}/?prolific_pid=rater-1&STUDY_ID=st&SESSION_ID=se&condition=generated"
    page.goto(link)
    step = wait_for_step(page, None)
    page.locator("#start").click()
    page.get_by_role("alert").get_by_text("tick the box first").wait_for()
    consent(page)

    def go_on(*keys: str) -> str:
        nonlocal step
        step = wait_for_step(page, step)
        focus = page.evaluate("document.activeElement.className")
        assert "head" in focus, f"at {step} the focus is on the heading"
        page.wait_for_timeout(300)  # No rater is faster than the step is drawn.
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(30)
        return step

    for question in ASKED:
        assert go_on("ArrowDown", "ArrowDown", "ArrowUp", "Enter") == question.step
        assert page.locator("#rate b").count() == 0, "a title is no HTML"
    assert go_on() == "instructions"
    page.get_by_text("Please do not zoom").wait_for()
    page.keyboard.press("Enter")
    go_on()
    page.locator("#progress").get_by_text("Practice 1 of 1").wait_for()
    page.wait_for_selector('.pair[data-phase="answer"]')
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    assert go_on() == "feedback"
    page.locator("#feedback").get_by_text(re.compile("^These ")).wait_for()
    page.keyboard.press("Enter")
    for number, rating in enumerate([7, 10, 0], 1):
        go_on()
        wait_for_pair(page, number)
        page.wait_for_timeout(60)
        assert page.locator("#rating input:checked").count() == 0, "nothing is preselected"
        assert CODE not in page.content()
        for digit in str(rating):
            page.keyboard.press(digit)
        page.wait_for_selector("#rating input:checked")
        page.keyboard.press("Enter")
    assert go_on() == "comment"
    page.get_by_label("tell us").fill("Nice & <b>fine</b>")
    page.get_by_role("button", name="Finish").click()
    assert go_on() == "done"
    assert page.locator("#code strong").inner_text() == CODE
    assert page.locator("#back a").get_attribute("href") == "https://example.org/done?cc=C1&x=2"

    pictures = [url for url in fetched if "/picture/" in url]
    assert len(pictures) == len(set(pictures)) == 8, "each is fetched once, the next one ahead"
    assert full.ratings() == [3, 7, 10, 0]
    (who,) = full.rows(Participant.external_id, Participant.study_ref, Participant.session_ref)
    assert who == ("rater-1", "st", "se")
    said = dict(full.rows(Answer.step, Answer.value))
    for question in ASKED:
        assert json.loads(said[question.step]) == next(iter(question.choices))
    assert said["comment"] == '"Nice & <b>fine</b>"'
    for rating in (row[0] for row in full.rows(Rating)):
        assert 0 < rating.response_ms < 60_000
        assert (rating.viewport_width, rating.viewport_height) == (1280, 900)
        assert rating.pixel_ratio == 1
    outcomes = queries.checks(full.engine).set_index("name")["outcome"]
    assert outcomes["colour vision"] == "passed"

    page.reload()
    page.locator("#code").get_by_text(CODE).wait_for()
    other = page.context.browser.new_context().new_page()
    other.goto(link)
    other.get_by_role("alert").get_by_text("finished this study with this link").wait_for()
    assert CODE not in other.content()
    other.goto(f"{full.url}/?rater=M%FCller")
    other.get_by_role("alert").get_by_text("no participant ID that can be used").wait_for()
    other.context.close()


def test_the_whole_way_by_touch_in_the_dark(browser, full):
    context = browser.new_context(**PHONE, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{full.url}/?rater=on-a-phone")
    step, steps = None, []
    while step != "done":
        step = wait_for_step(page, step)
        steps.append(step)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, step
        if step == "welcome":
            page.get_by_label("I have read this").tap()
            page.locator("#start").tap()
            continue
        if page.locator(".pair").is_visible():
            page.wait_for_selector('.pair[data-phase="answer"]')
            boxes = [image.bounding_box() for image in page.locator(".pair img").all()]
            assert boxes[0]["y"] == boxes[1]["y"], "both pictures side by side"
            assert {box["width"] for box in boxes} == {box["height"] for box in boxes} == {160}
            page.locator("#rating label").nth(8).tap()
            assert not page.locator("#keys").is_visible()
        elif page.locator("#choice").is_visible():
            page.locator("#choice label").first.tap()
        if step != "done":
            page.locator("#rate .go:visible").tap()
    assert len(steps) == 1 + len(QUESTIONS) + 2 * 1 + 3 + 1
    assert full.ratings() == [8] * 4
    context.close()


def test_real_or_fake(page, studies):
    study = studies["fake"]
    page.goto(f"{study.url}/?rater=somebody")
    consent(page)
    page.get_by_role("button", name="Continue").click()
    images = page.locator(".pair img")
    step, sides = "instructions", ("ArrowLeft", "ArrowRight")
    for number in range(3):
        step = wait_for_step(page, step)
        page.wait_for_selector('.pair[data-phase="ready"]')
        images.first.wait_for(state="hidden")
        page.locator("#left").wait_for(state="hidden")
        page.evaluate("""() => {
            const pair = document.querySelector(".pair"), times = (window.times = {});
            new MutationObserver(() => (times[pair.dataset.phase] = performance.now()))
              .observe(pair, { attributes: true });
        }""")
        page.keyboard.press("Enter")
        images.first.wait_for(state="visible")
        assert images.last.is_visible()
        assert not page.locator("#right").is_visible(), "no answer before the end"
        page.locator("#left").wait_for(state="visible")
        assert not images.first.is_visible()
        assert not images.last.is_visible()
        times = page.evaluate("window.times")
        assert times["answer"] - times["shown"] > 950, "shown for a second"
        page.keyboard.press(sides[number % 2])
        page.keyboard.press("Enter")
        if number == 0:
            step = wait_for_step(page, step)
            page.locator("#feedback").get_by_text(re.compile("^(Right|Wrong): ")).wait_for()
            page.keyboard.press("Enter")
    page.get_by_label("tell us").wait_for()
    page.get_by_role("button", name="Finish").click()
    page.get_by_text("All 2 answers are stored").wait_for()
    with reading(study.engine) as database:
        wanted = sa.select(Rating.choice, Rating.value, Trial.side, Rating.response_ms)
        answers = database.execute(wanted.join(Trial).order_by(Trial.position)).all()
    assert [choice for choice, *_ in answers] == ["left", "right", "left"]
    assert all(value == (choice != side) for choice, value, side, _ in answers)
    assert min(milliseconds for *_, milliseconds in answers) > 950


def test_the_address_for_raters_shows_nothing_else(page, server):
    page.goto(f"{server.url}/?tab=rate")
    page.get_by_label("I have read this").wait_for()
    assert not page.get_by_role("tab", name="Colorize").is_visible()
    assert not page.locator("footer").is_visible()


def test_another_rater_at_the_same_device_begins_anew(page, plain):
    start(page, plain)
    choose(page, 8)
    page.locator("#next").click()
    wait_for_pair(page, 2)
    assert not page.get_by_role("button", name="Somebody else").is_visible()
    page.goto(plain.url)
    page.get_by_role("button", name="Somebody else").click()
    page.get_by_label("I have read this").wait_for()
    assert not page.get_by_label("I have read this").is_checked()
    consent(page)
    page.get_by_role("button", name="Continue").click()
    wait_for_pair(page, 1)
    assert plain.ratings() == []


# Nothing lost, nothing twice


def test_a_reload_and_the_back_button_go_on_at_the_same_pair(page, plain):
    start(page, plain)
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("choose a rating from 0 to 10").wait_for()
    choose(page, 6)
    page.locator("#next").dblclick()
    wait_for_pair(page, 2)
    assert page.get_by_role("alert").count() == 0
    pictures = sources(page)
    page.reload()
    wait_for_pair(page, 2)
    assert sources(page) == pictures
    page.goto("about:blank")
    page.go_back()
    wait_for_pair(page, 2)
    assert sources(page) == pictures
    assert plain.ratings() == [6], "a double click stores one"


def test_a_locked_database_keeps_the_answer_on_the_page(page, plain):
    start(page, plain)
    choose(page, 6)
    other = sqlite3.connect(plain.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("Not saved").wait_for()
    other.execute("ROLLBACK")
    assert page.get_by_label("6", exact=True).is_checked()
    refused = page.evaluate("performance.now()")
    page.locator("#next").click()
    wait_for_pair(page, 2)
    assert plain.ratings() == [6]
    with reading(plain.engine) as database:
        newest = sa.select(Rating.response_ms).order_by(Rating.rated_at.desc())
        took = database.scalars(newest.limit(1)).one()
    assert took < refused, "it was given when it was first sent"


def test_an_answer_whose_acknowledgement_is_lost_stands_when_it_is_sent_again(page, plain):
    start(page, plain)
    choose(page, 7)

    def drop(route):
        route.fetch()
        route.abort()

    page.route("**/answer", drop)
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("not known whether this was saved").wait_for()
    assert page.get_by_label("7", exact=True).is_checked()
    shades = [
        page.locator("#rating label")
        .nth(index)
        .evaluate("e => getComputedStyle(e).backgroundColor")
        for index in (6, 7)
    ]
    assert shades[0] != shades[1], "the chosen one is seen without the focus"
    page.unroute("**/answer")
    choose(page, 3)
    page.locator("#next").click()
    wait_for_pair(page, 2)
    assert plain.ratings() == [7], "the first answer counts"
    assert not page.get_by_role("alert").is_visible()


def test_a_picture_that_does_not_arrive_is_told_and_cannot_be_rated(page, plain):
    page.route("**/picture/*", lambda route: route.abort())
    page.goto(plain.url)
    consent(page)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").get_by_text("A picture could not be loaded").wait_for()
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    page.locator("#next").click()
    page.unroute("**/picture/*")
    page.reload()
    wait_for_pair(page, 1)
    assert plain.ratings() == []


# Keys


def test_arrow_keys_and_second_thoughts_move_the_rating(page, plain):
    start(page, plain)
    pressed = {"5": 5, "ArrowRight": 6, "ArrowUp": 7, "ArrowLeft": 6, "1": 1, "0": 10, "3": 3}
    for key, chosen in pressed.items():
        page.keyboard.press(key)
        page.locator(f"#rating label:has(:checked) >> text=/^{chosen}$/").wait_for()


def test_half_points_by_keyboard(page, studies):
    start(page, studies["halves"])
    for key in "7.5":
        page.keyboard.press(key)
    page.wait_for_selector("#rating input:checked")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    wait_for_pair(page, 2)
    assert studies["halves"].ratings() == [8.5]
