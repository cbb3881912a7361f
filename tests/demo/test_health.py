"""What the server tells those who run it."""

import re

import numpy as np
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.testclient import TestClient

from demo import health
from demo.colorize import pictures
from study.db.engine import connect, writing
from study.db.tables import Rater, RatingSession
from study.simulate.raters import SimulatedRater, run
from tests.support.painter import painter
from tests.support.tiny_study import STUDY, add_study


@pytest.fixture
def engine(tmp_path) -> sa.Engine:
    engine = connect(f"sqlite:///{tmp_path / 'study.sqlite'}")
    add_study(engine)
    return engine


@pytest.fixture
def client(engine) -> TestClient:
    served = FastAPI()
    served.include_router(health.routes(engine, STUDY))
    return TestClient(served)


def test_health_tells_of_a_database_that_is_gone(client, engine, tmp_path):
    well = client.get("/healthz")
    assert (well.status_code, well.json()) == (200, {"database": True, "weights": True})
    engine.dispose()
    (tmp_path / "study.sqlite").rename(tmp_path / "elsewhere.sqlite")
    ill = client.get("/healthz")
    assert (ill.status_code, ill.json()) == (503, {"database": False, "weights": True})
    assert "http_request_seconds" in client.get("/metrics").text


def test_metrics_count_what_is_stored(client, engine):
    run(engine, STUDY, [SimulatedRater()], np.random.default_rng(0))
    with writing(engine) as database:
        rater = database.scalar(sa.select(RatingSession.rater_id))
        database.get(Rater, rater).simulated = False
    text = client.get("/metrics").text
    assert re.search(rf'study_sessions{{state="finished",study="{STUDY}"}} 1\.0', text)
    (stored,) = re.findall(rf'study_ratings{{study="{STUDY}"}} (\S+)', text)
    assert float(stored) > 0


def test_metrics_count_colorizations_and_their_time(client):
    pictures.colorize(painter(), np.full((5, 5, 3), 99, np.uint8))
    text = client.get("/metrics").text
    assert re.search(r'colorization_seconds_count{weights="painter"} [1-9]', text)
    assert float(re.search(r'colorization_seconds_sum{weights="painter"} (\S+)', text)[1]) > 0
