"""Write docs/commands.md and the study file in docs/study.md:  python -m tests.reference

Both are made from the program itself: every command is asked for its parser, the Makefile for its
targets, `study.prepare` for its template. tests/test_docs.py compares.
"""

import argparse
import re
import runpy
import warnings
from collections.abc import Iterator
from functools import cache
from unittest import mock

from study.prepare.__main__ import TEMPLATE
from tests.support.server import ROOT

FEW = 30  # Characters of choices that are shown in the place of a value.
ROOMS = ("demo", "model", "study", "tests")
TITLE = """\
# Commands

Every command and every flag, written by `make docs`. `--help` says the same. Run the commands in
the project's folder, with `.venv/bin/python` for `python`.
"""
VARIABLES = """
| variable | meaning |
|---|---|
| `ARGS="..."` | further flags for the command |
| `HOST=`, `PORT=` | where `make demo` listens (default: 127.0.0.1 and 7860) |
| `DATA=DIR`, `MORE=DIR`, `PHOTOS=DIR`, `GENERAL=DIR` | folders of pictures: see [data](data.md) |
| `RECIPE=NAME` | what `make train` trains (default: paper) |
| `TORCH=cpu`, `TORCH=cuda` | PyTorch's build; default: by NVIDIA's driver |
| `PYTHON3=python3.12` | which Python makes `.venv` |
"""


def commands() -> dict[str, str]:
    """{command as it is typed: module}, of all that can be run."""
    found = {"train.py": "train"}
    for file in (file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))):
        if re.search('^if __name__ == "__main__":', file.read_text(), re.MULTILINE):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            module = module.removesuffix(".__main__")
            found[f"python -m {module}"] = module
    return found


@cache
def parser_of(module: str) -> argparse.ArgumentParser:
    """The parser of a command, caught where the command is about to parse."""

    class Caught(Exception):
        pass

    def parse_args(parser: argparse.ArgumentParser, *_: object) -> None:
        raise Caught(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", parse_args),
        warnings.catch_warnings(action="ignore"),  # of modules that were imported before
    ):
        try:
            runpy.run_module(module, run_name="__main__")
        except Caught as caught:
            return caught.args[0]
    raise AssertionError(f"{module} parses no arguments")


def arguments_of(
    parser: argparse.ArgumentParser,
) -> tuple[list[argparse.Action], list[tuple[str, str, argparse.ArgumentParser]]]:
    """The arguments of a command, and the names, purposes and parsers of its subcommands."""
    arguments, subcommands = [], []
    # argparse has no public list of arguments: test_docs.py fails where these names change.
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help for each in action._choices_actions}
            subcommands += [(name, helps[name], each) for name, each in action.choices.items()]
        elif action.help != argparse.SUPPRESS and "--help" not in action.option_strings:
            arguments.append(action)
    return arguments, subcommands


def targets() -> dict[str, str]:
    """{target: what it does}, of the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z]+):.*## (.*)", makefile, re.MULTILINE))


def reference() -> str:
    """docs/commands.md."""
    rows = [f"| `make {target}` | {text} |" for target, text in targets().items()]
    parts = [TITLE, "## make\n", "| target | what it does |\n|---|---|", *rows, VARIABLES]
    for command, module in commands().items():
        parts += [f"## {command}\n", *_about(parser_of(module))]
    return "\n".join(parts).rstrip() + "\n"


def _about(parser: argparse.ArgumentParser, purpose: str = "") -> Iterator[str]:
    """What a command is for, and a table of its arguments; the same of its subcommands."""
    description = re.split(r"\n\s*\n|:\s+python ", (parser.description or purpose).strip())[0]
    about = " ".join(description.split()).rstrip(".:")
    yield f"{about[0].upper()}{about[1:]}{'' if about.endswith('?') else '.'}\n"
    arguments, subcommands = arguments_of(parser)
    if arguments:
        yield "| argument | meaning |\n|---|---|"
        yield from (f"| `{_typed(each)}` | {_meaning(each, parser)} |" for each in arguments)
        yield ""
    for name, purpose, subcommand in subcommands:
        yield f"### {parser.prog} {name}\n"
        yield from _about(subcommand, purpose)


def _choices(action: argparse.Action) -> str:
    return ", ".join(map(str, action.choices or ()))


def _typed(action: argparse.Action) -> str:
    """As it is typed: `--to FILE`."""
    flags = ", ".join(action.option_strings)
    if action.nargs == 0:
        return flags
    value = action.metavar or (action.dest.upper() if flags else action.dest)
    if 0 < len(_choices(action)) < FEW:
        value = _choices(action).replace(", ", " or ")
    return f"{flags} {value}".strip()


def _meaning(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """Its help, with its choices and its default where that does not tell them."""
    parts = [(action.help or "") % (vars(action) | {"prog": parser.prog})]
    if len(_choices(action)) >= FEW:
        parts.append(f"one of: {_choices(action)}")
    if action.default not in (None, False, argparse.SUPPRESS) and "%(default)s" not in (
        action.help or ""
    ):
        default = action.default
        told = ",".join(map(str, default)) if isinstance(default, list) else str(default)
        if told and "default" not in parts[0]:
            parts.append(f"default: {told}")
    text = " ".join("; ".join(part for part in parts if part).split())
    return text.replace(f"{ROOT}/", "").replace("|", "\\|").replace("<", "&lt;")


def with_template(page: str) -> str:
    """docs/study.md with the study file that `study.prepare --template` prints."""
    block = f"<!-- template -->\n```toml\n{TEMPLATE.read_text()}```\n<!-- /template -->"
    return re.sub(r"<!-- template -->.*<!-- /template -->", lambda _: block, page, flags=re.DOTALL)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    (ROOT / "docs" / "commands.md").write_text(reference())
    study = ROOT / "docs" / "study.md"
    study.write_text(with_template(study.read_text()))


if __name__ == "__main__":
    main()
