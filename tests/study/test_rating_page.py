"""The tab "Rate" as raters meet it: in Chromium, from the link to the completion code."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from study.db import queries
from study.db.engine import connect, reading
from study.db.tables import Answer, Participant, Rating, RatingSession, Stimulus, Study, Trial
from study.plan.config import StudyConfig
from study.prepare import freeze as prepare
from study.rate import begin
from tests.support.server import serving

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
CODE = "C1_2*X"
STEP = (
    "[...document.querySelectorAll('#rate .head')].find((head) => head.offsetParent)?.dataset.step"
)
PLAIN = {"color_vision": False, "screen": False, "attention": False}
RECORD_ANSWERS = """
window.answers = [];
const fetched = window.fetch;
window.fetch = async (...request) => {
  const response = await fetched(...request);
  const pieces = response.clone().body.pipeThrough(new TextDecoderStream()).getReader();
  (async () => {
    for (let piece = await pieces.read(); !piece.done; piece = await pieces.read())
      window.answers.push(piece.value);
  })().catch(() => {});  // a stream that the page ends early
  return response;
};
"""


@dataclass
class Running:
    """A study that is being served."""

    url: str
    engine: sa.Engine
    file: Path

    def rows(self, entity, *entities) -> list:
        with reading(self.engine) as database:
            return database.execute(sa.select(entity, *entities)).all()

    def ratings(self) -> list[float]:
        """Those of the newest session, in the order of its trials."""
        newest = sa.select(sa.func.max(RatingSession.id)).scalar_subquery()
        wanted = sa.select(Rating.value).join(Trial).order_by(Trial.position)
        with reading(self.engine) as database:
            return database.scalars(wanted.where(Trial.session_id == newest)).all()


@contextmanager
def running(folder: Path, port: int = 0, **fields) -> Iterator[Running]:
    """A study of rendered pictures, made where it is not there yet, and its page."""
    file = folder / "study.sqlite"
    engine = connect(f"sqlite:///{file}")
    told = {"name": "fruit", "title": "Fruit", "contact": "Jo", "seed": 1}
    told |= {"pictures": "rendered", "arms": ("control", "paper")}
    with reading(engine) as database:
        known = queries.find_study(database)
    if known is None:
        prepare.prepare(engine, StudyConfig(**told | fields))
    with serving(engine, "fruit", folder, port) as url:
        yield Running(url, engine, file)


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Iterator[Running]:
    """Ratings, with everything that a study can ask."""
    fields = {"pairs": 4}
    fields["completion"] = {"code": CODE, "url": "https://example.org/done?cc=C1&x=2"}
    fields["title"] = "Colours <b>of</b> fruit"
    folder = tmp_path_factory.mktemp("full")
    with running(folder, **fields) as study:
        yield study


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Iterator[Running]:
    """Ten pairs and nothing else, on a database that does not wait long for a lock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.db.engine.LOCK_SECONDS", 2)
        with running(tmp_path_factory.mktemp("plain"), practice=0, checks=PLAIN) as study:
            yield study


@pytest.fixture(scope="module")
def fake(tmp_path_factory) -> Iterator[Running]:
    """Real or fake: four pairs, one for practice."""
    fields = {"protocol": "real-or-fake", "pairs": 4, "practice": 1, "checks": PLAIN}
    with running(tmp_path_factory.mktemp("fake"), **fields) as study:
        yield study


@pytest.fixture
def page(browser, request):
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


def start(page, study: Running, query: str = "?tab=rate") -> None:
    """Go to the first pair of the study `plain`."""
    page.goto(f"{study.url}/{query}")
    consent(page)
    page.get_by_role("button", name="Continue").click()
    wait_for_pair(page, 1)


