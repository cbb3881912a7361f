"""Tables of a report: their columns, declared once for text and page, and what is in their rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of a table: its head and what it shows of a row's figures.

    `left`: aligned there, as texts are; `coloured`: a condition, marked with its colour.
    """

    head: str
    text: Callable[[Any], object]
    left: bool = False
    coloured: bool = False


@dataclass(frozen=True)
class Row:
    """The cells of a row; a `strong` one is what to read."""

    cells: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its caption; a text among the rows stands across all columns.

    `strong` says what the strong rows are.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row | str, ...]
    caption: str = ""
    strong: str = ""


def table_of(
    columns: Sequence[Column],
    groups: Iterable[tuple[str, Sequence[Any]]],
    caption: str = "",
    strong: Callable[[Any], bool] = lambda row: False,
) -> Table:
    """A table of groups of rows, each below its title where it has one."""
    rows: list[Row | str] = []
    for title, figures in groups:
        rows += [title] if title else []
        for each in figures:
            rows.append(Row(tuple(str(column.text(each)) for column in columns), strong(each)))
    return Table(tuple(columns), tuple(rows), caption)
