"""Who sees what: properties that hold for any number of pictures, arms and raters."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.plan import design

ARMS = ["control", "colornet", "paper", "zhang", "other"]
arms = st.integers(1, 5).map(lambda count: ARMS[:count])


@given(arms=arms, each=st.integers(1, 20))
def test_counterbalanced_lists_are_a_latin_square(arms, each):
    pictures = each * len(arms)
    lists = design.lists(pictures, arms, "counterbalanced")
    assert len(lists) == len(arms)
    for index in range(pictures):
        shown = [dealt[index] for dealt in lists.values()]
        assert sorted(shown) == sorted(arms), "every picture once in every arm"
    for dealt in lists.values():
        assert len(dealt) == pictures
        assert Counter(dealt) == dict.fromkeys(arms, each), "every list has every arm equally often"


@given(arms=arms, pictures=st.integers(1, 60), seed=st.integers(0, 99))
def test_arms_are_spread_evenly_over_each_kind(arms, pictures, seed):
    kinds = design.kinds_of_pairs(pictures, np.random.default_rng(seed))
    assert kinds == sorted(kinds)
    counts = [kinds.count(kind) for kind in design.KINDS]
    assert sum(counts) == pictures
    assert max(counts) - min(counts) <= 1
    for dealt in design.lists(pictures, arms, "counterbalanced").values():
        for kind in design.KINDS:
            of_kind = Counter(arm for arm, k in zip(dealt, kinds, strict=True) if k == kind)
            numbers = [of_kind[arm] for arm in arms]
            assert max(numbers) - min(numbers) <= 1


@given(half=st.integers(1, 30))
def test_in_the_papers_mode_all_see_the_same_half_in_true_colours(half):
    lists = design.lists(2 * half, ARMS[:2], "paper")
    assert list(lists) == ["A"]
    assert lists["A"].count("control") == lists["A"].count("colornet") == half


@given(raters=st.integers(0, 40), lists=st.integers(1, 5), seed=st.integers(0, 99))
def test_lists_stay_even_when_the_next_rater_gets_the_least_filled(raters, lists, seed):
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys("ABCDE"[:lists], 0)
    for _ in range(raters):
        counts[design.least_filled(counts, rng)] += 1
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_list_with_the_fewest_sessions_is_taken_and_ties_are_drawn():
    rng = np.random.default_rng(0)
    assert design.least_filled({"A": 3, "B": 1, "C": 2}, rng) == "B"
    assert {design.least_filled({"A": 1, "B": 1, "C": 2}, rng) for _ in range(50)} == {"A", "B"}


@given(items=st.lists(st.integers(), max_size=20), seed=st.integers(0, 99))
def test_an_order_has_everything_once(items, seed):
    assert sorted(design.order(items, np.random.default_rng(seed))) == sorted(items)
