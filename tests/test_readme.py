"""The README's commands exist, with the flags it shows."""

import re
import subprocess
import sys

import pytest

from tests.support.server import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"python (-m [\w.]+|train\.py)([^\n`#]*)", README)))


@pytest.mark.parametrize(("program", "arguments"), COMMANDS)
def test_a_command_of_the_readme_knows_its_flags(program, arguments):
    words = arguments.split()
    subcommand = words[:1] if words and re.fullmatch("describe|download", words[0]) else []
    helped = subprocess.run(
        [sys.executable, *program.split(), *subcommand, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert helped.returncode == 0, helped.stderr
    for flag in re.findall(r"--[\w-]+", arguments):
        assert flag in helped.stdout


@pytest.mark.parametrize("target", sorted(set(re.findall(r"[`\n]make (\w+)", README))))
def test_a_make_target_of_the_readme_exists(target):
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_make_help_lists_the_commands():
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in ("setup", "demo", "test", "lint", "train", "evaluate", "report"):
        assert f"make {target}" in helped


def test_an_old_python_is_told_what_is_needed(tmp_path):
    made = subprocess.run(
        ["make", "setup", f"VENV={tmp_path / 'venv'}", "PYTHON3=false"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert "Python 3.11 or newer is needed" in made.stderr
