"""README and docs say what there is, and all of it: commands, flags, targets, fields, files."""

import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from model.data.collections import SPLITS as MORE_SPLITS
from model.data.fruits360 import SPLITS
from model.photos import FORMATS
from study.plan.arms import Arm
from study.plan.config import StudyConfig
from tests import reference
from tests.support.server import ROOT

PAGES = {
    str(file.relative_to(ROOT)): file.read_text()
    for pattern in ("*.md", "docs/*.md", "model/weights/*.md", "results/*/*.md")
    for file in sorted(ROOT.glob(pattern))
}
GUIDES = {name: text for name, text in PAGES.items() if name != "docs/commands.md"}
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
FOLDERS = ("demo/", "deploy/", "docs/", "model/", "results/", "study/", "tests/")
MADE_BY_A_COMMAND = re.compile(r"-seed\d|deploy/\.env")

each_page = pytest.mark.parametrize("page", PAGES)


@cache
def flags_of(command: str) -> set[str]:
    """Every flag that a command or one of its subcommands takes."""
    arguments, subcommands = reference.arguments_of(
        reference.parser_of(reference.commands()[command])
    )
    parsers = [reference.arguments_of(subcommand)[0] for _, _, subcommand in subcommands]
    return {flag for part in (arguments, *parsers) for each in part for flag in each.option_strings}


def lines_of_code(text: str) -> list[str]:
    """What stands in code blocks and between backticks, without comments."""
    code = "\n".join(found[0].strip("`") for found in CODE.finditer(text))
    return [line.partition(" #")[0] for line in code.splitlines()]


def test_the_reference_has_every_command_flag_and_target():
    written = (ROOT / "docs" / "commands.md").read_text()
    assert written == reference.reference(), "run: make docs"
    for command in reference.commands():
        assert f"\n## {command}\n" in written
        assert all(f"`{flag}" in written or f" {flag}" in written for flag in flags_of(command))


def test_every_command_is_in_a_guide():
    guides = "\n".join(GUIDES.values())
    missing = [
        command
        for command in reference.commands()
        if not re.search(rf"{re.escape(command.removeprefix('python -m '))}\b", guides)
    ]
    assert not missing
    assert not [target for target in reference.targets() if f"make {target}" not in guides]


@each_page
def test_commands_exist_with_the_flags_that_are_shown(page):
    known = reference.commands()
    for line in lines_of_code(PAGES[page]):
        for module, program, rest in re.findall(
            r"(?:python (-m (?:demo|model|study|tests)\b[\w.]*)|\b(train\.py))([^|;&]*)", line
        ):
            command = f"python {module}" if module else program
            assert command in known, line
            assert set(re.findall(r"--[a-z][\w-]*", rest)) <= flags_of(command), line


@each_page
def test_make_targets_exist_with_the_flags_that_are_shown(page):
    makefile = (ROOT / "Makefile").read_text()
    for line in lines_of_code(PAGES[page]):
        for target, given in re.findall(r'\bmake ([a-z]+)\b(?:[^"\n]*?ARGS="([^"]*)")?', line):
            assert target in reference.targets(), line
            recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", makefile, re.MULTILINE)[1]
            started = re.search(r"python -m \S+|train\.py", recipe.replace("$(PYTHON)", "python"))
            if started and started[0] in reference.commands():
                assert set(re.findall(r"--[a-z][\w-]*", given)) <= flags_of(started[0]), line


@each_page
def test_links_and_files_exist(page):
    text, folder = PAGES[page], (ROOT / page).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link):
            continue
        target = folder / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link
    for line in lines_of_code(text):
        for word in re.findall(r"[\w./*@-]+", line):
            if word.startswith(FOLDERS) and not MADE_BY_A_COMMAND.search(word):
                assert list(ROOT.glob(word)) or (ROOT / f"{word}.py").exists(), word


def anchors(text: str) -> set[str]:
    """Where links into a page may lead, as GitHub names headings."""
    titles = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_field_of_a_study_is_explained():
    page = PAGES["docs/study.md"]
    assert reference.with_template(page) == page, "run: make docs"
    lines = re.findall(r"^#? ?(\w+ = .*|\[\w+\].*)$", reference.TEMPLATE.read_text(), re.MULTILINE)
    shown = tomllib.loads("\n".join(lines))
    texts_file = {"texts_file"}  # read before the fields are judged
    assert set(shown) - texts_file == set(StudyConfig.model_fields)
    for part in ("scale", "checks", "completion", "recruitment"):
        assert set(shown[part]) == set(StudyConfig.model_fields[part].annotation.model_fields)
    for field in re.findall(r"`(\w+) = ", page):
        assert field in {**StudyConfig.model_fields, **Arm.model_fields} or field in texts_file
    for field in Arm.model_fields:
        assert re.search(rf"^{field} = |`{field}` |`{field} = ", page, re.MULTILINE), field
    for part, field in re.findall(r"`(checks|completion|recruitment|scale)\.(\w+)`", page):
        assert field in StudyConfig.model_fields[part].annotation.model_fields


def test_every_split_is_explained():
    rows = re.findall(r"^\| (`[^|]*) \|", PAGES["docs/data.md"], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)}
    assert named == set(SPLITS) | set(MORE_SPLITS)


def test_every_format_of_pictures_is_named():
    (sentence,) = re.findall(r"[^.]* are read,", PAGES["docs/colorize.md"])
    assert set(FORMATS) <= set(re.findall(r"\w+", sentence))


def test_the_licences_and_the_version_are_told():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"\nversion: {declared['version']}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {declared['version']}\n" in PAGES["CHANGELOG.md"]
    for weights in (ROOT / "model" / "weights").glob("*.safetensors"):
        assert "CC BY-SA 4.0" in weights.with_suffix(".md").read_text().rpartition("Licence")[2]


def test_the_readme_fits_a_screen():
    assert 60 <= len(PAGES["README.md"].splitlines()) <= 90


# The Makefile


def dry_run(tmp_path: Path, *settings: str) -> subprocess.CompletedProcess:
    """What `make setup` would do where there is no .venv; programs in `tmp_path` come first."""
    return subprocess.run(
        ["make", "-n", "setup", f"VENV={tmp_path / 'venv'}", *settings],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )


@pytest.mark.process
def test_make_takes_the_cpu_build_where_there_is_no_nvidia_driver(tmp_path):
    assert "+cpu" in dry_run(tmp_path, "NVIDIA=").stdout
    assert "+cpu" not in dry_run(tmp_path, "NVIDIA=", "TORCH=cuda").stdout
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert "+cpu" not in dry_run(tmp_path).stdout
    assert "+cpu" in dry_run(tmp_path, "TORCH=cpu").stdout


@pytest.mark.process
def test_an_old_python_is_told_what_is_needed(tmp_path):
    made = subprocess.run(
        ["make", "setup", f"VENV={tmp_path / 'venv'}", "PYTHON3=false"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert "Python 3.11 or newer is needed" in made.stderr
