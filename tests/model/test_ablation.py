"""The table of what each choice is worth: made row by row, and gone on with where it stopped."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from model.evaluate import ablation
from model.evaluate.ablation import VARIANTS, as_markdown, main
from model.training import finishing
from model.training.sources import load_samples
from tests.support.server import ROOT
from tests.support.training import stopped_after


@pytest.fixture(autouse=True)
def tiny(cwd: Path, monkeypatch) -> None:
    """All rows with four samples, and few pictures to measure them on."""
    variants = {
        name: replace(variant, recipe=replace(variant.recipe, samples=4, batch_size=4))
        for name, variant in VARIANTS.items()
    }
    monkeypatch.setattr(ablation, "VARIANTS", variants)
    monkeypatch.setattr(finishing, "FAMILIAR_PICTURES", 4)
    monkeypatch.setattr(finishing, "BATCH_NORM_SAMPLES", 4)


@pytest.fixture
def folders(two_varieties: Path, more_dir: Path, photos_dir: Path) -> dict[str, Path]:
    return {"data": two_varieties, "more": more_dir, "photos": photos_dir}


@pytest.fixture
def flags(folders) -> list[str]:
    return [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]


def written() -> list[dict[str, str]]:
    return list(csv.DictReader(Path("results/ablation/ablation.csv").read_text().splitlines()))


def test_rows_are_trained_measured_and_kept(flags, capsys):
    """One that shares a run, one that begins with another's weights, one whose figures alone are
    left; stopped on the way and gone on with."""
    assert main([*flags, "--rows", "longer"]) == 2  # the row that it begins with is not there
    said = capsys.readouterr().err
    assert said.startswith("model.ablation: ") and "base" in said and said.count("\n") == 1

    assert main([*flags, "--rows", "base", "averaged"]) == 0
    file = Path("results/ablation/ablation.csv")
    table = pd.read_csv(file)
    assert list(table.row) == ["base", "averaged"]
    lost = table.iloc[[0]].assign(row="lost", what="a choice that lost")
    pd.concat([table, lost]).to_csv(file, index=False)

    assert stopped_after(1, lambda: main([*flags, "--rows", "longer"])) == 130
    assert "Go on with the same command" in capsys.readouterr().err
    assert [row["row"] for row in written()] == ["base", "averaged", "lost"]
    assert main([*flags, "--rows", "longer"]) == 0
    rows = written()
    assert [row["row"] for row in rows] == ["base", "averaged", "longer", "lost"]
    for row in rows:
        assert float(row["more ab_mse"]) > 0 and float(row["photos ciede2000_median"]) > 0
        assert (row["more learned from"], row["photos learned from"]) == ("2", "24")
    assert len({row["classic ab_mse"] for row in rows}) == 3  # the lost one has those of the first

    page = Path("results/ablation/README.md").read_text()
    assert page in capsys.readouterr().out
    kept, gone = page.split("Tried, not taken")
    assert [row["what"] in kept for row in rows] == [True, True, True, False]
    assert (
        "| a choice that lost | " in gone and f"{float(rows[0]['more ab_mse']) * 1e3:.2f}" in gone
    )
    runs = Path("results/ablation/runs")
    assert {folder.name for folder in runs.iterdir()} == {"base", "longer"}
    assert Path("results/ablation/data.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((runs / "longer" / "config.json").read_text())
    base = (runs / "base" / "weights.safetensors").read_bytes()
    assert config["start"] == hashlib.sha256(base).hexdigest()[:12]


def test_rows_differ_from_the_first_in_what_they_name():
    base = ablation.BASE
    assert VARIANTS["base"].recipe == base
    different = {
        "no distribution": ["distribution"],
        "no dilation": ["options"],
        "no attention": ["options"],
        "no mean": ["options"],
        "no average": ["ema"],
        "balanced": ["shares", "balanced"],
        "dropout": ["options", "weight_decay"],
        "no backgrounds": ["backgrounds"],
        "longer": ["learning_rate"],
    }
    for name, attributes in different.items():
        ours, theirs = vars(VARIANTS[name].recipe), vars(base)
        assert [key for key in ours if ours[key] != theirs[key]] == attributes


def test_rows_learn_from_what_they_name(folders, monkeypatch):
    """Whole varieties and single photos are left out, and backgrounds."""
    seen = {}

    def note(run, samples, validation, *, resume):
        sources = samples.sources.items()
        counts = {name: count for name, groups in sources if (count := sum(map(len, groups)))}
        seen[run.folder.name] = counts | {"backgrounds": samples.backgrounds}
        raise ValueError("enough")

    monkeypatch.setattr(ablation, "train", note)
    loaded = load_samples("train", 0, ablation.BASE, **folders)
    rows = [name for name, variant in VARIANTS.items() if variant.one_in]
    for row in ("base", "no backgrounds", *rows):
        with pytest.raises(ValueError, match="enough"):
            ablation.measure(row, loaded, {}, {})
    base = {"classic": 14, "more": 28, "photos": 24, "backgrounds": 0.15}  # two varieties of 14
    without = {part: {k: v for k, v in base.items() if k != part} for part in ("more", "photos")}
    assert seen == {
        "base": base,
        "no backgrounds": base | {"backgrounds": 0},
        "half the varieties": base | {"more": 14},
        "a quarter of the varieties": base | {"more": 14},
        "no more": without["more"],
        "half the photos": base | {"photos": 12},
        "a quarter of the photos": base | {"photos": 6},
        "no photos": without["photos"],
    }


def test_the_committed_page_has_the_committed_figures():
    folder = ROOT / "results" / "ablation"
    table = pd.read_csv(folder / "ablation.csv")
    assert (folder / "README.md").read_text() == as_markdown(table)
    titles = {row.row: row.what for row in table.itertuples() if row.row in VARIANTS}
    assert titles == {name: VARIANTS[name].title for name in titles} and "base" in titles


@pytest.mark.parametrize("flag", ["--data", "--more", "--photos"])
def test_pictures_that_are_not_there_are_one_sentence(flags, capsys, flag):
    assert main([*flags, flag, "/nowhere/at/all"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("model.ablation: ") and said.count("\n") == 1
    assert "/nowhere/at/all" in said
    assert not Path("results").exists()
