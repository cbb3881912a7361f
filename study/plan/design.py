"""Who sees which pictures in which order: pure functions of their arguments and a generator.

Pictures are dealt out to lists; each rater sees one list, in a random order. In mode "paper" there
is one list for all raters. In mode "counterbalanced" the lists form a Latin square: a picture is
shown in every arm, each time in another list, so that no difference between arms can come from the
pictures.
"""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

import numpy as np

KINDS = ("apple", "cherry", "pear")


def kinds_of_pairs(pairs: int, rng: np.random.Generator, kinds: Sequence[str] = KINDS) -> list[str]:
    """The kind of each of `pairs` pictures, sorted and spread as evenly as the number allows.

    >>> sorted(kinds_of_pairs(3, np.random.default_rng(0)))
    ['apple', 'cherry', 'pear']
    """
    extra = rng.permutation(kinds)[: pairs % len(kinds)].tolist()
    return sorted([*list(kinds) * (pairs // len(kinds)), *extra])


def lists(pictures: int, arms: Sequence[str], mode: str) -> dict[str, list[str]]:
    """The arm of each picture in each list. Pictures are sorted by kind, so that the arms, which
    take turns, are also spread evenly over each kind.

    Args:
        pictures: number of pictures; a multiple of the arms in mode "counterbalanced", even in
            mode "paper".
        arms: the arms, all different.
        mode: "counterbalanced": a Latin square with as many lists as arms; every picture is in
            every arm in exactly one list, and every list has every arm equally often. "paper": one
            list.

    >>> lists(4, ["control", "colornet"], "counterbalanced")["B"]
    ['colornet', 'control', 'colornet', 'control']
    """
    count = 1 if mode == "paper" else len(arms)
    return {
        ascii_uppercase[shift]: [arms[(index + shift) % len(arms)] for index in range(pictures)]
        for shift in range(count)
    }


def least_filled(counts: Mapping[str, int], rng: np.random.Generator) -> str:
    """The list with the fewest sessions; ties are broken at random."""
    fewest = min(counts.values())
    return str(rng.choice([name for name, count in counts.items() if count == fewest]))


def order(items: Sequence, rng: np.random.Generator) -> list:
    """`items` in a random order."""
    return [items[index] for index in rng.permutation(len(items))]
