"""The tab "Colorize" as people meet it: in Chromium, from upload to download."""

import base64
import io
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests
from gradio_client import Client, handle_file
from PIL import Image

from demo import __main__ as demo
from demo.colorize import pictures
from demo.colorize import tab as colorize_tab
from demo.server import visitors
from demo.server.internals import BUSY
from model.color import rgb_to_lab_exact
from model.colorizer.pins import Pin
from model.colorizer.pipeline import NO_OTHERS, Colorizer
from model.colorizer.upsampling import recolor
from model.data.rendered import render
from model.metrics import is_in_color
from model.photos import read_photo
from model.version import VERSION
from model.weights import DEFAULT_WEIGHTS
from study.db.engine import connect
from study.prepare.freeze import READY_STUDY
from tests.support.painter import YELLOW, painter
from tests.support.posting import Api
from tests.support.server import serving

WIDTHS = (1280, 390)


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


class Contacts:
    """The hosts that this process asks for or connects to, while watched: Gradio's client, which
    tests use too, has contacts of its own."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        self.watched = False
        sys.addaudithook(self._note)

    def _note(self, event: str, given: tuple) -> None:
        if self.watched and event == "socket.getaddrinfo":
            self.hosts.add(str(given[0]))
        elif self.watched and event == "socket.connect" and isinstance(given[1], tuple):
            self.hosts.add(given[1][0])

    @contextmanager
    def watch(self) -> Iterator[None]:
        self.watched = True
        yield
        self.watched = False


@pytest.fixture(scope="module")
def contacts() -> Contacts:
    return Contacts()


@pytest.fixture(scope="module")
def painter_url(ready_study, contacts, tmp_path_factory) -> Iterator[str]:
    """The page with the tests' own network in the place of ColorNet: yellow fruit that might be red
    or green, and hints followed around their places."""
    folder = tmp_path_factory.mktemp("painter")
    engine = connect(f"sqlite:///{shutil.copy(ready_study, folder)}")
    load, network = Colorizer.load, painter(reach=25, yellow=0.5, red=0.3, green=0.2)

    def load_painter(*name: str) -> Colorizer:
        return network if name == ("colornet",) else load(*name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Colorizer, "load", load_painter)
        patch.setattr(colorize_tab, "available_weights", lambda: ["colornet", "paper"])
        patch.setattr(colorize_tab, "DEFAULT_WEIGHTS", "colornet")
        pictures.load_colorizer.cache_clear()
        with ExitStack() as stack:
            with contacts.watch():
                url = stack.enter_context(serving(engine, READY_STUDY, folder))
            yield url
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


def test_a_full_queue_is_one_sentence(browser, painter_url, gray_file, monkeypatch):
    monkeypatch.setattr(visitors, "WAITING", 0)
    page = browser.new_page()
    page.goto(painter_url)
    page.wait_for_selector("#photo")
    upload(page, gray_file)
    page.get_by_text(BUSY).first.wait_for()
    page.close()


def test_pins_colour_their_surroundings_and_can_be_taken_back(painted):
    page, rings = painted, painted.locator("#pins .ring")
    open_pins(page)
    likeliest, untouched = source(page), picture(page)
    page.get_by_role("slider", name="Reach").press("ArrowLeft")
    page.locator("#pins output >> text=This spot").wait_for()
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
    assert [ring.get_attribute("aria-label") for ring in rings.all()] == ["Pin 1, red"]
    page.get_by_role("button", name="Undo").click()
    assert rings.count() == 2
    page.get_by_role("button", name="Clear all").click()
    assert rings.count() == 0
    wait_for_picture(page, likeliest)
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    page.locator("#pins .ring >> text=1").wait_for()
    old = source(page)
    for _ in range(2):
        page.get_by_role("slider", name="Reach").press("ArrowRight")
    page.locator("#pins output >> text=Everything like it").wait_for()
    wait_for_other(page, old)
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def test_a_pin_is_dragged_and_a_key_takes_it_back(painted):
    page, ring = painted, painted.locator("#pins button.ring")
    open_pins(page)
    pin(page, 120, 150, "#2040ff")
    image, old = page.locator("#pins .picture img").bounding_box(), source(page)
    start = ring.bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(image["x"] + image["width"] / 4, image["y"] + image["height"] / 4, steps=4)
    page.mouse.up()
    wait_for_other(page, old)
    assert ring.count() == 1
    moved = ring.bounding_box()
    assert moved["x"] + moved["width"] / 2 - image["x"] == pytest.approx(image["width"] / 4, abs=3)
    page.keyboard.press("Control+z")
    wait_for_picture(page, old)
    assert ring.bounding_box() == start
    page.keyboard.press("Control+z")
    ring.wait_for(state="detached")


def test_swatches_are_in_sight_large_and_named(painted):
    page = painted
    open_pins(page)
    choose_place(page, 120, 150)
    page.wait_for_timeout(700)  # it scrolls
    for swatch in page.locator("#pins .swatch").all():
        box = swatch.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        assert 0 <= box["y"] and box["y"] + box["height"] <= page.viewport_size["height"]
        assert re.fullmatch("[a-z ]+", swatch.get_attribute("aria-label"))


def test_the_last_of_quick_wishes_is_shown_and_downloaded(painted):
    page = painted
    open_pins(page)
    pin(page, 120, 150, "#2040ff")
    for swatch in page.locator("#pins .swatch").all():
        swatch.click()
    color = page.locator("#pins .ring").evaluate("ring => ring.style.getPropertyValue('--pin')")
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


def test_a_colour_being_picked_survives_the_palette(painted, monkeypatch):
    page, likely_colors = painted, pictures.likely_colors
    monkeypatch.setattr(pictures, "likely_colors", lambda *a: time.sleep(1) or likely_colors(*a))
    open_pins(page)
    page.locator("#pins .picture img").click(position={"x": 60, "y": 60})
    picker = page.locator("#pins input[type=color]")
    picker.evaluate("input => { window.picker = input; input.value = '#123456'; }")
    assert page.locator("#pins .swatch").count() == 0
    page.locator("#pins .swatch").first.wait_for()
    assert page.evaluate("picker.isConnected && picker.value") == "#123456"


def test_other_colours_are_one_click(painted):
    page, rings = painted, painted.locator("#pins .ring")
    others = page.locator("#others button")
    others.first.wait_for()
    assert 2 <= others.count() <= 5, "the colours first shown, and others"
    chosen = page.locator("#others button[aria-pressed=true]")
    assert chosen.get_attribute("aria-label") == "The colours first shown"
    open_pins(page)
    likeliest = source(page)
    others.nth(1).click()
    wait_for_other(page, likeliest)
    page.locator("#others button[aria-pressed=true][data-index='1']").wait_for()
    assert rings.count() > 0, "its pins are there to be changed"
    others.nth(1).click()
    page.get_by_role("button", name="Undo").click()
    wait_for_picture(page, likeliest)
    assert rings.count() == 0, "a second click on it was no step of its own"
    others.nth(1).click()
    wait_for_other(page, likeliest)
    others.first.click()
    wait_for_picture(page, likeliest)
    assert rings.count() == 0


def test_where_no_other_colours_are_likely_the_page_says_so(painted, gray_file, monkeypatch):
    network = pictures.load_colorizer(DEFAULT_WEIGHTS).network
    monkeypatch.setattr(network, "likely", {YELLOW: 1})
    painted.reload()
    upload(painted, gray_file)
    painted.get_by_text(NO_OTHERS).wait_for()
    assert painted.locator("#others button").count() == 0


def test_the_papers_network_takes_no_pins_and_vividness_is_for_both(painted, gray_file):
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

    old = source(page)
    page.get_by_label("range slider for Vividness").press("ArrowRight")
    wait_for_other(page, old)
    assert np.ptp(picture(page), axis=-1).max() > 0.02, "a step from grey"

    for typed, meant in (("12", "2"), ("-3", "0"), ("1.5", "1.5"), ("", "1.5")):
        old = source(page)
        vividness.fill(typed)
        vividness.press("Enter")
        page.wait_for_function(
            "([input, meant]) => input.value === meant", arg=[vividness.element_handle(), meant]
        )
        if typed:
            wait_for_other(page, old)
        page.locator("#download:not([disabled])").wait_for()
        with page.expect_download() as download:
            page.locator("#download").click()
        expected = pictures.load_colorizer(DEFAULT_WEIGHTS).colorize(
            read_photo(gray_file), pins=[Pin(120, 150, (32, 64, 255))], vividness=float(meant)
        )
        assert np.array_equal(np.array(Image.open(download.value.path())), expected)
    assert page.get_by_text("Error").count() == 0


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
    assert "No preview" in page.locator("#photo img").get_attribute("alt")
    page.get_by_label("PaperNet").check()
    page.get_by_text("notes.png is not an image").nth(1).wait_for()
    upload(page, other)
    page.get_by_text("200 x 200 pixels colorized").wait_for()
    assert "No preview" not in (page.locator("#photo img").get_attribute("alt") or "")


@pytest.mark.process
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
        "the limit is 256": [[1, 2, "#c03020"]] * 10_000,
    }
    for sentence, pins in bad.items():
        with pytest.raises(Exception, match=sentence):
            client.predict(photo, pins=pins, api_name="/colorize")
    with pytest.raises(Exception, match="spot, object, everything, not 'all'"):
        client.predict(photo, reach="all", api_name="/colorize")
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
    with pytest.raises(Exception, match="no weights 'nobody'; there are colornet, paper."):
        client.predict(handle_file(gray_file), "nobody", api_name="/colorize")


@pytest.mark.parametrize(
    "file",
    [
        "/etc/passwd",
        "README.md",
        "study.sqlite",
        "model/weights/colornet.safetensors",
        "%2e%2e/%2e%2e/etc/passwd",
    ],
)
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


def test_the_server_contacts_nobody_and_listens_on_this_machine_alone(
    painter_url, contacts, gray_file
):
    with contacts.watch():
        Api(painter_url).colorize("photo.png", gray_file.read_bytes())
    assert contacts.hosts == {"127.0.0.1"}
    assert demo._parser().parse_args([]).host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", int(painter_url.rsplit(":", 1)[1])))


def test_a_path_behind_a_proxy_begins_with_a_slash(capsys):
    for given, path in (("/fruit/", "/fruit"), ("/a/b", "/a/b"), ("/", "")):
        assert demo._parser().parse_args(["--root-path", given]).root_path == path
    with pytest.raises(SystemExit):
        demo._parser().parse_args(["--root-path", "fruit"])
    assert "'fruit' is not a path such as /fruit" in capsys.readouterr().err


def test_a_limit_below_zero_is_one_sentence(capsys):
    with pytest.raises(SystemExit):
        demo.main(["--uploads-per-minute", "-5"])
    assert "'-5' is not a number from 0 on" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["taken", "99999"])
def test_a_port_that_cannot_be_used_is_one_sentence(server, port, capsys):
    port = str(server.port) if port == "taken" else port
    assert demo.main(["--port", port, "--db", server.db_url]) == 2
    assert f"demo: port {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for tab in ("Rate", "Colorize"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_visitors_browser_is_sent_nowhere_else(browser, server, gray_file):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    upload(page, gray_file)
    page.get_by_text("240 x 220 pixels colorized").wait_for()
    assert page.get_by_text(f"Version {VERSION}").is_visible()
    page.get_by_role("button", name="Use via API").click()
    page.get_by_text("/alternatives").first.wait_for()
    own = tuple(f"{scheme}{server.url}/" for scheme in ("", "blob:"))
    assert [url for url in asked if not url.startswith((*own, "data:"))] == []
    assert len(asked) > 10
    page.close()
