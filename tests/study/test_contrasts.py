"""The tests of the design: published examples, scipy and pingouin, and degenerate tables."""

import math
import warnings
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from study.stats import caveats, contrasts, describe, mixed, permutation, ratings
from study.stats.agreement import agreement
from study.stats.bootstrap import resampled
from study.stats.contrasts import equivalence
from study.stats.means import condition_means, fooling_rates
from study.stats.ratings import Ratings

SLEEP = [
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
]


def pairs(control: list[float], generated: list[float], picture: str = "plum") -> pd.DataFrame:
    rows = [
        (rater, picture, condition, value)
        for condition, values in zip(ratings.CONDITIONS, (control, generated), strict=True)
        for rater, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=ratings.COLUMNS)


def of_table(test: Callable) -> Callable:
    """`test` on a table of ratings, of two of its conditions."""

    def tested(table: pd.DataFrame, condition: str = "generated", reference: str = "control"):
        return test(Ratings(table).cells(reference, condition))

    return tested


by_participant, by_item = of_table(contrasts.by_participant), of_table(contrasts.by_item)
quasi_f, is_nested = of_table(contrasts.quasi_f), of_table(contrasts.is_nested)
paired_difference = of_table(permutation.paired_difference)
randomization, wilcoxon = of_table(permutation.permutation), of_table(permutation.wilcoxon)
mixed_model = of_table(mixed.mixed_model)


def study(raters: int = 12, pictures: int = 10, *, seed: int = 0, models: int = 1) -> pd.DataFrame:
    """A counterbalanced study; control is better by 1, the pictures differ."""
    rng = np.random.default_rng(seed)
    names = (
        ["control", *(f"m{number}" for number in range(models))]
        if models > 1
        else (ratings.CONDITIONS)
    )
    quality, taste = rng.normal(0, 2, pictures), rng.normal(0, 1, raters)
    rows = []
    for rater in range(raters):
        for picture in range(pictures):
            condition = names[(rater + picture) % len(names)]
            rating = 5 + quality[picture] + taste[rater] + (condition == "control")
            rating = float(np.clip(np.round(rating + rng.normal(0, 1)), 0, 10))
            rows.append((rater, picture, condition, rating, f"L{rater % len(names)}", "apple"))
    return pd.DataFrame(rows, columns=[*ratings.COLUMNS, "list", "kind"])


def test_one_list_is_the_paired_t_test_of_student():
    result = by_participant(pairs(*SLEEP))
    assert (result.n, result.df, result.mean) == (10, 9, 1.58)
    assert result.t == pytest.approx(4.0621, abs=5e-5)
    assert result.p == pytest.approx(0.00283, abs=5e-6)
    assert (result.ci_low, result.ci_high) == pytest.approx((0.70, 2.46), abs=5e-3)


def test_two_lists_are_students_t_test_between_them():
    """Each rater's mean of one set of pictures minus the other, compared between the lists."""
    table = study()
    first = table["picture"] % 2 == 0
    sets = table.assign(first=first).groupby(["list", "rater", "first"])["rating"].mean().unstack()
    turned = sets[True] - sets[False]
    test = stats.ttest_ind(turned["L0"], turned["L1"])
    result = by_participant(table)
    assert (result.t, result.p, result.df) == pytest.approx((test.statistic, test.pvalue, 10))
    assert result.mean == pytest.approx((turned["L0"].mean() - turned["L1"].mean()) / 2)


def test_quality_of_the_pictures_is_no_noise_to_the_test_within_lists():
    table = study()
    table["rating"] += 3 * (table["picture"] % 2)  # all better ones are controls in the same list
    plain, within = paired_difference(table), by_participant(table)
    assert plain.mean == pytest.approx(within.mean)
    assert within.ci_high - within.ci_low < plain.ci_high - plain.ci_low


def test_sd_and_dz_are_those_within_lists():
    """As by R's lm(difference ~ list): the residual standard error."""
    table = study(9)
    means = table.groupby(["list", "rater", "condition"])["rating"].mean().unstack()
    difference = (means["control"] - means["generated"]).groupby("list")
    sd = math.sqrt((difference.var() * (difference.size() - 1)).sum() / 7)
    result = paired_difference(table)
    assert result.sd == pytest.approx(sd)
    assert result.dz == pytest.approx(by_participant(table).mean / sd)


