"""The figures in README, docs and cards are those of the JSON under results/."""

import hashlib
import json
from pathlib import Path

import pytest

from model.evaluate.goals import as_markdown
from model.evaluate.published import BLOCKS, ROOT, FiguresError, filled, main, pages
from model.weights import WEIGHTS_FOLDER

RESULTS = ROOT / "results"


@pytest.mark.parametrize("page", pages(ROOT), ids=lambda page: page.name)
def test_a_page_has_the_figures_that_were_measured(page):
    text = page.read_text()
    assert filled(text, RESULTS) == text, "python -m model.evaluate.published writes them"


@pytest.mark.parametrize("weights", ["colornet", "paper"])
def test_the_figures_are_of_the_weights_that_ship(weights):
    figures = json.loads((RESULTS / weights / "scorecard.json").read_text())
    sha256 = hashlib.sha256((WEIGHTS_FOLDER / f"{weights}.safetensors").read_bytes()).hexdigest()
    assert {measured["weights_sha256"] for measured in figures.values()} == {sha256}


@pytest.mark.parametrize("weights", ["colornet", "paper"])
def test_a_card_and_a_scorecard_show_the_same_figures(weights):
    figures = json.loads((RESULTS / weights / "scorecard.json").read_text())
    assert (RESULTS / weights / "scorecard.md").read_text() == as_markdown(weights, figures)
    card = (ROOT / "model" / "weights" / f"{weights}.md").read_text()
    assert f"<!-- figures:{weights} -->" in card
    assert f"{figures['unseen']['ab_mse']:.4f} (0.0022)" in card and "-0.00" not in card


def test_the_command_replaces_what_is_between_the_markers_and_nothing_else(tmp_path, capsys):
    (tmp_path / "results").symlink_to(RESULTS)
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "train.md"
    blocks = [f"{name}:\n<!-- figures:{name} -->\nstale\n<!-- /figures -->\n" for name in BLOCKS]
    page.write_text("\n".join(["# Before", *blocks, "after\n"]))
    assert main([], root=tmp_path) == 0
    assert "docs/train.md" in capsys.readouterr().out
    text = page.read_text()
    assert text.startswith("# Before\n") and text.endswith("<!-- /figures -->\n\nafter\n")
    assert "stale" not in text and text.count("\n|---|") == len(BLOCKS)
    figures = json.loads((RESULTS / "colornet" / "scorecard.json").read_text())
    assert text.count(f"{figures['photos']['ab_mse']:.4f}") == 3  # summary, comparison, card
    assert main([], root=tmp_path) == 0 and capsys.readouterr().out == ""


def test_figures_that_nobody_measured_are_one_sentence(tmp_path: Path, capsys):
    (tmp_path / "README.md").write_text("<!-- figures:paper -->\n<!-- /figures -->\n")
    assert main([], root=tmp_path) == 2
    said = capsys.readouterr().err
    assert "README.md" in said and "scorecard.json" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<!-- figures:speed -->\n<!-- /figures -->\n", "'speed'"),
        ("<!-- figures:paper -->\n", "ends with <!-- /figures -->"),
        ("<!-- figures:paper -->\n<!-- figures:paper -->\n<!-- /figures -->\n", "ends with"),
    ],
)
def test_a_block_that_cannot_be_filled_is_one_sentence(tmp_path: Path, capsys, page, told):
    with pytest.raises(FiguresError, match=told):
        filled(page, RESULTS)
    (tmp_path / "README.md").write_text(page)
    assert main([], root=tmp_path) == 2
    said = capsys.readouterr().err
    assert "README.md" in said and told in said and said.count("\n") == 1
    assert (tmp_path / "README.md").read_text() == page
