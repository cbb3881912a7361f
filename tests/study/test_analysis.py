"""The statistics against published examples, scipy and hand-made degenerate tables."""

import math
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.simulate.population import Population, draw
from study.stats import analysis, contrasts, ratings
from study.stats.fooling import fooling_rates
from study.stats.moments import p_values, rater_differences, stratified

# Four raters, five control and five generated pictures: sums 171 and 64.5, so 8.55 and 3.225.
CONTROL = [[9, 8, 10, 9, 8], [8, 9, 7, 8, 9], [10, 9, 9, 8, 10], [8, 7, 9, 9, 7]]
GENERATED = [[3, 2, 4, 5, 3], [2, 3.5, 1, 4, 3], [5, 4, 3, 4, 6], [2, 3, 1, 4, 2]]

# Student (1908): hours of extra sleep of ten patients under two drugs.
SLEEP = [
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
]
# Darwin's maize, crossed minus self-fertilised height in eighths of an inch (Fisher 1935).
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


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
        for rater, ratings in enumerate(raters)
        for number, rating in enumerate(ratings)
    ]
    return pd.DataFrame(rows, columns=ratings.COLUMNS)


def pairs(control: list[float], generated: list[float]) -> pd.DataFrame:
    return tidy([[value] for value in control], [[value] for value in generated])


def paired(table: pd.DataFrame, model: str = "generated") -> contrasts.PairedDifference:
    return contrasts.paired_difference(ratings.as_cells(table, ["control", model]))


def caveats(table: pd.DataFrame, model: str = "generated") -> list[str]:
    return analysis.caveats(table, model, ratings.as_cells(table, ["control", model]))


def said(table: pd.DataFrame) -> str:
    """Caveats, and the notes of the table of means."""
    return "\n".join([*caveats(table), *analysis.condition_summary(table)["note"]])


def test_paper_means_come_out_exactly():
    summary = analysis.condition_summary(tidy(CONTROL, GENERATED))
    assert summary["mean"].tolist() == [8.55, 3.225]
    assert summary["raters"].tolist() == [4, 4]
    assert summary["ratings"].tolist() == [20, 20]


def test_summary_agrees_with_scipy():
    summary = analysis.condition_summary(tidy(CONTROL, GENERATED)).set_index("condition")
    for condition, given in (("control", CONTROL), ("generated", GENERATED)):
        interval = stats.ttest_1samp(np.mean(given, axis=1), 0).confidence_interval()
        row = summary.loc[condition]
        assert row["sd"] == pytest.approx(np.std(given, ddof=1))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(interval))


def test_each_rater_counts_once_in_an_incomplete_table():
    table = tidy([[10, 10, 10], [4]], [[1], [1]])
    assert analysis.condition_summary(table)["mean"].tolist() == [7, 1]


def test_interval_may_leave_the_scale():
    table = pairs([10, 10, 7], [0, 1, 0])
    summary = analysis.condition_summary(table)
    assert summary["ci_high"][0] > 10
    assert "beyond the scale" in said(table)


def test_student_sleep():
    result = paired(pairs(*SLEEP))
    assert (result.n, result.df, result.mean) == (10, 9, 1.58)
    assert result.t == pytest.approx(4.0621, abs=5e-5)
    assert result.p == pytest.approx(0.00283, abs=5e-6)
    assert (result.ci_low, result.ci_high) == pytest.approx((0.70, 2.46), abs=5e-3)
    assert result.p_signflip == 4 / 1024  # nine positive differences and one zero
    assert result.dz == pytest.approx(1.2846, abs=5e-5)


def test_fisher_counted_863_of_32768_flips_of_darwins_maize_in_each_tail():
    result = paired(pairs(MAIZE, [0] * 15))
    assert result.exact
    assert result.p_signflip == 2 * 863 / 32768
    assert (result.t, result.p) == pytest.approx((2.148, 0.0497), abs=5e-4)


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


