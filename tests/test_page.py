"""The page as people meet it: in Chromium, from upload to download, from consent to report."""

import base64
import io
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import sqlalchemy as sa
from gradio_client import Client, handle_file
from PIL import Image

from demo import __main__ as demo
from demo import app, colorize_tab, pictures
from model.color import rgb_to_lab_exact
from model.colorizer import Colorizer, recolor
from model.examples import rendered_examples
from model.metrics import is_in_color
from model.photos import read_photo
from model.rendered import render
from study import prepare, report, store
from study.store import Stimulus, Study
from tests.conftest import Server
from tests.painter import painter

WIDTHS = (1280, 390)
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


@pytest.fixture
def page(browser, server):
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900})
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#photo")
    yield page
    context.close()


@pytest.fixture
def gray_file(tmp_path: Path) -> Path:
    file = tmp_path / "my pear.png"
    pixels = recolor(render("Pear Rendered Green", size=240), None)[20:, :, 0]
    Image.fromarray(pixels).save(file)
    return file


def upload(page, file: Path) -> None:
    page.set_input_files("#photo input[type=file]", file)


@pytest.fixture(scope="module")
def painter_url(tmp_path_factory) -> Iterator[str]:
    """The page with the tests' own network in the place of ColorNet: yellow fruit that might be red
    or green, and hints followed around their places."""
    folder = tmp_path_factory.mktemp("painter")
    engine = store.connect(f"sqlite:///{folder / 'study.sqlite'}")
    prepare.prepare_ready_study(engine)
    with store.reading(engine) as session:
        study_name = store.find_study(session, None).name
    with socket.socket() as free, pytest.MonkeyPatch.context() as patch:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        load, network = Colorizer.load, painter(reach=25, yellow=0.5, red=0.3, green=0.2)

        def load_painter(*name: str) -> Colorizer:
            return network if name == ("colornet",) else load(*name)

        patch.setattr(Colorizer, "load", load_painter)
        patch.setattr(colorize_tab, "available_weights", lambda: ["colornet", "paper"])
        patch.setattr(colorize_tab, "DEFAULT_WEIGHTS", "colornet")
        pictures.load_colorizer.cache_clear()
        page = app.build(engine, study_name, rendered_examples(2, to=folder))
        free.close()
        launch = {
            "target": app.launch,
            "args": [page],
            "kwargs": {"host": "127.0.0.1", "port": port},
        }
        thread = threading.Thread(**launch)
        thread.start()
        while not getattr(page, "is_running", False):
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        page.close()
        thread.join()
    pictures.load_colorizer.cache_clear()


@pytest.fixture(params=WIDTHS)
def painted(request, browser, painter_url, gray_file):
    """The gray photo, colorized by the tests' own network, on a desktop and on a phone."""
    narrow = request.param == min(WIDTHS)
    context = browser.new_context(
        viewport={"width": request.param, "height": 900}, has_touch=narrow, is_mobile=narrow
    )
    page = context.new_page()
    page.goto(painter_url)
    page.wait_for_selector("#photo")
    upload(page, gray_file)
    page.get_by_text("240 x 220 pixels colorized").wait_for()
    yield page
    context.close()


def open_pins(page) -> None:
    page.get_by_role("button", name="Pin a colour").click()
    page.locator("#pins .picture").wait_for()


def source(page) -> str:
    return page.locator("#pins .picture img").get_attribute("src")


