"""The table of ratings: what is taken, and what is told of what is not."""

import math
import re

import pandas as pd
import pytest

from study.stats import ratings


def test_check_keeps_half_points_and_trims_names():
    raw = pd.DataFrame(
        [[" r1 ", "plum", "control", "8,5", "x"], ["2", "plum", "generated ", " 10", "y"]],
        columns=[*ratings.COLUMNS, "note"],
    )
    assert ratings.check_ratings(raw).to_numpy().tolist() == [
        ["r1", "plum", "control", 8.5],
        ["2", "plum", "generated", 10.0],
    ]


def test_check_accepts_numbers_and_an_empty_table():
    table = pd.DataFrame([("r0", "plum", "control", 8.0)], columns=ratings.COLUMNS)
    pd.testing.assert_frame_equal(ratings.check_ratings(table), table, check_dtype=False)
    empty = ratings.check_ratings(table[:0])
    assert empty.empty
    assert empty["rating"].dtype == float


GOOD = ("r1", "plum", "control", "8")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("r1", "pear", "true", "8"), "Line 3: the condition 'true' is not control or generated."),
        (("r1", "pear", "Control", "8"), "Line 3: the condition 'Control'"),
        (("", "pear", "control", "8"), "Line 3: the rater is empty"),
        (("r1", "  ", "control", "8"), "Line 3: the picture is empty"),
        ((None, "pear", "control", "8"), "Line 3: the rater is empty"),
        (GOOD, "Line 3: 'r1' has already rated 'plum' as control, on line 2."),
        *(
            (("r1", "pear", "control", rating), f"Line 3: the rating {str(rating)!r} is not in 0,")
            for rating in (
                "good",
                "8,25",
                "10.5",
                "-1",
                "8.25",
                "nan",
                "inf",
                "1e1",
                "1_0",
                11,
                True,
            )
        ),
        (("r1", "pear", "control", math.nan), "Line 3: the rating '' is not"),
    ],
)
def test_check_names_the_line_and_the_value(row, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        ratings.check_ratings(pd.DataFrame([GOOD, row], columns=ratings.COLUMNS))
    assert "\n" not in str(caught.value)


def test_check_can_take_any_model():
    raw = pd.DataFrame([("r1", "plum", "zhang", "8")], columns=ratings.COLUMNS)
    assert ratings.check_ratings(raw, None)["condition"].tolist() == ["zhang"]
    with pytest.raises(ValueError, match="Line 2: the condition '' is not control or the name"):
        ratings.check_ratings(raw.assign(condition=""), None)
