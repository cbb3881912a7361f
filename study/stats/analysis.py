"""What the report is made of: the mean of each condition, and what the ratings cannot show.

Pure functions on a table of ratings (study/stats/ratings.py). Ratings are averaged by rater and
condition
first, so each rater counts once however much they rated, and the raters' means by list, so that the
lists' pictures count equally however many raters each list has. The tests of the difference are in
study/stats/contrasts.py.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from study.stats.bootstrap import bootstrap_intervals
from study.stats.contrasts import is_nested
from study.stats.moments import Moments, half_width, rater_differences, rater_values, stratified
from study.stats.ratings import (
    CONDITIONS,
    CONTROL,
    DIGITS,
    Cells,
    as_cells,
    conditions_of,
    lists_of,
)

SMALL = 30  # with fewer raters than this the t interval leans on normally distributed means


def condition_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each condition: its mean with 95% intervals, see `condition_means`.

    `sd` is that of the single ratings.

    >>> ratings = pd.DataFrame({
    ...     "rater": list("AABBCC"),
    ...     "picture": ["plum", "pear"] * 3,
    ...     "condition": ["control", "generated"] * 3,
    ...     "rating": [9, 3, 8, 4, 10, 3.5],
    ... })
    >>> condition_summary(ratings).drop(columns=["boot_low", "boot_high", "note"]).round(3)
       condition  raters  ratings  mean   sd  ci_low  ci_high
    0    control       3        3   9.0  1.0   6.516   11.484
    1  generated       3        3   3.5  0.5   2.258    4.742
    """
    conditions = list(dict.fromkeys([CONTROL, *conditions_of(table)]))
    conditions = conditions if len(conditions) > 1 else CONDITIONS
    summary = condition_means(as_cells(table, conditions), conditions)
    single = table["rating"].astype(float).groupby(table["condition"])
    summary.insert(2, "ratings", single.size().reindex(conditions, fill_value=0).to_numpy())
    summary.insert(4, "sd", single.std().reindex(conditions).to_numpy())
    return summary


def condition_means(cells: Cells, conditions: list[str]) -> pd.DataFrame:
    """The mean of the lists' means of rater means in each of `conditions`, with 95% intervals.

    `ci_low` to `ci_high` is the t interval over raters, from their spread within lists: other
    raters of these pictures. `boot_low` to `boot_high` has raters and pictures resampled: other
    raters of other pictures. The intervals are not clipped to the scale; where one is NaN, `note`
    says why.

    >>> y = np.array([[[9, 8], [8, 7], [10, 9]]])
    >>> condition_means(Cells(y, np.zeros(3, int)), ["control"]).drop(columns="note").round(2)
      condition  raters  mean  ci_low  ci_high  boot_low  boot_high
    0   control       3   8.5    6.02    10.98       7.0       10.0
    """
    rows = []
    boots = bootstrap_intervals(cells)
    for name, y, (boot_low, boot_high) in zip(conditions, cells.y, boots, strict=True):
        values, lists = rater_values(y, cells.lists)
        result = stratified(values, lists)
        mean, half = round(float(result.mean), DIGITS), float(half_width(result))
        note = _why_not(name, len(values), result)
        if len(values) > 1 and np.isnan(boot_low) and np.ptp(y[np.isfinite(y)]) > 0:
            note += (
                f" There is no resampled interval for {name}: it takes two raters in each list and"
                " two pictures in each set that the lists swap."
            )
        limits = mean - half, mean + half, float(boot_low), float(boot_high)
        rows.append((name, len(values), mean, *limits, note.strip()))
    columns = ["condition", "raters", "mean", "ci_low", "ci_high", "boot_low", "boot_high", "note"]
    return pd.DataFrame(rows, columns=columns)


def _why_not(condition: str, n: int, result: Moments) -> str:
    """Why a mean has no interval over raters, or nothing."""
    if n == 0:
        return ""
    if n == 1:
        return f"Only one rater rated {condition} pictures: that mean has no interval."
    if result.df == 0:
        return f"With {n} raters in {n} lists the mean of {condition} pictures has no interval."
    if result.variance == 0:
        who = "All raters" if n - result.df == 1 else "All raters of each list"
        return f"{who} have the same mean for {condition} pictures, so it has no interval."
    return ""


