"""The report as a page: what others wrote stays text, and it can be read wherever it is opened."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from tiny_study import STUDY, add_study

from study import report, store, wording
from study.findings import findings
from study.methods import methods
from study.simulated import crowd, run
from study.source import load
from study.tables import Answer, Stimulus

MARKUP = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
STUDIES = {
    "counterbalanced": {"pairs": 4},
    "paper": {"pairs": 4, "mode": "paper"},
    "three arms": {"pairs": 6, "arms": ("control", "colornet", "paper")},
    "real or fake": {"pairs": 4, "practice": 2, "protocol": "real-or-fake"},
    "three raters": {"pairs": 4, "raters": 3},
}


def simulate(url: str, *, raters: int = 6, **fields) -> None:
    """A study of simulated raters, one of them lazy; title, pictures and comments are markup."""
    engine = store.connect(url)
    add_study(engine, title=MARKUP, **fields)
    with store.writing(engine) as database:
        database.execute(sa.update(Stimulus).values(picture=MARKUP + Stimulus.picture))
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(raters, rng, lazy=1), rng)
    with store.writing(engine) as database:
        comments = sa.update(Answer).where(Answer.step == "comment")
        database.execute(comments.values(value=json.dumps(MARKUP)))
    engine.dispose()


def write_ratings(file: Path) -> None:
    """A table whose raters, pictures and one of two models are markup."""
    arms = {"control": "control", MARKUP: "generated", "zhang": "generated"}
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["rater", "picture", "condition", "rating", "arm"])
        for number in range(27):
            rater, picture = divmod(number, 9)
            arm = [*arms][(rater + picture) % 3]
            row = [f"{MARKUP}{rater}", f"{MARKUP}{picture}", arms[arm], number % 7, arm]
            writer.writerow(row)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {name: folder / f"{name}.html" for name in [*STUDIES, "file"]}
    for name, fields in STUDIES.items():
        url = f"sqlite:///{folder / name}.sqlite"
        simulate(url, **fields)
        assert report.main(["--db", url, "--html", str(made[name])]) == 0
    write_ratings(folder / "<b>.csv")
    ratings = str(folder / "<b>.csv")
    assert report.main(["--ratings", ratings, "--html", str(made["file"])]) == 0
    return made


@pytest.mark.parametrize("name", [*STUDIES, "file"])
def test_the_page_shows_markup_as_text_fits_and_asks_for_nothing(browser, pages, name):
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(pages[name].as_uri())
    page.wait_for_timeout(100)
    assert [url for url in asked if not url.startswith("data:")] == [pages[name].as_uri()]
    assert errors == []
    assert page.title() == ("<b>.csv" if name == "file" else MARKUP) + " - report"
    assert page.locator("script, h1 b, img:not([src^='data:'])").count() == 0
    text = page.locator("body").inner_text()
    assert text.count(MARKUP) >= 4
    assert not re.search(r"\b(nan|NaN|None)\b", text)
    assert (text.splitlines()[0] == wording.SIMULATED) == (name != "file")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_methods_say_which_p_values_were_adjusted(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    simulate(url, **STUDIES["three arms"])
    source = load(url=url)
    assert (
        "The p values of the t tests over raters and pictures were adjusted for 2 models by Holm's"
        " method; no other p value was."
    ) in " ".join(methods(source.study, findings(source)))
