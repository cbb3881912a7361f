"""Nothing is lost when something breaks; `python -m tests.faults` is the long form."""

import random

import pytest

from tests.faults import is_bad, measure


@pytest.mark.process
def test_no_acknowledged_rating_is_lost_or_doubled_when_the_server_is_killed():
    random.seed(0)
    figures = measure("killed", rounds=1, raters=4)
    assert not is_bad(figures), figures
    assert figures["sent_again"] > 0, "something did break"
    assert figures["acknowledged"] > figures["ratings"] / 2
