"""Agreement against the published examples, and in degenerate tables."""

import numpy as np
import pandas as pd
import pytest

from study.stats.agreement import Agreement
from study.stats.agreement import agreement as of_ratings
from study.stats.ratings import Ratings

# Shrout & Fleiss 1979: six targets, four judges.
JUDGED = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
# Krippendorff 2011: four observers, twelve units, gaps.
N = np.nan
CODED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


def tidy(rows: list[list[float]], name: str | None = None) -> pd.DataFrame:
    """One list for each rater."""
    cells = [
        (rater, picture, "control", value)
        for rater, values in enumerate(rows)
        for picture, value in enumerate(values)
        if not np.isnan(value)
    ]
    table = pd.DataFrame(cells, columns=["rater", "picture", "condition", "rating"])
    return table if name is None else table.assign(list=name)


def agreement(table: pd.DataFrame) -> dict[str, Agreement]:
    """That of a table of one condition, by list."""
    return {row.list: row for row in of_ratings(Ratings(table))}


def test_shrout_and_fleiss():
    row = agreement(tidy(np.transpose(JUDGED)))["A"]
    assert (row.raters, row.pictures, row.note) == (4, 6, "")
    assert (row.icc_single, row.icc_mean) == pytest.approx((0.29, 0.62), abs=5e-3)
    assert (row.icc_low, row.icc_high) == pytest.approx((0.02, 0.76), abs=5e-3)


def test_krippendorff():
    row = agreement(tidy(CODED, "A"))["A"]
    assert row.alpha == pytest.approx(0.849, abs=5e-4)
    assert "Fewer than two raters rated all pictures" in row.note
    assert np.isnan(row.icc_single)


def test_each_list_by_itself_and_alpha_over_all():
    first, second = tidy(np.transpose(JUDGED), "A"), tidy(np.transpose(JUDGED), "B")
    rows = agreement(pd.concat([first, second.assign(rater=second["rater"] + 10)]))
    assert {name: row.raters for name, row in rows.items()} == {"A": 4, "B": 4, "all": 8}
    assert rows["A"].icc_single == rows["B"].icc_single
    assert np.isnan(rows["all"].icc_single)
    assert not any(np.isnan(row.alpha) for row in rows.values())


def test_the_correlation_tells_how_many_raters_it_is_over():
    judged = [*np.transpose(JUDGED).astype(float), [9, 6, 8, N, N, N]]
    row = agreement(tidy(judged, "A"))["A"]
    assert (row.raters, row.complete) == (5, 4)
    assert row.icc_single == agreement(tidy(np.transpose(JUDGED)))["A"].icc_single


def test_perfect_agreement():
    row = agreement(tidy([[1, 5, 9, 3]] * 3))["A"]
    assert (row.icc_single, row.alpha) == pytest.approx((1, 1))


def test_an_estimate_that_is_no_correlation_is_not_shown():
    rng = np.random.default_rng(0)
    rows = [agreement(tidy(rng.integers(0, 11, (3, 4)).tolist(), "A"))["A"] for _ in range(40)]
    outside = [row.note.startswith("An estimate outside its range") for row in rows]
    figures = [[row.icc_single, row.icc_low, row.icc_high, row.icc_mean, row.alpha] for row in rows]
    assert np.nanmax(np.abs(figures)) <= 1 + 1e-9
    assert any(outside) and np.isnan(figures).any(axis=1).tolist() == outside


def test_two_raters_of_two_lists_have_nothing_to_agree_on():
    both = pd.concat([tidy([[1, 5]], "A"), tidy([[2, 6]], "B").assign(rater=1)])
    both.loc[both["list"] == "B", "picture"] += 2
    rows = agreement(both)
    assert rows["A"].note == "With only one rater there is no agreement to measure."
    assert rows["all"].note.startswith("No picture was rated by two raters")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[1, 5, 9]], "With only one rater"),
        ([[7, 7, 7]] * 3, "All ratings are equal"),
        ([[7], [8]], "There is only one picture"),
        ([[7, 7, N], [7, 7, N], [N, N, 5]], "Fewer than two raters"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_nothing_to_agree_on(rows, sentence):
    row = agreement(tidy(rows, "A"))["A"]
    assert sentence in row.note
    assert np.isnan(row.icc_single)
