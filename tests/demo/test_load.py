"""Nothing is lost or doubled under load; `python -m tests.load` is the long form."""

import time

from study.db.engine import connect
from tests.load import colorizing, drive, faults, large_photo
from tests.support.http_rater import run

RATERS = 8
# Ratings of a session: practice, pairs and the attention check.
RATINGS = 2 + 10 + 1


def test_every_acknowledged_rating_is_stored_once_beside_colorizations(server):
    with colorizing(server.url, 2, large_photo((400, 300))) as colorized:
        driven = run(drive(server.url, RATERS, RATERS))
        while not colorized():
            time.sleep(0.1)
    assert len(driven.names) == RATERS
    assert len(driven.acknowledged) == RATERS * RATINGS
    assert not any(faults(connect(server.db_url), driven).values())