def test_raters_of_one_condition_are_left_out_of_the_pairs():
    table = tidy(CONTROL, GENERATED[:3])
    assert paired(table).n == 3
    assert analysis.condition_summary(table)["raters"].tolist() == [4, 3]
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
    assert analysis.condition_summary(table)[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "only one rater, so there is no interval and no test" in said(table)


def test_no_ratings():
    table = tidy([], [])
    result = paired(table)
    assert result.n == 0
    assert math.isnan(result.mean)
    summary = analysis.condition_summary(table)
    assert summary["ratings"].tolist() == [0, 0]
    assert summary["mean"].isna().all()
    assert caveats(table) == ["There are no ratings, so nothing can be concluded."]


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
    assert analysis.condition_summary(table)["ci_low"].isna().all()
    assert "All ratings are equal" in said(table)


def test_equal_rater_means_in_one_condition():
    table = tidy([[9, 8], [8, 9]], [[2, 3], [4, 4]])
    assert "All raters have the same mean for control pictures" in said(table)
    assert math.isnan(analysis.condition_summary(table)["ci_low"][0])


@pytest.mark.parametrize(("raters", "smallest"), [(2, "0.5"), (4, "0.125"), (5, "0.0625")])
def test_smallest_p_of_few_raters(raters, smallest):
    table = pairs(list(range(5, 5 + raters)), [1] * raters)
    assert f"With {raters} raters the smallest possible p" in said(table)
    assert f"is {smallest} (2 / 2^{raters})" in said(table)
    assert paired(table).p_signflip == float(smallest)


def test_six_raters_can_reach_05():
    table = pairs([5, 6, 7, 8, 9, 10], [1] * 6)
    assert paired(table).p_signflip == 0.03125
    assert "smallest possible p" not in said(table)


def test_normality_is_doubted_only_with_few_raters():
    ratings = [value / 2 for value in range(10, 20)] * 3
    few, many = pairs(ratings[:29], ratings[::-1][:29]), pairs(ratings, ratings[::-1])
    assert "normally distributed" in said(few)
    assert "normally distributed" not in said(many)


def test_pictures_of_one_condition_are_confounded():
    text = said(tidy(CONTROL, GENERATED))
    assert "The tests over raters speak for these 10 pictures only, however many raters" in text
    assert text.count("for others read the test over pictures.") == 1
    assert "Each of the 10 pictures appeared in one condition only" in text
    crossed = tidy(CONTROL, GENERATED)
    crossed["picture"] = crossed["picture"].str[1:]
    assert "these 5 pictures only" in said(crossed)
    assert "for others read the test over raters and pictures." in said(crossed)
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
    wide = analysis.condition_summary(table.assign(list="A"))
    narrow = analysis.condition_summary(table)
    assert narrow["mean"].tolist() == wide["mean"].tolist()
    assert ((narrow["ci_high"] - narrow["ci_low"]) < (wide["ci_high"] - wide["ci_low"])).all()
    pd.testing.assert_frame_equal(
        narrow, analysis.condition_summary(counterbalanced(8, lists=False))
    )


def test_every_model_has_a_row_and_a_difference_of_its_own():
    table = tidy(CONTROL, GENERATED).replace({"condition": {"generated": "colornet"}})
    zhang = tidy([], CONTROL).replace({"condition": {"generated": "zhang"}})
    both = pd.concat([table, zhang], ignore_index=True)
    assert analysis.condition_summary(both)["condition"].tolist() == [
        "control",
        "colornet",
        "zhang",
    ]
    assert paired(both, "colornet").mean == 5.325
    assert paired(both, "zhang").mean == 0
    assert "no ratings of generated" not in "".join(caveats(both, "zhang"))


def test_means_weigh_the_lists_equally_and_differ_by_what_is_tested():
    """The plum is control in list B, so that the plain mean of control falls with raters of A."""
    table = counterbalanced(8)
    table = table[~table["rater"].isin([1, 3])]
    means = table.groupby(["condition", "list"])["rating"].mean().groupby("condition").mean()
    summary = analysis.condition_summary(table)
    assert summary["mean"].tolist() == pytest.approx(means.tolist())
    assert ((summary["ci_low"] + summary["ci_high"]) / 2).tolist() == pytest.approx(means.tolist())
    tested = contrasts.by_raters(ratings.as_cells(table)).mean
    assert summary["mean"][0] - summary["mean"][1] == pytest.approx(tested)
    rates = fooling_rates(table.assign(rating=table["rating"] > 5))
    shares = table.assign(high=table["rating"] > 5).groupby(["condition", "list"])["high"].mean()
    assert rates["rate"].tolist() == pytest.approx(shares.groupby("condition").mean().tolist())


@pytest.mark.parametrize(("kept", "holds"), [([1, 3, 5, 7], True), ([1, 3, 5], True), ([1], False)])
def test_plain_tests_are_called_safe_only_where_the_lists_are_of_about_equal_size(kept, holds):
    table = counterbalanced(8)
    text = said(table[table["rater"].isin([0, 2, 4, 6, *kept])])
    assert ("as noise and err on the safe side" in text) == holds
    assert ("as the lists are of unequal size: do not read them." in text) == (not holds)


def test_plain_tests_hold_where_the_caveat_says_so():
    """Type I error at 5% where no difference is: 12 + 12 and 16 + 8 raters."""
    for uneven in (False, True):
        of = Population(raters=24, uneven=uneven, picture_effect_sd=0)
        drawn = draw(of, 2000, np.random.default_rng(0))
        differences, lists = rater_differences(drawn.y, drawn.lists)
        plain = stratified(differences, np.zeros_like(lists))
        holds = analysis.plain_tests_hold(np.bincount(lists))
        assert holds == (not uneven) == (np.mean(p_values(plain) < 0.05) < 0.06)


def test_caveats_on_lists():
    table = counterbalanced(8)
    assert "different numbers of raters" not in said(table)
    text = said(table[~table["rater"].isin([1, 3])])
    assert "different numbers of raters (4 in list A, 2 in list B). Means and the tests" in text
    assert "lists" not in said(tidy(CONTROL, GENERATED)).replace("that the lists swap", "")


def test_without_two_raters_in_each_list_nothing_is_resampled():
    """A list of one rater would add no variance."""
    table = counterbalanced(8)
    table = pd.concat([table, table.assign(picture=table["picture"] + " again")])
    assert analysis.condition_summary(table)["boot_low"].notna().all()
    summary = analysis.condition_summary(table[table["rater"].isin([0, 2, 4, 6, 7])])
    assert summary["boot_low"].isna().all()
    assert summary["note"].tolist() == [
        f"There is no resampled interval for {condition}: it takes two raters in each list and two "
        "pictures in each set that the lists swap."
        for condition in ratings.CONDITIONS
    ]


def test_check_keeps_half_points_and_trims_names():
    raw = pd.DataFrame(
        [[" r1 ", "plum", "control", "8.5", "x"], ["2", "plum", "generated ", " 10", "y"]],
        columns=[*ratings.COLUMNS, "note"],
    )
    assert ratings.check_ratings(raw).to_numpy().tolist() == [
        ["r1", "plum", "control", 8.5],
        ["2", "plum", "generated", 10.0],
    ]


def test_check_accepts_numbers_and_an_empty_table():
    table = tidy(CONTROL, GENERATED)
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
                "8,5",
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


def test_check_names_missing_and_repeated_columns():
    with pytest.raises(ValueError, match="No column picture, rating; needed"):
        ratings.check_ratings(pd.DataFrame(columns=["rater", "condition", "score"]))
    with pytest.raises(ValueError, match="column rating occurs more than once"):
        ratings.check_ratings(pd.DataFrame(columns=[*ratings.COLUMNS, "rating"]))