def test_lists_of_unequal_size_count_equally():
    table = study(12)
    table = table[~table["rater"].isin([1, 3, 5])]
    means = table.groupby(["list", "rater", "condition"])["rating"].mean().unstack()
    of_lists = (means["control"] - means["generated"]).groupby("list").mean()
    assert by_participant(table).mean == pytest.approx(of_lists.mean())


def test_lists_are_found_where_the_table_names_none():
    table = study()
    assert by_participant(table.drop(columns="list")) == by_participant(table)
    gaps = table.drop(index=table.index[::7])
    found = Ratings(gaps.drop(columns="list")).lists.map({"A": "L0", "B": "L1"})
    assert gaps["rater"].map(found).tolist() == gaps["list"].tolist()


def test_pictures_in_the_papers_design_are_two_groups():
    table = study()
    paper = table[table["list"] == "L0"]
    means = paper.groupby(["condition", "picture"])["rating"].mean()
    test = stats.ttest_ind(means["control"], means["generated"])
    result = by_item(paper)
    assert (result.t, result.p, result.df) == pytest.approx((test.statistic, test.pvalue, 8))
    assert is_nested(paper)
    assert not is_nested(table)


def test_raters_and_pictures_agree_with_the_mixed_model_where_it_is_inside_its_bounds():
    """In a complete table the moments are near REML's, as long as no variance is at zero."""
    rng = np.random.default_rng(3)
    table = study(24)
    raters, pictures = rng.normal(0, 1, (2, 24)), rng.normal(0, 1, (2, 10))
    effects = raters[:, table["rater"]] + pictures[:, table["picture"]]
    half = np.where(table["condition"] == "control", 0.5, -0.5)
    table["rating"] = 5 + effects[0] + half * effects[1] + rng.normal(0, 0.7, len(table))
    model, both = mixed_model(table), quasi_f(table)
    assert min(model.sd_rater_effect, model.sd_picture_effect) > 0.5
    assert (model.mean, model.se) == pytest.approx((both.mean, both.se), rel=0.06)


def test_more_is_uncertain_about_other_pictures():
    table = study(24)
    assert quasi_f(table).se >= by_participant(table).se
    assert quasi_f(table).speaks_for == "other raters and pictures"


def test_three_arms_are_compared_one_by_one():
    table = study(12, 12, models=2)
    for model in ("m0", "m1"):
        result = by_participant(table, model)
        assert (result.n, result.df, result.note) == (12, 9, "")
        assert result.ci_low < 1 < result.ci_high
        assert quasi_f(table, model).note == ""
    assert by_participant(table, "m0", "m1").mean == pytest.approx(
        by_participant(table, "m0").mean - by_participant(table, "m1").mean
    )


def test_exchanging_raters_agrees_with_counting_by_hand():
    table = study(8)
    differences = Ratings(table).rater_means(*ratings.CONDITIONS).diff(axis=1).iloc[:, 1]
    turned = differences.to_numpy() * np.where(np.arange(8) % 2, 1, -1)
    from itertools import combinations

    gaps = [
        turned[list(chosen)].mean() - np.delete(turned, chosen).mean()
        for chosen in combinations(range(8), 4)
    ]
    observed = abs(turned[::2].mean() - turned[1::2].mean())
    share = np.mean(np.abs(gaps) >= observed - 1e-9)
    result = randomization(table)
    assert (result.p, result.smallest, result.exact) == (pytest.approx(share), 2 / 70, True)


@pytest.mark.parametrize(("raters", "smallest"), [(4, "0.33"), (6, "0.1")])
def test_too_few_raters_to_exchange(raters, smallest):
    result = randomization(study(raters))
    smallest_p = f"the smallest possible p of the randomization test is {smallest},"
    assert result.note.startswith(f"With {raters} raters {smallest_p}")


