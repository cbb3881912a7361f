"""Means and caveats against hand-made tables and scipy."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.stats import caveats, contrasts, permutation, ratings
from study.stats.means import ConditionMean, condition_means, fooling_rates
from study.stats.ratings import Ratings

# Four raters, five control and five generated pictures: sums 171 and 64.5, so 8.55 and 3.225.
CONTROL = [[9, 8, 10, 9, 8], [8, 9, 7, 8, 9], [10, 9, 9, 8, 10], [8, 7, 9, 9, 7]]
GENERATED = [[3, 2, 4, 5, 3], [2, 3.5, 1, 4, 3], [5, 4, 3, 4, 6], [2, 3, 1, 4, 2]]


@pytest.fixture(autouse=True)
def no_warnings():
    """Degenerate tables must not leak warnings of numpy or scipy."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def tidy(control: list[list[float]], generated: list[list[float]]) -> pd.DataFrame:
    """One list for each rater; pictures c0, c1, ... are controls, g0, g1, ... generated."""
    rows = [
        (f"r{rater}", f"{condition[0]}{number}", condition, rating)
        for condition, raters in (("control", control), ("generated", generated))
        for rater, of_rater in enumerate(raters)
        for number, rating in enumerate(of_rater)
    ]
    return pd.DataFrame(rows, columns=ratings.COLUMNS)


def pairs(control: list[float], generated: list[float]) -> pd.DataFrame:
    return tidy([[value] for value in control], [[value] for value in generated])


def paired(table: pd.DataFrame, model: str = "generated") -> permutation.PairedDifference:
    return permutation.paired_difference(Ratings(table).cells("control", model))


def means(table: pd.DataFrame) -> list[ConditionMean]:
    return condition_means(Ratings(table))


def said(table: pd.DataFrame) -> str:
    """Caveats, and the notes of the means."""
    notes = [row.note for row in means(table)]
    return "\n".join([*caveats.caveats(Ratings(table), "generated"), *notes])


def test_paper_means_come_out_exactly():
    control, generated = means(tidy(CONTROL, GENERATED))
    assert (control.mean, generated.mean) == (8.55, 3.225)
    assert (control.raters, control.ratings) == (4, 20)


def test_means_agree_with_scipy():
    for row, given in zip(means(tidy(CONTROL, GENERATED)), (CONTROL, GENERATED), strict=True):
        interval = stats.ttest_1samp(np.mean(given, axis=1), 0).confidence_interval()
        assert row.sd == pytest.approx(np.std(given, ddof=1))
        assert (row.ci_low, row.ci_high) == pytest.approx(tuple(interval))


def test_each_rater_counts_once_in_an_incomplete_table():
    table = tidy([[10, 10, 10], [4]], [[1], [1]])
    assert [row.mean for row in means(table)] == [7, 1]


def test_an_interval_ends_with_the_scale_and_that_is_told():
    table = pairs([10, 10, 7], [0, 1, 0])
    control, generated = means(table)
    assert (control.ci_high, generated.ci_low) == (10, 0)
    assert 0 < control.ci_low < 9
    assert "would have left the scale of 0 to 10" in said(table)


def test_paired_difference_agrees_with_scipy():
    result = paired(tidy(CONTROL, GENERATED))
    control, generated = np.mean(CONTROL, axis=1), np.mean(GENERATED, axis=1)
    test = stats.ttest_rel(control, generated)
    assert (result.t, result.p, result.df) == pytest.approx((test.statistic, test.pvalue, 3))
    interval = tuple(test.confidence_interval())
    assert (result.ci_low, result.ci_high) == pytest.approx(interval)
    assert result.mean == 5.325
    assert result.sd == pytest.approx(np.std(control - generated, ddof=1))
    assert result.p_signflip == 0.125


def test_ties_do_not_hang_on_binary_fractions():
    table = pairs([0.1 + 0.2, 0.3, 0.6], [0.3, 0.1 + 0.2, 0.6])
    assert paired(table).p_signflip == 1


def test_many_raters_are_sampled_with_a_fixed_seed():
    rng = np.random.default_rng(1)
    table = pairs(list(rng.integers(0, 21, 40) / 2), list(rng.integers(0, 21, 40) / 2))
    first, second = paired(table), paired(table)
    assert not first.exact
    assert first == second
    assert first.p_signflip == pytest.approx(first.p, abs=0.03)


def test_raters_of_one_condition_are_left_out_of_the_difference():
    table = tidy(CONTROL, GENERATED[:3])
    assert paired(table).n == 3
    assert [row.raters for row in means(table)] == [4, 3]
    assert "1 of 4 raters rated one condition only and is left out" in said(table)


