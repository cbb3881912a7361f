"""Who sees what in which order. Pure functions of their arguments and a random generator.

The paper's protocol: every rater sees the same pictures, half of them controls (true colours) and
half generated, in an order of their own.
"""

from collections.abc import Sequence

import numpy as np

from study.analysis import CONDITIONS

KINDS = ("apple", "cherry", "pear")
SHOWN_LIST, OTHER_LIST = "A", "B"  # each picture is on both, in complementary conditions


def kinds_of_pairs(pairs: int, rng: np.random.Generator) -> list[str]:
    """The kind of each of `pairs` pictures, spread as evenly as the number allows.

    >>> sorted(kinds_of_pairs(3, np.random.default_rng(0)))
    ['apple', 'cherry', 'pear']
    """
    extra = rng.permutation(KINDS)[: pairs % len(KINDS)].tolist()
    return sorted([*KINDS * (pairs // len(KINDS)), *extra])


def conditions_of_pairs(pairs: int, rng: np.random.Generator) -> list[str]:
    """The condition of each of `pairs` pictures sorted by kind: alternating, so that each is
    given to half of the pictures and, give or take one, to half of each kind.

    >>> conditions_of_pairs(10, np.random.default_rng(0)).count("control")
    5
    """
    first = int(rng.integers(2))
    return [CONDITIONS[(first + index) % 2] for index in range(pairs)]


def order(items: Sequence, rng: np.random.Generator) -> list:
    """`items` in a random order."""
    return [items[index] for index in rng.permutation(len(items))]
