"""The fooling rate: scipy's and statsmodels' figures, several models, and degenerate tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from study.stats.means import FoolingRate
from study.stats.means import fooling_rates as of_ratings
from study.stats.ratings import Ratings


def answers(raters: int = 8, pictures: int = 20, share: float = 0.35) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rater, picture = np.divmod(np.arange(raters * pictures), pictures)
    fooled = (rng.random(rater.size) < share).astype(int)
    columns = {"rater": rater, "picture": picture, "condition": "colornet", "rating": fooled}
    return pd.DataFrame(columns)


def fooling_rates(table: pd.DataFrame) -> list[FoolingRate]:
    return of_ratings(Ratings(table))


def test_rate_and_test_agree_with_scipy():
    table = answers()
    (row,) = fooling_rates(table)
    rates = table.groupby("rater")["rating"].mean()
    test = stats.ttest_1samp(rates, 0.5)
    assert (row.rate, row.t, row.p) == pytest.approx((rates.mean(), test.statistic, test.pvalue))
    assert (row.ci_low, row.ci_high) == pytest.approx(tuple(test.confidence_interval()))
    assert (row.raters, row.trials, row.fooled) == (8, 160, table["rating"].sum())


def test_wilson_of_newcombe_1998():
    """81 of 263: 0.2553 to 0.3662; as statsmodels has it."""
    table = answers(1, 263).assign(rating=[1] * 81 + [0] * 182)
    (row,) = fooling_rates(table)
    assert (row.wilson_low, row.wilson_high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    theirs = proportion_confint(row.fooled, row.trials, method="wilson")
    assert (row.wilson_low, row.wilson_high) == pytest.approx(theirs)


def test_each_model_has_a_row():
    table = pd.concat([answers(), answers(share=0.1).assign(condition="zhang")])
    first, second = fooling_rates(table)
    assert (first.condition, second.condition) == ("colornet", "zhang")
    assert first.rate > second.rate


def test_intervals_end_at_none_and_all():
    rows = fooling_rates(answers(3, 12, 0.06))
    assert rows[0].ci_low == 0 < rows[0].rate < rows[0].ci_high < 1


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (answers(1), "Only one rater"),
        (answers().assign(rating=0), "All raters have the same mean"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_without_spread_only_wilsons_interval_is_left(table, sentence):
    (row,) = fooling_rates(table)
    assert sentence in row.note
    assert np.isnan(row.ci_low)
    assert row.wilson_low < row.wilson_high


def test_no_answers():
    assert fooling_rates(answers()[:0]) == []