def test_one_rater():
    table = tidy(CONTROL[:1], GENERATED[:1])
    result = paired(table)
    assert (result.n, result.mean) == (1, 5.4)
    undefined = (result.sd, result.ci_low, result.ci_high, result.t, result.df, result.p)
    assert all(map(math.isnan, (*undefined, result.p_signflip, result.dz)))
    assert result.note == (
        "There is only one rater, so there is no interval and no test over raters."
    )
    assert all(math.isnan(row.ci_low) for row in means(table))
    assert "only one rater, so there is no interval and no test" in said(table)


def test_no_ratings():
    table = tidy([], [])
    assert (paired(table).n, math.isnan(paired(table).mean)) == (0, True)
    assert [(row.ratings, math.isnan(row.mean)) for row in means(table)] == [(0, True)] * 2
    text = "There are no ratings, so nothing can be concluded."
    assert caveats.caveats(Ratings(table), "generated") == [text]


def test_one_condition():
    table = tidy(CONTROL, [])
    assert paired(table).n == 0
    text = said(table)
    assert "no ratings of generated pictures, so the conditions cannot be compared" in text
    assert "appeared in one condition only" not in text
    assert "rated both conditions" not in text


def test_nobody_rated_both_conditions():
    table = tidy([[8, 9], []], [[], [3, 2]])
    assert "No rater rated both conditions" in said(table)
    assert "Only one rater rated control pictures" in said(table)


def test_equal_differences_leave_only_the_sign_flips():
    table = pairs([8, 9, 7, 9.5], [3, 4, 2, 4.5])
    result = paired(table)
    assert (result.mean, result.sd, result.p_signflip) == (5, 0, 0.125)
    assert all(map(math.isnan, (result.t, result.p, result.ci_low, result.ci_high)))
    assert "All raters show the same difference, so it has no interval and no t test" in said(table)


def test_all_ratings_equal():
    table = pairs([7, 7, 7], [7, 7, 7])
    assert paired(table).p_signflip == 1
    assert all(math.isnan(row.ci_low) for row in means(table))
    assert "All ratings are equal" in said(table)


def test_equal_rater_means_in_one_condition():
    table = tidy([[9, 8], [8, 9]], [[2, 3], [4, 4]])
    assert "All raters have the same mean for control pictures" in said(table)
    assert math.isnan(means(table)[0].ci_low)


@pytest.mark.parametrize(("raters", "smallest"), [(2, "0.5"), (5, "0.0625"), (6, None)])
def test_smallest_p_of_few_raters(raters, smallest):
    table = pairs(list(range(5, 5 + raters)), [1] * raters)
    text = said(table)
    assert ("the smallest possible p of the sign-flip test" in text) == bool(smallest)
    if smallest:
        assert f"is {smallest} (2 / 2^{raters})" in text
        assert paired(table).p_signflip == float(smallest)


def test_normality_is_doubted_only_with_few_raters():
    given = [value / 2 for value in range(10, 20)] * 3
    few, many = pairs(given[:29], given[::-1][:29]), pairs(given, given[::-1])
    assert "normally distributed" in said(few)
    assert "normally distributed" not in said(many)


def test_pictures_of_one_condition_are_confounded():
    text = said(tidy(CONTROL, GENERATED))
    assert "By-participant tests speak for these 10 pictures only, however many raters" in text
    assert text.count("for others read the by-item t test.") == 1
    assert "Each of the 10 pictures appeared in one condition only" in text
    crossed = tidy(CONTROL, GENERATED)
    crossed["picture"] = crossed["picture"].str[1:]
    assert "these 5 pictures only" in said(crossed)
    assert "for others read the quasi-F test." in said(crossed)
    assert "one condition only" not in said(crossed)
    crossed.loc[crossed["condition"] == "control", "picture"] += "0"
    crossed.loc[crossed["picture"] == "00", "picture"] = "0"
    assert "8 of the 9 pictures appeared in one condition only" in said(crossed)


def test_incomplete_raters_are_counted():
    table = tidy(CONTROL, GENERATED)
    assert "did not rate every picture" not in said(table)
    assert "1 of 4 raters did not rate every picture" in said(table.drop(index=[0]))
    every_rater_misses_another = table.drop(index=[0, 6, 12, 18])
    assert "4 of 4 raters did not rate every picture" in said(every_rater_misses_another)


def test_counterbalanced_raters_are_complete():
    rows = [
        (rater, picture, "control" if (number + swap) % 2 else "generated", 5 + number)
        for swap, rater in enumerate("abcd")
        for number, picture in enumerate(["plum", "pear", "fig", "lime"])
    ]
    assert "every picture" not in said(pd.DataFrame(rows, columns=ratings.COLUMNS))


