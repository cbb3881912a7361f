"""The report as a page: what others wrote stays text, and it can be read wherever it is opened."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from study import wording as words
from study.db.engine import connect, writing
from study.db.tables import Answer, Stimulus
from study.report import __main__ as report
from study.report.findings import findings
from study.report.methods import methods
from study.report.reading import load
from study.report.summary import summary_csv
from study.report.text import SIMULATED
from study.simulate.raters import crowd, run
from tests.support.tiny_study import STUDY, add_study

MARKUP = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
STUDIES = {
    "counterbalanced": {"pairs": 4, "quota": 20},
    "paper": {"pairs": 4, "mode": "paper"},
    "three arms": {"pairs": 6, "raters": 6, "arms": ("control", "colornet", "paper")},
    "real or fake": {
        "pairs": 4,
        "practice": 2,
        "protocol": "real-or-fake",
        "arms": ("control", "colornet", "paper"),
    },
    "three careful raters": {"pairs": 4, "raters": 3, "lazy": 0},
}


def simulate(url: str, *, raters: int = 4, lazy: int = 1, **fields) -> None:
    """A study of simulated raters, `lazy` of them lazy; title, pictures and comments are markup."""
    engine = connect(url)
    add_study(engine, title=MARKUP, **fields)
    with writing(engine) as database:
        database.execute(sa.update(Stimulus).values(picture=MARKUP + Stimulus.picture))
    rng = np.random.default_rng(0)
    run(engine, STUDY, crowd(raters, rng, lazy=lazy), rng)
    with writing(engine) as database:
        comments = sa.update(Answer).where(Answer.step == "comment")
        database.execute(comments.values(value=json.dumps(MARKUP)))
    engine.dispose()


def write_ratings(file: Path) -> None:
    """A table whose raters, pictures and one of two models are markup."""
    conditions = ("control", MARKUP, "zhang")
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["rater", "picture", "condition", "rating"])
        for number in range(27):
            rater, picture = divmod(number, 9)
            condition = conditions[(rater + picture) % 3]
            writer.writerow([f"{MARKUP}{rater}", f"{MARKUP}{picture}", condition, number % 7])


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The database of each study."""
    folder = tmp_path_factory.mktemp("studies")
    found = {name: f"sqlite:///{folder / name}.sqlite" for name in STUDIES}
    for name, url in found.items():
        simulate(url, **STUDIES[name])
    return found


@pytest.fixture(scope="module")
def pages(studies: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {name: folder / f"{name}.html" for name in [*STUDIES, "file"]}
    for name, url in studies.items():
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
    assert page.locator("details[open]").count() == 0
    assert page.locator(".lead").bounding_box()["y"] < page.locator("svg").first.bounding_box()["y"]
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    text = page.locator("body").inner_text()
    assert text.count(MARKUP) >= 4
    assert not re.search(r"\b(nan|NaN|None)\b", text)
    assert (text.splitlines()[0] == SIMULATED) == (name != "file")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_whole_in_one_file(pages, name):
    text = pages[name].read_text(encoding="utf-8")
    body = text[text.index("<body>") :]
    assert body.index(SIMULATED) < body.index("<h1>")
    assert "<svg" in body
    assert "data:image/png;base64," in body
    assert "@media print" in text
    assert "Methods, for a paper" in body


def told(url: str) -> str:
    """The paragraphs on methods."""
    source = load(url=url)
    return " ".join(methods(source.study, findings(source)))


def test_methods_say_which_p_values_were_adjusted(studies):
    assert (
        "The p values of the quasi-F tests, 3 in all, were adjusted by Holm's method; no other p"
        " value was."
    ) in told(studies["three arms"])


def test_methods_tell_when_who_was_left_out_and_how_large_the_pictures_were(studies):
    first = load(url=studies["counterbalanced"]).sessions.first
    text = told(studies["counterbalanced"])
    for part in (
        f"4 raters gave consent on {words.day(first)} and 4 finished.",
        "Places were limited to 20.",
        "No session was left unfinished.",
        "1 rater failed one or more of them; nobody was excluded from the main analysis",
        "in a different random order for each rater",
        "on a scale from “0 = very bad” to “10 = like a photograph in true colours” in steps of 1",
        "at 256 x 256 CSS pixels (nominally 1/96 inch each), or at 160 x 160 in windows narrower"
        " than 600 CSS pixels",
    ):
        assert part in text
    text = told(studies["three careful raters"])
    assert "The number of places was not limited." in text
    assert "Nobody failed one, and nobody was excluded." in text


def test_the_published_means_stand_beside_every_result_of_the_papers_protocol(studies):
    def published(name: str) -> list[float]:
        return [row.published for row in findings(load(url=studies[name])).conditions]

    assert published("paper") == [8.55, 3.225]
    assert np.isnan(published("counterbalanced")).all()


def test_fakes_of_several_models_are_compared(studies):
    found = findings(load(url=studies["real or fake"]))
    (comparison,) = found.comparisons
    first, second = (row.rate for row in found.fooling)
    assert comparison.tests.raters.mean == pytest.approx(first - second)
    assert found.family == 3
    table = list(csv.DictReader(summary_csv(found).splitlines()))
    assert [row["what"] for row in table] == [
        *["model"] * 2, "difference", *["picture"] * 8, "failed check"
    ]  # fmt: skip
