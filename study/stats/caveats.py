"""What the ratings of a study cannot show, in plain sentences."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from study.stats.contrasts import is_nested
from study.stats.moments import half_width, rater_differences, rater_values, stratified
from study.stats.ratings import CONTROL, Cells, Ratings

# Number of raters from which a t interval no longer leans on normally distributed rater means.
MANY = 30
NORMAL = (
    "The 95% intervals, like any t test, assume that the rater means are roughly normally"
    " distributed, which so few raters cannot confirm."
)


def caveats(ratings: Ratings, condition: str) -> list[str]:
    """What these ratings cannot show of `condition` against control.

    >>> one = Ratings(pd.DataFrame({
    ...     "rater": ["A"], "picture": ["plum"], "condition": ["control"], "rating": [8.5]
    ... }))
    >>> for sentence in caveats(one, "generated"):
    ...     print(sentence)
    There are no ratings of generated pictures, so the conditions cannot be compared.
    There is only one rater, so there is no interval and no test.
    By-participant tests speak for this 1 picture only, not for others.
    """
    pair, cells = [CONTROL, condition], ratings.cells(CONTROL, condition)
    table = ratings.table[ratings.table["condition"].isin(pair)]
    if table.empty:
        return ["There are no ratings, so nothing can be concluded."]
    sizes = ratings.lists.loc[table["rater"].unique()].value_counts(sort=False).sort_index()
    said = [*_on_coverage(table, pair, nested=is_nested(cells)), *_on_spread(table, cells)]
    return [*said, *_on_lists(table, sizes), *_on_pictures(table)]


def _on_coverage(table: pd.DataFrame, pair: list[str], *, nested: bool) -> Iterator[str]:
    """Missing conditions and raters who left something out."""
    counts = table.groupby(["rater", "condition"]).size().unstack(fill_value=0)
    for condition in pair:
        if condition not in counts:
            yield (
                f"There are no ratings of {condition} pictures, so the conditions cannot be"
                " compared."
            )
    if halves := int((counts == 0).any(axis=1).sum()):
        yield (
            f"{halves} of {len(counts)} raters rated one condition only and "
            f"{'is' if halves == 1 else 'are'} left out of the difference."
        )
    full = counts.max()
    if nested:  # then the pictures tell
        full = table.groupby("condition")["picture"].nunique()
    if gaps := int((counts < full).any(axis=1).sum()):
        yield (
            f"{gaps} of {len(counts)} raters did not rate every picture, so their means "
            "rest on different pictures or on fewer of them."
        )


def _on_spread(table: pd.DataFrame, cells: Cells) -> Iterator[str]:
    """What too few raters, or raters who all agree, leave undecided."""
    if table["rater"].nunique() == 1:
        yield "There is only one rater, so there is no interval and no test."
        return
    if table["rating"].nunique() == 1:
        yield "All ratings are equal, so there is no spread for an interval or a t test."
        return
    differences = rater_differences(cells.y, cells.lists)[0]
    n = len(differences)
    if n < 2 and table["condition"].nunique() == 2:
        who = "Only one rater" if n else "No rater"
        yield f"{who} rated both conditions, so the difference cannot be tested over raters."
    if n > 1 and np.ptp(differences) == 0:
        yield "All raters show the same difference, so it has no interval and no t test."
    if 2 <= n < 6:
        yield (
            f"With {n} raters the smallest possible p of the sign-flip test is {2 / 2**n:g} "
            f"(2 / 2^{n}), so by that test no result can be below .05."
        )
    means = [rater_values(y, cells.lists) for y in cells.y]
    results = [stratified(*each) for each in means if len(each[0])]
    if any(1 < len(each[0]) < MANY for each in means):
        yield NORMAL
    if any(
        result.mean - half_width(result) < 0 or result.mean + half_width(result) > 10
        for result in results
    ):
        yield (
            "A t interval would have left the scale of 0 to 10 and was cut off at its end: there"
            " that assumption fits poorly."
        )


def _on_lists(table: pd.DataFrame, sizes: pd.Series) -> Iterator[str]:
    """What lists of unequal size mean for the estimates."""
    if len(sizes) < 2 or table["condition"].nunique() < 2:
        return
    equal = sizes.nunique() == 1
    plain = "The paired t test, the sign-flip test and Wilcoxon's test count"
    yield (
        f"{plain if equal else 'The sign-flip test counts'} the difference between the lists'"
        " pictures as noise, which errs on the safe side; the by-participant t test within lists"
        " does not."
    )
    if not equal:
        counted = ", ".join(f"{size} in list {name}" for name, size in sizes.items())
        yield (
            f"The lists have different numbers of raters ({counted}). Means, differences and tests"
            " weigh the lists equally, so that all pictures count equally."
        )


def _on_pictures(table: pd.DataFrame) -> Iterator[str]:
    """What tests over raters leave open about the pictures."""
    conditions = table.groupby("picture")["condition"].nunique()
    total, single = len(conditions), int((conditions == 1).sum())
    these = "this 1 picture" if total == 1 else f"these {total} pictures"
    compared = table["condition"].nunique() > 1
    others = "not for others"
    if compared and total > 1:
        test = "by-item t test" if single == total else "quasi-F test"
        others = f"however many raters there are; for others read the {test}"
    yield f"By-participant tests speak for {these} only, {others}."
    if single and compared:
        which = f"{single} of the {total} pictures"
        if single == total:
            which = "The picture" if total == 1 else f"Each of the {total} pictures"
        yield (
            f"{which} appeared in one condition only, so a difference between "
            "the conditions may also be a difference between the pictures."
        )