def test_fisher_counted_863_flips_of_darwins_maize():
    maize = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert randomization(pairs(maize, [0] * 15)).p == 2 * 863 / 32768


def test_wilcoxon_of_darwins_maize():
    """W = 24 and exact p = .0413, as R's wilcox.test gives."""
    maize = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    result = wilcoxon(pairs(maize, [0] * 15))
    assert (result.n, result.w, result.exact) == (15, 24, True)
    assert result.p == pytest.approx(0.04126, abs=5e-6)
    assert result.p == pytest.approx(stats.wilcoxon(maize, method="exact").pvalue)
    theirs = pingouin.wilcoxon(maize, np.zeros(15)).iloc[0]
    assert result.rank_biserial == pytest.approx(theirs["RBC"])


def test_wilcoxon_of_many_raters_is_scipys():
    differences = np.random.default_rng(0).integers(-3, 6, 30)
    kept = differences[differences != 0]
    result = wilcoxon(pairs(list(differences), [0] * 30))
    test = stats.wilcoxon(kept, method="approx")
    assert (result.n, result.w, result.p) == (len(kept), test.statistic, test.pvalue)
    assert not result.exact


def test_equivalence_of_lakens_2017():
    """Moery & Calin-Jageman: 5.25 (sd .95, n 95), 5.22 (.83, 89), margin d = .43: t(182) = -2.69,
    p = .004. The two groups are two lists, each rater's difference turned in the second."""

    def exactly(mean: float, sd: float, n: int) -> np.ndarray:
        scores = np.linspace(-1, 1, n)
        return mean + sd * scores / scores.std(ddof=1)

    groups = [exactly(5.25, 0.95, 95), -exactly(5.22, 0.83, 89)]
    table = pairs([*groups[0], *groups[1]], [0] * 184)
    table["list"] = np.tile(["A"] * 95 + ["B"] * 89, 2)
    pooled = math.sqrt((94 * 0.95**2 + 88 * 0.83**2) / 182)
    result = equivalence(by_participant(table), 0.43 * pooled / 2)  # half: the mean of the lists
    assert 2 * result.mean == pytest.approx(0.03)
    assert (result.df, result.equivalent) == (182, True)
    assert stats.t.ppf(result.p_upper, 182) == pytest.approx(-2.69, abs=0.005)
    assert result.p == result.p_upper == pytest.approx(0.004, abs=5e-4)


def test_equivalence_agrees_with_pingouin():
    table = pairs(*SLEEP)
    for margin in (1.0, 2.0, 3.0):
        theirs = float(pingouin.tost(*SLEEP, bound=margin, paired=True)["pval"].iloc[0])
        result = equivalence(by_participant(table), margin)
        assert result.p == pytest.approx(theirs, abs=1e-9)
        assert result.equivalent == (-margin < result.ci_low and result.ci_high < margin)


def test_equivalence_can_speak_for_other_pictures():
    table = study(24)
    table["rating"] += (table["condition"] == "control") * (table["picture"] % 4 - 1.5)
    assert equivalence(quasi_f(table), 2).p >= equivalence(by_participant(table), 2).p
    with pytest.raises(ValueError, match="must be above 0, not 0"):
        equivalence(quasi_f(table), 0)


def test_bootstrap_is_repeatable_and_wider_than_raters_alone():
    table = study(24)
    means = condition_means(Ratings(table))
    assert str(means) == str(condition_means(Ratings(table)))
    for row in means:
        assert row.boot_low < row.ci_low < row.mean < row.ci_high < row.boot_high


def test_the_bootstrap_keeps_the_weights_of_lists_and_sets():
    """Sets of two and three pictures weigh 2 to 3 in every draw, lists of three and two 1 to 1."""
    lists, sets = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    y = np.array([2, 7])[sets] + lists[:, None]
    drawn = resampled(y[None], lists, sets, 10, np.random.default_rng(0))
    assert drawn.ravel() == pytest.approx([5.5] * 10)