def counterbalanced(raters: int, *, lists: bool = True) -> pd.DataFrame:
    """Two pictures swapped between two lists; the plum is better by four points."""
    rng = np.random.default_rng(5)
    rows = [
        (rater, picture, condition, base + int(rng.integers(3)), "AB"[rater % 2])
        for rater in range(raters)
        for number, (picture, base) in enumerate([("plum", 7), ("pear", 3)])
        for condition in [ratings.CONDITIONS[(number + rater) % 2]]
    ]
    table = pd.DataFrame(rows, columns=[*ratings.COLUMNS, "list"])
    return table if lists else table.drop(columns="list")


def test_interval_of_a_mean_leaves_out_the_difference_between_lists():
    table = counterbalanced(8)
    for narrow, wide in zip(means(table), means(table.assign(list="A")), strict=True):
        assert narrow.mean == wide.mean
        assert narrow.ci_high - narrow.ci_low < wide.ci_high - wide.ci_low
    assert str(means(table)) == str(means(counterbalanced(8, lists=False)))  # NaN is not NaN


def test_every_model_has_a_row_and_a_difference_of_its_own():
    table = tidy(CONTROL, GENERATED).replace({"condition": {"generated": "colornet"}})
    zhang = tidy([], CONTROL).replace({"condition": {"generated": "zhang"}})
    both = pd.concat([table, zhang], ignore_index=True)
    assert [row.condition for row in means(both)] == ["control", "colornet", "zhang"]
    assert paired(both, "colornet").mean == 5.325
    assert paired(both, "zhang").mean == 0
    assert "no ratings of generated" not in "".join(caveats.caveats(Ratings(both), "zhang"))


def test_means_weigh_the_lists_equally_and_differ_by_what_is_tested():
    """The plum is control in list B, so that the plain mean of control falls with raters of A."""
    table = counterbalanced(8)
    table = table[~table["rater"].isin([1, 3])]
    by_list = table.groupby(["condition", "list"])["rating"].mean().groupby("condition").mean()
    control, generated = means(table)
    assert [control.mean, generated.mean] == pytest.approx(by_list.tolist())
    assert (control.ci_low + control.ci_high) / 2 == pytest.approx(control.mean)
    tested = contrasts.by_participant(Ratings(table).cells(*ratings.CONDITIONS)).mean
    assert control.mean - generated.mean == pytest.approx(tested)
    rates = fooling_rates(Ratings(table.assign(rating=table["rating"] > 5)))
    shares = table.assign(high=table["rating"] > 5).groupby(["condition", "list"])["high"].mean()
    expected = shares.groupby("condition").mean().tolist()
    assert [row.rate for row in rates] == pytest.approx(expected)


@pytest.mark.parametrize("kept", [[1, 3, 5, 7], [1, 3, 5], [1]])
def test_tests_that_ignore_lists_are_left_out_where_they_would_estimate_something_else(kept):
    table = counterbalanced(8)
    table = table[table["rater"].isin([0, 2, 4, 6, *kept])]
    cells = Ratings(table).cells(*ratings.CONDITIONS)
    tested, equal = contrasts.by_participant(cells), len(kept) == 4
    result, signed = permutation.paired_difference(cells), permutation.wilcoxon(cells)
    assert result.mean == pytest.approx(tested.mean), "there is one estimate of the difference"
    for test in (result, signed):
        assert math.isnan(test.p) != equal
        assert ("The lists have different numbers of raters" in test.note) != equal
    assert 0 < result.p_signflip < 1
    text = said(table)
    assert ("The lists have different numbers of raters (4 in list A, " in text) != equal
    assert ("The paired t test, the sign-flip test and Wilcoxon's test count" in text) == equal


def test_sign_flips_do_not_take_the_lists_pictures_for_a_difference():
    """No difference between the conditions, but the plum is better, and list A is larger."""
    table = counterbalanced(24)
    table = table[table["rater"].isin([1, 3, *range(0, 24, 2)])]
    assert paired(table.assign(list="A")).p_signflip < 0.05, "the plain mean"
    assert paired(table).p_signflip > 0.2


def test_without_two_raters_in_each_list_nothing_is_resampled():
    """A list of one rater would add no variance."""
    table = counterbalanced(8)
    table = pd.concat([table, table.assign(picture=table["picture"] + " again")])
    assert not any(math.isnan(row.boot_low) for row in means(table))
    for row in means(table[table["rater"].isin([0, 2, 4, 6, 7])]):
        assert math.isnan(row.boot_low)
        assert row.note == (
            f"There is no bootstrap interval for {row.condition}: it takes two raters in each list"
            " and two pictures in each set that the lists swap."
        )
