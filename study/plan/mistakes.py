"""The mistakes in a TOML file, each in a plain sentence with its line."""

import difflib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from study.errors import StudyError

MAX_BYTES = 100_000  # Size of the largest study file, in bytes.

WANTED = {  # By pydantic's name of a mistake: what the value must be.
    "int_type": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "tuple_type": 'a list such as ["control", "colornet"]',
    "model_type": "a table of its own",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:,}",
    "less_than_equal": "at most {le:g}",
    "string_too_long": "{max_length} characters at most",
    "string_pattern_mismatch": "made of letters, digits, dots, hyphens and underscores",
}


class StudyFileError(StudyError):
    """The mistakes in a study file, each in a sentence on a line of its own."""


class TomlFile:
    """A TOML file, with the line of each of its keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = _read(path)
        self.content = _parse(path.name, self.text)

    def at(self, where: tuple[str | int, ...], sentence: str) -> str:
        """`sentence` with the file's name and the line of the key `where`, or of what holds it."""
        line = self._line(where)
        stop = "" if sentence.endswith("?") else "."
        return f"{self.path.name}{f', line {line}' if line else ''}: {sentence}{stop}"

    def mistakes(self, error: ValidationError, kind: type[BaseModel]) -> list[str]:
        """Sentences about all mistakes, in the order of the file; missing fields come last."""
        found = sorted(
            mistakes_in(error, kind), key=lambda found: self._line(found[0]) or len(self.text)
        )
        return [self.at(where, sentence) for where, sentence in found]

    def _line(self, where: tuple[str | int, ...]) -> int | None:
        lines = dict(_lines(self.text))
        parts = (where[:length] for length in range(len(where), 0, -1))
        return next((lines[part] for part in parts if part in lines), None)


def validated(kind: type[BaseModel], given: dict) -> Any:
    """`given` as a `kind`, no value converted: 7 is no "7", and true no 1.

    Raises:
        ValidationError: the mistakes, which `mistakes_in` puts into sentences.
    """
    return kind.model_validate_json(json.dumps(given, default=str), strict=True)


def mistakes_in(error: ValidationError, kind: type[BaseModel]) -> Iterator[tuple[tuple, str]]:
    """The mistakes in plain words: for each, the path of the field and a sentence without its stop.

    >>> class Coin(BaseModel):
    ...     cents: int
    >>> try:
    ...     validated(Coin, {"cents": "2"})
    ... except ValidationError as error:
    ...     print(*mistakes_in(error, Coin))
    (('cents',), 'cents must be a whole number, not "2"')
    """
    told = set()
    for found in error.errors(include_url=False):
        path = found["loc"]
        name = ".".join(part for part in path if isinstance(part, str))
        if found["type"] == "default_factory_not_called":
            continue  # The default depends on a field whose mistake is reported.
        key = path[:-1] if isinstance(path[-1], int) else path
        if key not in told:  # Of the items of one list the first mistake is enough.
            told.add(key)
            yield path, f"{name} {_sentence(found, path, kind)}"


def _sentence(found: dict, path: tuple, kind: type[BaseModel]) -> str:
    limits, problem = found.get("ctx", {}), found["type"]
    if problem == "missing":
        return "is missing"
    if problem == "extra_forbidden":
        for part in path[:-1]:
            kind = (
                get_args(kind)[0] if isinstance(part, int) else kind.model_fields[part].annotation
            )
        near = difflib.get_close_matches(path[-1], kind.model_fields, 1)
        return f"is not known here; did you mean {near[0]}?" if near else "is not known here"
    if problem == "value_error":
        return str(limits["error"])
    if problem == "literal_error":
        wanted = limits["expected"].replace("'", '"')
    else:
        wanted = WANTED.get(problem, "of another kind").format(**limits)
    return f"must be {wanted}, not {_shown(found['input'])}"


def _shown(value: object) -> str:
    """A value as it is written in the file, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if text.isprintable() else json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise StudyFileError(f"{path.name} is too large for a study file.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StudyFileError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise StudyFileError(f"{path} is a folder, not a study file.") from None
    except UnicodeDecodeError:
        raise StudyFileError(f"{path.name} is not text in UTF-8.") from None
    except OSError as error:
        raise StudyFileError(f"{path.name} cannot be read: {error.strerror}.") from None


def _parse(name: str, text: str) -> dict:
    if zero := re.search(r"\\u0000|\\U0{8}", text):
        line = text.count("\n", 0, zero.start()) + 1
        raise StudyFileError(f"{name}, line {line}: {zero[0]} cannot be stored.")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # Not only of TOML: numbers can be too long for Python.
        what, _, place = str(error).rpartition(" (at ")
        at_end = f"line {len(text.splitlines())}"
        line = place.partition(",")[0] if place.startswith("line") else at_end
        raise StudyFileError(f"{name}, {line}: this is not valid TOML ({what.lower()}).") from None
    except RecursionError:
        raise StudyFileError(
            f"{name} is not a study file: its lists are nested too deeply."
        ) from None


def _lines(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The path of every key of a TOML file, such as ("checks", "screen") or, in a list of tables,
    ("arms", 1, "folder"), and its line.

    A statement consists of as many lines as it takes until they are valid TOML.
    """
    table: tuple[str | int, ...] = ()
    tables: Counter[tuple] = Counter()  # of each list
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            paths = list(_paths(tomllib.loads(statement)))
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = paths[-1]
            if not tables[table]:
                yield table, first
            if statement.lstrip().startswith("[["):
                tables[table] += 1
                table = (*table, tables[table] - 1)
                yield table, first
        else:
            yield from ((table + path, first) for path in paths)
        statement, first = "", number + 1


def _paths(value: dict) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        yield (key,)
        if isinstance(inner, dict):
            yield from ((key, *path) for path in _paths(inner))
