"""Numbers, dates and names in words, for everything that the study's commands say."""

from collections.abc import Callable
from datetime import date


def printable(text: object, width: int) -> str:
    """`text` without control characters, cut where it is longer than `width`.

    >>> printable("plum\\x1b[2J and pear", 9)
    'plum?[2J…'
    """
    clean = "".join(each if each.isprintable() else "?" for each in str(text))
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def day(iso: str) -> str:
    """
    >>> day("2026-05-03")
    '3 May 2026'
    """
    return f"{date.fromisoformat(iso):%-d %B %Y}"


def points(value: float) -> str:
    return f"{value:g} point{'' if value == 1 else 's'}"


def decimals(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:z.{digits}f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def percentage_points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:z.0f}"


def interval(low: float | None, high: float | None, form: Callable[[float], str] = decimals) -> str:
    return "-" if low is None or high is None else f"{form(low)} to {form(high)}"


def p_value(value: float | None) -> str:
    if value is None:
        return "p = -"
    if value > 0.9995:
        return "p > .999"
    return "p < .001" if value < 0.001 else "p = " + f"{value:.3f}".removeprefix("0")


def degrees(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}".removesuffix(".0")
