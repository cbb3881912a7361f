"""What a rater's browser requests besides the page, without a browser and without a server."""

import re
from collections.abc import Iterator

import gradio as gr
import pytest
import requests
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from study.db.engine import connect, reading
from study.db.tables import Stimulus, Study, Trial
from study.rate import begin, routes, tab
from tests.support.tiny_study import NO_QUESTIONS, STUDY, add_study


@pytest.fixture
def engine(db_url: str) -> sa.Engine:
    made = connect(db_url)
    add_study(made, pairs=6, practice=0, checks=NO_QUESTIONS)
    return made


@pytest.fixture
def client(engine: sa.Engine) -> Iterator[TestClient]:
    served = FastAPI()
    served.include_router(routes.routes(engine, STUDY))
    with TestClient(served) as client:
        yield client


def test_nothing_that_reaches_the_browser_tells_the_condition(engine, client):
    with gr.Blocks() as page, gr.Tabs() as tabs, gr.Tab(id="rate"):
        tab.build(page, tabs, tab.browser_token(STUDY), engine, STUDY)
    config = repr(page.get_config_file())
    assert "painted blue" not in config, "what the study is about is sent at its end"
    token, view = begin(engine, STUDY, consent=True)
    answer = client.post("/answer", json={"token": token, "step": view.step, "value": "read"})
    sent, shown = [config, answer.text], set()
    while (told := answer.json())["step"] != "comment":
        shown |= set(re.findall(r'src="(picture/[\w-]+)"', told["pair"]))
        answer = client.post("/answer", json={"token": token, "step": told["step"], "value": 5})
        sent += [answer.text, repr(answer.headers)]
    assert len(shown) == 2 * 7, "a grayscale and a colour picture for each pair"
    with reading(engine) as database:
        stimuli = database.execute(
            sa.select(Stimulus.picture, Stimulus.token, Stimulus.color_sha256)
        ).all()
        words = {word for stimulus in stimuli for word in stimulus}
        words |= {database.scalar(sa.select(Study.manifest_sha256))}
    words |= {"control", "generated", "condition", "color_png"}
    everything = "\n".join(sent)
    assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", everything)]
    pictures = [client.get(f"/{source}") for source in shown]
    assert len({len(picture.content) for picture in pictures}) == 1, "sizes tell nothing"
    assert {picture.headers["Cache-Control"] for picture in pictures} == {"no-store"}
    assert len({frozenset(picture.headers.items()) for picture in pictures}) == 1


def test_only_pictures_that_were_handed_out_can_be_fetched(engine, client):
    token, view = begin(engine, STUDY, consent=True)
    client.post("/answer", json={"token": token, "step": view.step, "value": "read"})
    with reading(engine) as database:
        trials = database.scalars(sa.select(Trial).order_by(Trial.position).limit(3)).all()
    due, ahead, later = trials
    for trial in (due, ahead):
        assert client.get(f"/picture/{trial.second_token}").status_code == 200
    for token in (later.second_token, due.stimulus_token, due.token, "x", "%00", "..%2Fstudy"):
        answer = client.get(f"/picture/{token}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


ODD = [None, [], {"a": [1]}, "\0", "9" * 5000, True, 7.5, [[]]]


def test_odd_requests_get_a_sentence(engine, client):
    token, view = begin(engine, STUDY, consent=True)
    given = {"token": token, "step": view.step, "value": "no choice", "measured": {}}
    for value in ODD:
        for name in given:
            changed = given | {name: value}
            assert client.post("/resume", json=changed).status_code == 200
            answer = client.post("/answer", json=changed)
            assert answer.json()["problem"].startswith('<p role="alert">'), answer.text


def test_one_session_may_send_so_many_answers_and_no_more(client):
    def answer(token: str) -> str:
        return client.post("/answer", json={"token": token, "step": "step"}).json()["problem"]

    said = [answer("one") for _ in range(250)]  # A new minute may begin in between.
    assert "unknown here" in said[0]
    assert "Too many requests within a minute" in said[-1]
    assert "unknown here" in answer("another")


def test_calls_past_the_page_get_a_sentence(server):
    parts = requests.get(f"{server.url}/config").json()
    (view,) = [c["id"] for c in parts["components"] if c["props"].get("elem_id") == "view"]
    ours = [function for function in parts["dependencies"] if view in function["outputs"]]
    assert len(ours) == 3
    for value in ODD:
        for function in ours:
            asked = {"data": [value] * len(function["inputs"]), "fn_index": function["id"]}
            answer = requests.post(
                f"{server.url}/gradio_api/run/predict", json=asked | {"session_hash": "x"}
            )
            assert answer.status_code == 200, answer.text
            assert "Traceback" not in answer.text