def picture(page) -> np.ndarray:
    """The picture with pins, without their rings."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source(page).split(",")[1])))) / 255


def wait_for_picture(page, source: str) -> None:
    page.wait_for_function("url => document.querySelector('#pins img').src === url", arg=source)


def wait_for_other(page, old: str) -> None:
    page.wait_for_function("url => document.querySelector('#pins img').src !== url", arg=old)


def choose_place(page, x: int, y: int) -> None:
    """Click or tap the place x, y of the 240 x 220 photo and wait for its palette."""
    image = page.locator("#pins .picture img")
    box = image.bounding_box()
    position = {"x": (x + 0.5) * box["width"] / 240, "y": (y + 0.5) * box["height"] / 220}
    act = image.tap if page.viewport_size["width"] < 600 else image.click
    act(position=position)
    page.locator("#pins .swatch").first.wait_for()


def pin(page, x: int, y: int, color: str) -> None:
    """Pin this colour there and wait for the picture."""
    choose_place(page, x, y)
    old = source(page)
    page.locator("#pins input[type=color]").fill(color)
    page.locator("#pins input[type=color]").dispatch_event("change")
    wait_for_other(page, old)


def open_rate_tab(page) -> None:
    page.get_by_role("tab", name="Rate").click()


def start(page) -> None:
    open_rate_tab(page)
    page.get_by_label("I have read this").check()
    page.locator("#start").click()
    page.wait_for_selector(".pair img")


def wait_for_pair(page, number: int) -> None:
    page.wait_for_function(f"document.querySelector('#progress')?.textContent === '{number} of 10'")


def engine_of(server: Server) -> sa.Engine:
    return store.connect(server.flags[1])


def last_session(server: Server) -> list[float]:
    """The ratings of the newest session, in the order of its trials."""
    with store.reading(engine_of(server)) as database:
        session = database.scalar(
            sa.select(store.RatingSession).order_by(store.RatingSession.id.desc()).limit(1)
        )
        return [trial.rating.value for trial in session.trials if trial.rating]


# Colorize


def test_a_gray_photo_is_colorized_at_once_and_downloads_in_full_size(page, gray_file, tmp_path):
    upload(page, gray_file)
    page.get_by_text("240 x 220 pixels colorized").wait_for()
    assert page.locator("#result img").count() == 2
    assert not page.locator("#true").is_visible(), "a grey photo has no true colours to show"
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "my pear-colorized.png"
    result = np.array(Image.open(download.value.path()))
    photo = read_photo(gray_file)
    assert result.shape == photo.shape
    assert is_in_color(result)
    shift = rgb_to_lab_exact(result)[..., 0] - rgb_to_lab_exact(photo)[..., 0]
    assert np.abs(shift).max() < 1


def test_a_colour_photo_is_compared_with_its_true_colours(page, tmp_path):
    file = tmp_path / "apple.jpg"
    Image.fromarray(render("Apple Rendered Red", size=200)).save(file)
    upload(page, file)
    page.get_by_text("Median CIEDE2000").wait_for()
    page.locator("#true img").wait_for()


def test_an_example_is_one_click(page):
    page.locator("#examples button").first.click()
    page.get_by_text("pixels colorized").wait_for()
    assert page.get_by_text("Examples (fruit drawn by a program)").is_visible()


def test_bad_files_get_one_sentence_and_the_next_photo_works(page, gray_file, tmp_path):
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    whole = io.BytesIO()
    Image.fromarray(render("Apple Rendered Red")).save(whole, "JPEG")
    bad = {
        "notes.png": (b"these are notes", "is not an image"),
        "empty.png": (b"", "is empty"),
        "cut.jpg": (whole.getvalue()[:1500], "is damaged"),
        "bomb.png": (bomb.getvalue(), "the limit is 50"),
    }
    for name, (content, sentence) in bad.items():
        (tmp_path / name).write_bytes(content)
        upload(page, tmp_path / name)
        toast = page.get_by_text(re.compile(rf"{name}.*{sentence}"))
        toast.first.wait_for()
        assert "Traceback" not in page.content()
        page.reload()
        page.wait_for_selector("#photo")
    upload(page, gray_file)
    page.get_by_text("240 x 220 pixels colorized").wait_for()


def test_pins_colour_their_surroundings_and_can_be_taken_back(painted):
    page, rings = painted, painted.locator("#pins .ring")
    open_pins(page)
    likeliest, untouched = source(page), picture(page)
    pin(page, 120, 150, "#2040ff")
    assert [ring.inner_text() for ring in rings.all()] == ["1"]
    ring, image = rings.bounding_box(), page.locator("#pins .picture img").bounding_box()
    middle = ring["x"] + ring["width"] / 2 - image["x"], ring["y"] + ring["height"] / 2 - image["y"]
    shown_at = middle[0] / image["width"] * 240, middle[1] / image["height"] * 220
    assert np.allclose(shown_at, (120.5, 150.5), atol=1)
    blue = picture(page)
    assert blue[150, 120, 2] > blue[150, 120, 0] + 0.1, "blue at the pin"
    assert np.abs(blue - untouched)[20:60, 100:140].max() < 0.05, "as it was elsewhere"

    pin(page, 130, 60, "#ff2020")
    assert rings.count() == 2
    rings.first.click()
    old = source(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    wait_for_other(page, old)
    assert [ring.get_attribute("aria-label") for ring in rings.all()] == ["Pin 1, #ff2020"]
    page.get_by_role("button", name="Undo").click()
    assert rings.count() == 2
    page.get_by_role("button", name="Clear all").click()
    assert rings.count() == 0
    wait_for_picture(page, likeliest)
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    page.locator("#pins .ring >> text=1").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def test_the_last_of_quick_wishes_is_shown_and_downloaded(painted):
    page = painted
    open_pins(page)
    pin(page, 120, 150, "#2040ff")
    for swatch in page.locator("#pins .swatch").all():
        swatch.click()
    color = page.locator("#pins .ring").get_attribute("aria-label")[-7:]
    wanted = rgb_to_lab_exact(np.array([[list(bytes.fromhex(color[1:]))]], np.uint8))[0, 0, 1:]

    def is_right(rgb: np.ndarray) -> bool:
        return np.linalg.norm(rgb_to_lab_exact(rgb)[150, 120, 1:] - wanted) < 8

    for _ in range(100):
        if is_right(picture(page)):
            break
        page.wait_for_timeout(200)
    with page.expect_download() as download:
        page.locator("#download").click()
    assert is_right(np.array(Image.open(download.value.path())))
    assert is_right(picture(page)), "nothing older came after it"
    page.get_by_role("button", name="Before and after").click()
    assert page.locator("#result").is_visible()


def test_pins_by_keyboard(painted):
    page, rings = painted, painted.locator("#pins button.ring")
    open_pins(page)
    page.locator("#pins .picture").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    page.locator("#pins .swatch").first.wait_for()
    old = source(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for_other(page, old)
    assert rings.count() == 1
    rings.focus()
    page.keyboard.press("Delete")
    rings.wait_for(state="detached")


def test_other_colours_are_one_click(painted):
    page, rings = painted, painted.locator("#pins .ring")
    others = page.locator("#others button")
    others.first.wait_for()
    assert 1 <= others.count() <= 4
    open_pins(page)
    likeliest = source(page)
    others.first.click()
    wait_for_other(page, likeliest)
    assert rings.count() > 0, "its pins are there to be changed"
    page.get_by_role("button", name="Undo").click()
    wait_for_picture(page, likeliest)
    assert rings.count() == 0


def test_the_papers_network_takes_no_pins_and_vividness_is_for_both(painted):
    page = painted
    page.locator("#others button").first.wait_for()
    open_pins(page)
    pin(page, 120, 150, "#2040ff")
    page.get_by_label("PaperNet").check()
    page.get_by_text("weights: paper").wait_for()
    page.locator("#result").wait_for(state="visible")
    assert not page.locator("#pins").is_visible()
    assert not page.locator("#others").is_visible()
    page.get_by_label("ColorNet").check()
    page.get_by_text("weights: painter").wait_for()
    page.locator("#others button").first.wait_for()
    assert page.locator("#pins .ring").count() == 1

    old = source(page)
    vividness = page.get_by_label("number input for Vividness")
    vividness.fill("0")
    vividness.blur()
    wait_for_other(page, old)
    assert np.ptp(picture(page), axis=-1).max() < 0.02, "grey"


def test_another_photo_starts_without_pins_and_a_bad_one_leaves_nothing_old(painted, tmp_path):
    page = painted
    open_pins(page)
    pin(page, 120, 150, "#2040ff")
    other = tmp_path / "apple.png"
    Image.fromarray(render("Apple Rendered Red", size=200)).convert("L").save(other)
    upload(page, other)
    page.get_by_text("200 x 200 pixels colorized").wait_for()
    page.locator("#result").wait_for(state="visible")
    open_pins(page)
    assert page.locator("#pins .ring").count() == 0
    assert page.get_by_role("button", name="Undo").is_disabled()
    (tmp_path / "notes.png").write_text("these are notes")
    upload(page, tmp_path / "notes.png")
    page.get_by_text("notes.png is not an image").wait_for()
    page.locator("#pins").wait_for(state="hidden")
    page.locator("#download[disabled]").wait_for()
    assert page.locator("#result img").count() == 0


def test_pins_vividness_and_alternatives_by_api(painter_url, gray_file):
    client, photo = Client(painter_url, verbose=False), handle_file(gray_file)
    whole = client.predict(photo, api_name="/colorize")
    versions = client.predict(photo, api_name="/alternatives")
    assert 1 <= len(versions) <= 4
    assert len(client.predict(photo, count=1, api_name="/alternatives")) == 1
    other = client.predict(photo, pins=versions[0], api_name="/colorize")
    assert (np.array(Image.open(whole[1])) != np.array(Image.open(other[1]))).any()
    gray = client.predict(photo, vividness=0, api_name="/colorize")
    assert not is_in_color(np.array(Image.open(gray[1])))
    bad = {
        "a list of": {"x": 1},
        "a list of ": "120,80,#c03020",
        "#RRGGBB": [[1, 2, "red"]],
        "A pin is": [[[1], None, "#c03020"]],
        "outside the photo": [[240, 0, "#c03020"]],
        "the limit is 50": [[1, 2, "#c03020"]] * 10_000,
    }
    for sentence, pins in bad.items():
        with pytest.raises(Exception, match=sentence):
            client.predict(photo, pins=pins, api_name="/colorize")
    with pytest.raises(Exception, match="take no pins"):
        client.predict(photo, "paper", [[1, 2, "#c03020"]], api_name="/colorize")
    with pytest.raises(Exception, match="greater than maximum"):
        client.predict(photo, vividness=3, api_name="/colorize")


def test_the_same_function_by_api(server, gray_file):
    client = Client(server.url, verbose=False)
    slider, file, true, note = client.predict(handle_file(gray_file), "paper", api_name="/colorize")
    assert np.array(Image.open(slider[1])).shape == (220, 240, 3)
    assert Path(file).name == "my pear-colorized.png"
    assert np.array(Image.open(file)).shape == (220, 240, 3)
    assert true is None
    assert "240 x 220 pixels colorized" in note
    with pytest.raises(Exception, match="There are no weights 'nobody'|not in the list"):
        client.predict(handle_file(gray_file), "nobody", api_name="/colorize")


@pytest.mark.parametrize("file", ["/etc/hostname", "README.md", "study.sqlite"])
def test_files_of_the_server_are_out_of_reach(server, file):
    assert requests.get(f"{server.url}/gradio_api/file={file}").status_code == 403
    photo = {"path": file, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}
    functions = requests.get(f"{server.url}/config").json()["dependencies"]
    (colorize,) = [f["id"] for f in functions if f["api_name"] == "colorize"]
    asked = {"data": [photo, "paper"], "fn_index": colorize, "session_hash": "forged"}
    assert requests.post(f"{server.url}/gradio_api/queue/join", json=asked).ok
    answer = requests.get(f"{server.url}/gradio_api/queue/data?session_hash=forged").text
    assert '"success":false' in answer
    assert "x.png" not in answer, "the file was not even opened"


@pytest.mark.parametrize("port", ["taken", "99999"])
def test_a_port_that_cannot_be_had_is_one_sentence(server, db_url, port, capsys):
    port = str(server.port) if port == "taken" else port
    assert demo.main(["--port", port, "--db", db_url, "--examples", "rendered"]) == 2
    assert f"demo: port {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for tab in ("Rate", "Colorize"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    start(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [image.bounding_box() for image in page.locator(".pair img").all()]
    assert boxes[0]["y"] == boxes[1]["y"], "both pictures side by side"


# Rate


def test_without_consent_the_page_says_what_to_do(page):
    open_rate_tab(page)
    page.locator("#start").click()
    page.get_by_role("alert").get_by_text("tick the box first").wait_for()


def test_a_rater_goes_from_consent_to_the_last_pair_by_keyboard(page, server, capsys):
    start(page)
    answers = [7, 10, 0, 1, 5, 9, 10, 2, 3, 4]
    for number, answer in enumerate(answers, 1):
        wait_for_pair(page, number)
        assert page.locator("#rating input:checked").count() == 0, "nothing is preselected"
        for digit in str(answer):
            page.keyboard.press(digit)
        page.wait_for_selector("#rating input:checked")
        page.keyboard.press("Enter")
    page.get_by_text("All 10 ratings are stored").wait_for()
    assert last_session(server) == answers

    page.reload()
    open_rate_tab(page)
    page.get_by_text("All 10 ratings are stored").wait_for()
    assert report.main(["--db", server.flags[1]]) == 0
    assert re.search(r"control +\d+ +\d+ ", capsys.readouterr().out)


def test_arrow_keys_and_second_thoughts_move_the_rating(page, server):
    start(page)
    pressed = {"5": 5, "ArrowRight": 6, "ArrowUp": 7, "ArrowLeft": 6, "1": 1, "0": 10, "3": 3}
    for key, chosen in pressed.items():
        page.keyboard.press(key)
        page.locator(f"#rating label:has(:checked) >> text=/^{chosen}$/").wait_for()


def test_half_points_by_keyboard(browser, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    assert (
        prepare.main(
            ["--rendered", "--weights", "paper", "--step", "0.5", "--name", "half", "--db", url]
        )
        == 0
    )
    server = Server(url)
    try:
        page = browser.new_page()
        page.goto(server.url)
        start(page)
        for key in "7.5":
            page.keyboard.press(key)
        page.wait_for_selector("#rating input:checked")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        wait_for_pair(page, 2)
        assert last_session(server) == [8.5]
        page.close()
    finally:
        server.stop()


def test_reloading_goes_on_at_the_same_pair_and_opens_the_tab(page, server):
    start(page)
    page.get_by_label("8", exact=True).check()
    page.locator("#next").click()
    wait_for_pair(page, 2)
    pictures = [image.get_attribute("src") for image in page.locator(".pair img").all()]
    page.reload()
    wait_for_pair(page, 2)
    assert page.locator(".pair").is_visible()
    assert [i.get_attribute("src") for i in page.locator(".pair img").all()] == pictures
    assert last_session(server) == [8]


def test_the_address_for_raters_opens_their_tab(page, server):
    page.goto(f"{server.url}/?tab=rate")
    page.get_by_label("I have read this").wait_for(state="visible")
    page.get_by_role("tab", name="Colorize").wait_for(state="hidden")


def test_another_rater_at_the_same_device_begins_anew(page, server):
    start(page)
    page.get_by_label("8", exact=True).check()
    page.locator("#next").click()
    wait_for_pair(page, 2)
    assert not page.get_by_role("button", name="Somebody else").is_visible()
    page.reload()
    page.get_by_role("button", name="Somebody else").click()
    page.get_by_label("I have read this").wait_for(state="visible")
    assert not page.get_by_label("I have read this").is_checked()
    page.get_by_label("I have read this").check()
    page.locator("#start").click()
    wait_for_pair(page, 1)
    assert last_session(server) == []


def test_next_without_a_rating_says_so_and_a_double_click_stores_one(page, server):
    start(page)
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("choose a rating from 0 to 10").wait_for()
    page.get_by_label("6", exact=True).check()
    page.locator("#next").dblclick()
    wait_for_pair(page, 2)
    assert last_session(server) == [6]
    assert page.get_by_role("alert").count() == 0


def test_a_locked_database_keeps_the_answer_on_the_page(page, server):
    start(page)
    page.get_by_label("6", exact=True).check()
    other = sqlite3.connect(server.flags[1].removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    page.locator("#next").click()
    page.get_by_role("alert").get_by_text("Not saved").wait_for()
    other.execute("ROLLBACK")
    assert page.get_by_label("6", exact=True).is_checked()
    page.locator("#next").click()
    wait_for_pair(page, 2)
    assert last_session(server) == [6]


def test_a_restarted_server_knows_its_raters(browser, tmp_path):
    server = Server(f"sqlite:///{tmp_path / 'study.sqlite'}")
    try:
        page = browser.new_page()
        page.goto(server.url)
        start(page)
        page.get_by_label("3", exact=True).check()
        page.locator("#next").click()
        wait_for_pair(page, 2)
        server.stop()
        server.start()
        page.reload()
        wait_for_pair(page, 2)
        page.close()
    finally:
        server.stop()


def test_nothing_that_reaches_the_browser_tells_the_condition(page, server):
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.add_init_script(RECORD_ANSWERS)
    page.reload()
    start(page)
    shown, dom = set(), ""
    for number in range(1, 11):
        wait_for_pair(page, number)
        shown |= {image.get_attribute("src") for image in page.locator(".pair img").all()}
        dom += page.locator("#rate").evaluate("element => element.outerHTML")
        page.get_by_label("5", exact=True).check()
        page.locator("#next").click()
    page.get_by_text("All 10 ratings are stored").wait_for()

    answers = page.evaluate("window.answers")
    assert "5 of 10" in "".join(answers), "the server's answers were recorded"
    sent = "\n".join(
        ["".join(answers), *urls, dom, page.request.get(f"{server.url}/config").text()]
    )
    with store.reading(engine_of(server)) as database:
        study = database.scalar(sa.select(Study))
        stimuli = study.stimuli
        pngs = database.execute(sa.select(Stimulus.token, Stimulus.color_png)).all()
    words = {"control", "generated", "condition"}
    words |= {s.picture for s in stimuli} | {s.token for s in stimuli}
    words |= {s.color_sha256 for s in stimuli} | {study.weights_sha256}
    found = [word for word in words if re.search(rf"\b{re.escape(word)}\b", sent)]
    assert not found
    assert len(shown) == 20, "a grayscale and a colour picture for each of ten pairs"
    assert len({len(src) for src in shown}) == 1, "sizes tell nothing"
    assert len(pngs) == 20