def test_random_draws_do_not_hang_on_whether_raters_are_numbers_or_text():
    table = study(24)
    text = table.assign(rater=table["rater"].astype(str))
    assert str(condition_means(Ratings(table))) == str(condition_means(Ratings(text)))
    assert paired_difference(table) == paired_difference(text)
    assert randomization(table) == randomization(text)


def test_without_a_test_over_both_the_mean_is_that_over_raters():
    table = study(1)
    assert quasi_f(table).note
    assert quasi_f(table).mean == by_participant(table).mean == paired_difference(table).mean


def test_counts_of_lists_pictures_and_times():
    table = study(4, 4).drop(index=[0])
    table["response_ms"] = [1000.0 * (index % 5) for index in range(len(table))]
    found = describe.count_lists(Ratings(table))
    assert [cell.missing for cell in found] == [1, 0, 0, 0]
    assert (sum(c.ratings for c in found), sum(c.expected for c in found)) == (15, 16)
    pictures = describe.score_pictures(Ratings(table))
    assert [picture.kind for picture in pictures] == ["apple"] * 4
    assert sum(score.raters for each in pictures for score in each.scores.values()) == 15
    times = describe.response_times(Ratings(table))
    assert [each.condition for each in times] == ["control", "generated", "all"]
    assert times[-1].fastest_s == 0
    assert describe.response_times(Ratings(table.assign(response_ms=None))) == []


# Degenerate tables

UNDEFINED = {
    "one rater": (study(1), "only one rater"),
    "one condition": (study().query("condition == 'control'"), "No rater has ratings of both"),
    "all equal": (study().assign(rating=7.0), "All raters of each list show the same difference"),
    "a list for every rater": (study(2), "no spread within lists"),
    "empty": (study()[:0], "No rater has ratings of both"),
}


@pytest.mark.parametrize(("table", "sentence"), UNDEFINED.values(), ids=UNDEFINED)
def test_undefined_tests_say_why(table, sentence):
    for test in (by_participant, quasi_f, lambda table: equivalence(quasi_f(table), 1)):
        result = test(table)
        assert sentence in result.note
        assert result.note.endswith(".")
        assert math.isnan(result.p)


@st.composite
def tables(draw):
    """Up to 5 raters and 5 pictures, any cells missing, in any condition, with or without lists."""
    cells = draw(
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(ratings.CONDITIONS)),
            unique=True,
            max_size=25,
        )
    )
    values = draw(st.lists(st.integers(0, 20), min_size=len(cells), max_size=len(cells)))
    rows = [(*cell, value / 2) for cell, value in zip(cells, values, strict=True)]
    table = pd.DataFrame(rows, columns=ratings.COLUMNS).astype({"rating": float})
    if draw(st.booleans()):
        table["list"] = (table["rater"] % 2).map({0: "A", 1: "B"})
    return table


@given(tables())
def test_no_table_breaks_anything(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for test in (by_participant, by_item, quasi_f):
            result = test(table)
            figures = [value for key, value in asdict(result).items() if key in ("se", "p", "t")]
            assert bool(result.note) == any(map(math.isnan, figures))
            if not result.note:
                assert 0 <= result.p <= 1
                assert result.ci_low <= result.mean <= result.ci_high
        tested = by_participant(table)
        assert (equivalence(tested, 1).equivalent is None) == bool(tested.note)
        for test in (randomization, wilcoxon):
            result = test(table)
            assert result.note or 0 < result.p <= 1
        paired_difference(table)
        whole = Ratings(table)
        said = caveats.caveats(whole, "generated")
        assert all(text.endswith(".") for text in said)
        assert "nan" not in " ".join(said)
        for row in condition_means(whole):
            assert math.isnan(row.mean) or 0 <= row.mean <= 10
            assert math.isnan(row.ci_low) or 0 <= row.ci_low <= row.mean <= row.ci_high <= 10
        describe.count_lists(whole), describe.score_pictures(whole)
        for row in agreement(whole):
            assert row.note or not math.isnan(row.icc_single) or row.list == "all"
        binary = Ratings(table.assign(rating=(table["rating"] > 5).astype(int)))
        assert all(0 <= each.rate <= 1 for each in fooling_rates(binary))
