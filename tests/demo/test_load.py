"""Nothing is lost or doubled under load; `python -m tests.load` is the long form."""

import time

import pytest

from study.db.engine import connect
from tests.load import colorizing, drive, faults, large_photo
from tests.support.http_rater import run
from tests.support.server import UNLIMITED, Server
from tests.support.tiny_study import add_study


@pytest.fixture
def engine_and_url(db_url):
    engine = connect(db_url)
    add_study(engine, pairs=4)
    server = Server(db_url, *UNLIMITED)
    yield engine, server.url
    server.stop()


def test_every_acknowledged_rating_is_stored_once_beside_colorizations(engine_and_url):
    engine, url = engine_and_url
    with colorizing(url, 2, large_photo((400, 300))) as colorized:
        driven = run(drive(url, 24, 12))
        while not colorized():
            time.sleep(0.1)
    assert len(driven.names) == 24
    assert len(driven.acknowledged) == 24 * 7, "two of practice, four pairs, an attention check"
    assert not any(faults(engine, driven).values())
