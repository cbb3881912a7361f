"""The repetition of the paper's experiment, on a handful of rendered pictures."""

import json

import numpy as np
import pandas as pd
import pytest

from model.data.fruits360 import load_split
from model.evaluate import replication
from model.training.sources import to_lab


@pytest.fixture(scope="module")
def pictures(rendered_dir) -> dict[str, np.ndarray]:
    return {name: to_lab(load_split(rendered_dir, name).rgb)[:12] for name in ("train", "test")}


def test_each_baseline_knows_more_than_the_one_before(pictures):
    grey, constant, by_luminance = replication.baselines(*pictures.values()).values()
    assert grey > constant > by_luminance > 0


def test_a_baseline_is_perfect_where_it_can_be():
    lab = np.full((2, 3, 4, 4), 128, np.uint8)
    lab[:, 1:] = [[[200]], [[90]]]
    grey, constant, by_luminance = replication.baselines(lab, lab).values()
    assert grey == pytest.approx(((200 / 127.5 - 1) ** 2 + (90 / 127.5 - 1) ** 2) / 2)
    assert constant == pytest.approx(0, abs=1e-12)
    assert by_luminance == pytest.approx(0, abs=1e-12)


def test_the_table_counts_dead_outputs_and_names_every_seed():
    seeds = pd.DataFrame(
        {
            "seed": [0, 1, 2, 3],
            "validation_loss": [0.006, 0.016, 0.0367, 0.004],
            "test_loss": [0.005, 0.014, 0.0343, 0.007],
            "dead_channels": ["", "a", "a b", ""],
        }
    )
    summary = replication.summarize(seeds, {"all grey": 0.0343})
    groups = summary["groups"]
    assert [group["seeds"] for group in groups.values()] == [4, 2, 1, 1]
    assert groups["both outputs alive"]["mean"] == pytest.approx(0.006)
    assert groups["one output dead"]["sd"] is None
    assert summary["best_validating_seed"] == 3
    text = replication.as_markdown(seeds, summary, ["Pear Stone (0 training pictures, not 711)"])
    assert "| Leisher & Martin | 1 | 0.0151 | - |" in text
    assert "| 2 | 0.03670 | 0.03430 | a b |" in text
    assert "not as in the paper: Pear Stone (0 training pictures, not 711)." in text


def test_the_experiment_is_run_written_and_kept(
    pictures, rendered_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(replication, "FOLDER", tmp_path)
    monkeypatch.setattr(replication, "SEARCH_SEEDS", (100,))
    monkeypatch.setattr(replication, "BATCH_SIZES", (16,))
    monkeypatch.setattr(replication, "LEARNING_RATES", (1e-3,))
    assert replication.main(["--data", str(rendered_dir), "--seeds", "1"]) == 0
    printed = capsys.readouterr().out
    weights = {run: run.read_bytes() for run in tmp_path.glob("runs/*/weights.safetensors")}
    assert {run.parent.name for run in weights} == {"search-16-0.001-100", "seed-0"}
    table = pd.read_csv(tmp_path / "search.csv")
    assert table.validation_loss.item() > 0 and (tmp_path / "curve.png").exists()
    assert json.loads((tmp_path / "summary.json").read_text())["groups"]["all seeds"]["seeds"] == 1
    assert (tmp_path / "README.md").read_text() in printed

    assert replication.main(["--data", str(rendered_dir), "--seeds", "1"]) == 0
    assert {run: run.read_bytes() for run in weights} == weights
    with pytest.raises(ValueError, match="training_pictures was"):
        replication.search(pictures["train"][:8], pictures["test"])


def test_the_committed_figures_are_those_of_this_program():
    folder = replication.FOLDER
    seeds = pd.read_csv(folder / "seeds.csv", keep_default_na=False)
    summary = json.loads((folder / "summary.json").read_text())
    made = replication.summarize(seeds, summary["baselines"])
    made, committed = (pd.json_normalize(each).iloc[0].to_dict() for each in (made, summary))
    assert made == pytest.approx(committed)
    table = pd.read_csv(folder / "search.csv")
    best = table.groupby(["batch_size", "learning_rate"]).validation_loss.mean().idxmin()
    assert best == (summary["batch_size"], summary["learning_rate"])
    assert len(seeds) >= 10