def caveats(table: pd.DataFrame, condition: str, cells: Cells) -> list[str]:
    """Say in plain sentences what these ratings cannot show of `condition` against control.

    `cells` are those of both.

    >>> one = pd.DataFrame({
    ...     "rater": ["A"], "picture": ["plum"], "condition": ["control"], "rating": [8.5]
    ... })
    >>> for sentence in caveats(one, "generated", as_cells(one)):
    ...     print(sentence)
    There are no ratings of generated pictures, so the conditions cannot be compared.
    There is only one rater, so there is no interval and no test.
    The tests over raters speak for this 1 picture only, not for others.
    """
    pair = [CONTROL, condition]
    table = table[table["condition"].isin(pair)]
    if table.empty:
        return ["There are no ratings, so nothing can be concluded."]
    said = [*_on_coverage(table, pair, nested=is_nested(cells)), *_on_spread(table, cells)]
    return [*said, *_on_lists(table), *_on_pictures(table)]


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
            f"{'is' if halves == 1 else 'are'} left out of the paired difference."
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
        yield f"{who} rated both conditions, so the paired difference cannot be tested."
    if n > 1 and np.ptp(differences) == 0:
        yield "All raters show the same difference, so it has no interval and no t test."
    if 2 <= n < 6:
        yield (
            f"With {n} raters the smallest possible p of the sign-flip test is {2 / 2**n:g} "
            f"(2 / 2^{n}), so by that test no result can be below .05."
        )
    means = [rater_values(y, cells.lists) for y in cells.y]
    results = [stratified(*each) for each in means if len(each[0])]
    if any(len(each[0]) < SMALL for each in means if len(each[0]) > 1):
        yield (
            "The 95% intervals, like any t test, assume that the rater means are roughly "
            "normally distributed, which so few raters cannot confirm."
        )
    if any(
        result.mean - half_width(result) < 0 or result.mean + half_width(result) > 10
        for result in results
    ):
        yield "An interval reaches beyond the scale of 0 to 10: that assumption fits poorly there."


def _on_lists(table: pd.DataFrame) -> Iterator[str]:
    """Lists of unequal size, and what the plain paired tests make of lists."""
    sizes = table.groupby(lists_of(table))["rater"].nunique()
    if len(sizes) < 2 or table["condition"].nunique() < 2:
        return
    plain = "The paired t test, the sign flips and Wilcoxon's test"
    if plain_tests_hold(sizes.to_numpy()):
        yield (
            f"{plain} count the difference between the lists' pictures as noise and err on the"
            " safe side; the test over raters within lists does not."
        )
    else:
        yield (
            f"{plain} take the difference between the lists' pictures for one between the"
            " conditions, as the lists are of unequal size: do not read them."
        )
    if sizes.max() - sizes.min() > 1:
        counted = ", ".join(f"{size} in list {name}" for name, size in sizes.items())
        yield (
            f"The lists have different numbers of raters ({counted}). Means and the tests within"
            " lists weigh the lists equally, so that all pictures count equally."
        )


def plain_tests_hold(sizes: np.ndarray) -> bool:
    """Whether tests that ignore the lists, with `sizes` raters each, err on the safe side.

    A difference between the lists' pictures enters the raters' spread, and so the squared standard
    error of their mean, and enters the mean itself as far as the sizes differ. For lists of a Latin
    square the first outweighs the second as long as the sizes vary by no more than by chance: with
    two lists, (nA - nB)^2 <= nA + nB.

    >>> [plain_tests_hold(np.array(sizes)) for sizes in ([6, 6], [7, 5], [9, 3], [5, 4, 3])]
    [True, True, False, True]
    """
    return bool(sizes.var(ddof=1) <= sizes.mean())


def _on_pictures(table: pd.DataFrame) -> Iterator[str]:
    """The tests over raters count raters; what they leave open about the pictures."""
    conditions = table.groupby("picture")["condition"].nunique()
    total, single = len(conditions), int((conditions == 1).sum())
    these = "this 1 picture" if total == 1 else f"these {total} pictures"
    compared = table["condition"].nunique() > 1
    others = "not for others"
    if compared and total > 1:
        others = "however many raters there are; for others read the test over raters and pictures"
        if single == total:
            others = "however many raters there are; for others read the test over pictures"
    yield f"The tests over raters speak for {these} only, {others}."
    if single and compared:
        which = f"{single} of the {total} pictures"
        if single == total:
            which = "The picture" if total == 1 else f"Each of the {total} pictures"
        yield (
            f"{which} appeared in one condition only, so a difference between "
            "the conditions may also be a difference between the pictures."
        )