def wait_for_pair(page, number: int, total: int = 10) -> None:
    text = f"{number} of {total}"
    page.wait_for_function(
        "text => document.querySelector('#progress')?.textContent === text", arg=text
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
    link = f"{full.url}/?PROLIFIC_PID=rater-1&STUDY_ID=st&SESSION_ID=se&condition=generated"
    page.goto(link)
    step = wait_for_step(page, None)
    assert not page.get_by_role("tab", name="Colorize").is_visible()
    page.locator("#start").click()
    page.get_by_role("alert").get_by_text("tick the box first").wait_for()
    consent(page)

    def go_on(*keys: str) -> str:
        nonlocal step
        step = wait_for_step(page, step)
        focus = page.evaluate("document.activeElement.className")
        assert "head" in focus, f"at {step} the focus is on the heading"
        page.wait_for_timeout(300)  # no rater is faster than the step is drawn
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(30)
        return step

    assert go_on("ArrowDown", "ArrowDown", "ArrowUp", "Enter") == "color_vision"
    assert page.locator("#rate b").count() == 0, "a title is no HTML"
    assert go_on("ArrowDown", "Enter") == "screen"
    assert go_on() == "instructions"
    page.get_by_text("shown at 256 x 256 CSS pixels").wait_for()
    page.keyboard.press("Enter")
    for number in (1, 2):
        go_on()
        page.locator("#progress").get_by_text(f"Practice {number} of 2").wait_for()
        page.wait_for_selector('.pair[data-phase="answer"]')
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        assert go_on() == "feedback"
        page.locator("#feedback").get_by_text(re.compile("^These ")).wait_for()
        page.keyboard.press("Enter")
    for number, answer in enumerate([7, 10, 0, 1, 5], 1):
        go_on()
        wait_for_pair(page, number, 5)
        page.wait_for_timeout(60)
        assert page.locator("#rating input:checked").count() == 0, "nothing is preselected"
        assert CODE not in page.content()
        for digit in str(answer):
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
    assert len(pictures) == len(set(pictures)) == 14, "each is fetched once, the next one ahead"
    assert full.ratings() == [3, 3, 7, 10, 0, 1, 5]
    (who,) = full.rows(Participant.external_id, Participant.study_ref, Participant.session_ref)
    assert who == ("rater-1", "st", "se")
    said = dict(full.rows(Answer.step, Answer.value))
    assert said["color_vision"] == '"normal"'
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
    other.locator("#code").get_by_text(CODE).wait_for()
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
    assert len(steps) == 1 + 1 + 1 + 1 + 2 * 2 + 5 + 1 + 1
    assert full.ratings() == [8] * 7
    context.close()


def test_real_or_fake(page, fake):
    page.goto(f"{fake.url}/?rater=somebody")
    consent(page)
    page.get_by_role("button", name="Continue").click()
    images = page.locator(".pair img")
    step, sides = "instructions", ("ArrowLeft", "ArrowRight")
    for number in range(5):
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
        assert 950 < times["answer"] - times["shown"] < 1500
        page.keyboard.press(sides[number % 2])
        page.keyboard.press("Enter")
        if number == 0:
            step = wait_for_step(page, step)
            page.locator("#feedback").get_by_text(re.compile("^(Right|Wrong): ")).wait_for()
            page.keyboard.press("Enter")
    page.get_by_label("tell us").wait_for()
    page.get_by_role("button", name="Finish").click()
    page.get_by_text("All 4 answers are stored").wait_for()
    with reading(fake.engine) as database:
        wanted = sa.select(Rating.choice, Rating.value, Trial.side, Rating.response_ms)
        answers = database.execute(wanted.join(Trial).order_by(Trial.position)).all()
    assert [choice for choice, *_ in answers] == ["left", "right", "left", "right", "left"]
    assert all(value == (choice != side) for choice, value, side, _ in answers)
    assert min(milliseconds for *_, milliseconds in answers) > 950


# Who is who


def test_an_address_that_names_a_rater_goes_before_what_the_browser_keeps(page, plain):
    start(page, plain)
    choose(page, 8)
    page.locator("#next").click()
    wait_for_pair(page, 2)
    page.goto(f"{plain.url}/?rater=second")
    page.get_by_label("I have read this").wait_for()
    start(page, plain, "?rater=second")
    assert plain.ratings() == []
    page.goto(plain.url)
    wait_for_pair(page, 2)


@pytest.mark.parametrize(
    "query",
    [
        "rater=",
        "rater=%20",
        f"rater={'x' * 101}",
        "PROLIFIC_PID=a%00b",
        "PROLIFIC_PID={{%25PROLIFIC_PID%25}}&STUDY_ID=a",
        "rater=%2312",  # is how study.forget calls rater number 12
        "STUDY_ID=a&SESSION_ID=b",
    ],
)
def test_an_address_that_names_nobody_is_one_sentence(page, plain, query):
    page.goto(f"{plain.url}/?{query}")
    page.get_by_role("alert").get_by_text("This address is not complete").wait_for()
    assert not page.locator("#start").is_visible()


def test_the_address_for_raters_shows_nothing_else(page, plain):
    page.goto(f"{plain.url}/?tab=rate")
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


def test_a_reload_the_back_button_and_a_restart_go_on_at_the_same_pair(browser, tmp_path):
    page = browser.new_context(**DESKTOP).new_page()
    with running(tmp_path, practice=0, checks=PLAIN) as study:
        start(page, study)
        choose(page, 8)
        page.locator("#next").click()
        wait_for_pair(page, 2)
        pictures = sources(page)
        page.reload()
        wait_for_pair(page, 2)
        assert sources(page) == pictures
        page.goto("about:blank")
        page.go_back()
        wait_for_pair(page, 2)
        assert sources(page) == pictures
        port = int(study.url.rpartition(":")[2])
    with running(tmp_path, port) as study:
        page.reload()
        wait_for_pair(page, 2)
        assert sources(page) == pictures
        assert study.ratings() == [8]
    page.context.close()


def test_next_without_a_rating_says_so_and_a_double_click_stores_one(page, plain):
    start(page, plain)
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("choose a rating from 0 to 10").wait_for()
    choose(page, 6)
    page.locator("#next").dblclick()
    wait_for_pair(page, 2)
    assert plain.ratings() == [6]
    assert page.get_by_role("alert").count() == 0


def test_a_locked_database_keeps_the_answer_on_the_page(page, plain):
    start(page, plain)
    choose(page, 6)
    other = sqlite3.connect(plain.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("Not saved").wait_for()
    other.execute("ROLLBACK")
    assert page.get_by_label("6", exact=True).is_checked()
    page.locator("#next").click()
    wait_for_pair(page, 2)
    assert plain.ratings() == [6]
    with reading(plain.engine) as database:
        newest = sa.select(Rating.response_ms).order_by(Rating.rated_at.desc())
        took = database.scalars(newest.limit(1)).one()
    assert took < 2000, "it was given when it was first sent"


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


def test_of_two_tabs_the_older_one_gets_the_pair_that_is_due(page, plain):
    start(page, plain)
    other = page.context.new_page()
    other.goto(f"{plain.url}/?tab=rate")
    wait_for_pair(other, 1)
    choose(page, 6)
    page.locator("#next").click()
    wait_for_pair(page, 2)
    choose(other, 2)
    other.locator("#next").click()
    wait_for_pair(other, 2)
    assert plain.ratings() == [6], "the first answer stands"
    assert sources(other) == sources(page)


def test_a_picture_that_does_not_arrive_is_told_and_cannot_be_rated(page, plain):
    page.route("**/picture/*", lambda route: route.abort())
    page.goto(f"{plain.url}/?tab=rate")
    consent(page)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").get_by_text("A picture did not arrive").wait_for()
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


def test_half_points_by_keyboard(page, tmp_path):
    with running(tmp_path, practice=0, checks=PLAIN, scale={"step": 0.5}) as study:
        start(page, study)
        for key in "7.5":
            page.keyboard.press(key)
        page.wait_for_selector("#rating input:checked")
        for key in ("ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        wait_for_pair(page, 2)
        assert study.ratings() == [8.5]
        page.goto("about:blank")


# What is sent


def test_nothing_that_reaches_the_browser_tells_the_condition(page, plain):
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.add_init_script(RECORD_ANSWERS)
    start(page, plain)
    shown, dom = set(), ""
    for number in range(1, 11):
        wait_for_pair(page, number)
        shown |= set(sources(page))
        dom += page.locator("#rate").evaluate("element => element.outerHTML")
        choose(page, 5)
        page.locator("#next").click()
    page.get_by_label("tell us").wait_for()

    answers = page.evaluate("window.answers")
    assert "5 of 10" in "".join(answers), "the server's answers were recorded"
    config = requests.get(f"{plain.url}/config").text
    assert "painted blue" not in config, "what the study is about is sent at its end"
    sent = "\n".join(["".join(answers), *urls, dom, config])
    stimuli = plain.rows(Stimulus.picture, Stimulus.token, Stimulus.color_sha256)
    words = {"control", "generated", "condition", "colour_png"}
    words |= {word for stimulus in stimuli for word in stimulus}
    words |= set(plain.rows(Study.manifest_sha256)[0])
    assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", sent)]
    assert len(shown) == 20, "a grayscale and a colour picture for each of ten pairs"
    pictures = [requests.get(f"{plain.url}/{source}") for source in shown]
    assert len({len(picture.content) for picture in pictures}) == 1, "sizes tell nothing"
    assert {picture.headers["Cache-Control"] for picture in pictures} == {"no-store"}
    headers = {frozenset({**picture.headers, "date": ""}.items()) for picture in pictures}
    assert len(headers) == 1


def test_only_pictures_that_were_handed_out_can_be_fetched(page, plain):
    start(page, plain)
    with reading(plain.engine) as database:
        newest = sa.select(Trial).order_by(Trial.session_id.desc(), Trial.position)
        due, ahead, later = database.scalars(newest.limit(3)).all()
    for trial in (due, ahead):
        assert requests.get(f"{plain.url}/picture/{trial.second_token}").ok
    for token in (later.second_token, due.stimulus_token, due.token, "x", "%00", "..%2Fstudy"):
        answer = requests.get(f"{plain.url}/picture/{token}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("value", [None, [], {"a": [1]}, "\0", "9" * 5000, True, 7.5, [[]]])
def test_calls_past_the_page_get_a_sentence(plain, value):
    config = requests.get(f"{plain.url}/config").json()
    parts = config["components"]
    (view,) = [part["id"] for part in parts if part["props"].get("elem_id") == "view"]
    ours = [function for function in config["dependencies"] if view in function["outputs"]]
    assert len(ours) == 3
    for function in ours:
        asked = {"data": [value] * len(function["inputs"]), "fn_index": function["id"]}
        answer = requests.post(
            f"{plain.url}/gradio_api/run/predict", json=asked | {"session_hash": "x"}
        )
        assert answer.status_code == 200, answer.text
        assert "Traceback" not in answer.text
    token, due = begin(plain.engine, "fruit", consent=True)
    given = {"token": token, "step": due.step, "value": "no choice", "measured": {}}
    for name in given:
        changed = given | {name: value}
        assert requests.post(f"{plain.url}/resume", json=changed).status_code == 200
        answer = requests.post(f"{plain.url}/answer", json=changed)
        assert answer.json()["problem"].startswith('<p role="alert">'), answer.text
