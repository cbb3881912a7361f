"""Numbers, dates and names in words, for everything that the study's commands say."""

import math
from collections.abc import Callable, Sequence
from datetime import date

# Cell of a table whose figure is undefined; a sentence beside the table says why.
UNDEFINED = "-"


def printable(text: object, width: int) -> str:
    """`text` without control characters, cut where it is longer than `width`.

    >>> printable("plum\\x1b[2J and pear", 9)
    'plum?[2J…'
    """
    clean = "".join(each if each.isprintable() else "?" for each in str(text))
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(parts: Sequence[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = parts or [""]
    return f"{', '.join(first)} and {last}" if first else last


def some(items: Sequence[str], between: str = ", ", most: int = 3) -> str:
    """The first items, and how many more there are.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return between.join(items[:most]) + more


def day(iso: str) -> str:
    """
    >>> day("2026-05-03")
    '3 May 2026'
    """
    return f"{date.fromisoformat(iso):%-d %B %Y}"


def points(value: float) -> str:
    return f"{value:g} point{'' if value == 1 else 's'}"


def decimals(value: float, digits: int = 2) -> str:
    return UNDEFINED if math.isnan(value) else f"{value:z.{digits}f}"


def exactly(value: float) -> str:
    """A mean with all digits that it has, at least two; with two where four do not tell it whole.

    >>> [exactly(mean) for mean in (8.55, 3.225, 7, 10 / 3)]
    ['8.55', '3.225', '7.00', '3.33']
    """
    digits = (each for each in (2, 3, 4) if math.isclose(value, round(value, each), abs_tol=1e-9))
    return decimals(value, 2 if math.isnan(value) else next(digits, 2))


def percent(value: float) -> str:
    return UNDEFINED if math.isnan(value) else f"{value:.0%}"


def percentage_points(value: float) -> str:
    return UNDEFINED if math.isnan(value) else f"{100 * value:z.0f}"


def interval(low: float, high: float, form: Callable[[float], str] = decimals) -> str:
    return UNDEFINED if math.isnan(low + high) else f"{form(low)} to {form(high)}"


def p_value(value: float) -> str:
    """
    >>> [p_value(p) for p in (0.0312, 0.00002, 0.9999)]
    ['p = .031', 'p < .001', 'p > .999']
    """
    if math.isnan(value):
        return UNDEFINED
    if value > 0.9995:
        return "p > .999"
    return "p < .001" if value < 0.001 else "p = " + f"{value:.3f}".removeprefix("0")
