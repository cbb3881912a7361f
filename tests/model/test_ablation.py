"""The table of what each choice is worth: made row by row, and gone on with where it stopped."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from model.color import AB_BINS
from model.evaluate import ablation
from model.evaluate.ablation import BASE, VARIANTS, AnnealedMean, as_markdown, grey_loss, main
from model.networks.colornet import ColorNet
from model.training import finishing
from model.training.sources import load_samples
from tests.support.server import ROOT
from tests.support.training import stopped_after


@pytest.fixture(autouse=True)
def tiny(cwd: Path, monkeypatch) -> None:
    """All rows with four small samples, from random weights, and few pictures to measure them
    on."""
    changes = {"samples": 4, "batch_size": 4, "canvas": 32, "pretrained": False}
    variants = {
        name: replace(variant, recipe=replace(variant.recipe, **changes))
        for name, variant in VARIANTS.items()
    }
    monkeypatch.setattr(ablation, "VARIANTS", variants)
    monkeypatch.setattr(ablation, "thinned", lambda lab: lab[:2])
    monkeypatch.setattr(finishing, "BATCH_NORM_SAMPLES", 4)


@pytest.fixture
def folders(
    two_varieties: Path, more_dir: Path, photos_dir: Path, general_dir: Path
) -> dict[str, Path]:
    return {
        "data": two_varieties,
        "more": more_dir,
        "photos": photos_dir,
        "general": general_dir,
    }


@pytest.fixture
def flags(folders) -> list[str]:
    return [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]


def written() -> list[dict[str, str]]:
    return list(csv.DictReader(Path("results/ablation/ablation.csv").read_text().splitlines()))


def test_rows_are_trained_measured_and_kept(flags, capsys):
    """One that reads another's weights too; stopped on the way and gone on with."""
    assert main([*flags, "--rows", "annealed mean", "base"]) == 0
    assert stopped_after(1, lambda: main([*flags, "--rows", "no people"])) == 130
    assert "Go on with the same command" in capsys.readouterr().err
    assert [row["row"] for row in written()] == ["base", "annealed mean"]
    before = written()
    assert main([*flags, "--rows", "no people"]) == 0
    rows = written()
    assert [row["row"] for row in rows] == ["base", "annealed mean", "no people"]
    assert rows[:2] == before
    for part in ("classic", "more", "photos", "general"):
        figures = {float(row[part]) for row in rows}
        assert len(figures) == 3 and min(figures) > 0

    page = Path("results/ablation/README.md").read_text()
    assert page in capsys.readouterr().out
    assert all(f"| {row['what']} | {float(row['classic']) * 1000:.2f} |" in page for row in rows)
    runs = Path("results/ablation/runs")
    assert {folder.name for folder in runs.iterdir()} == {"base", "no people"}


def test_rows_differ_from_the_first_in_what_they_name():
    different = {
        "regression": {"distribution"},
        "frozen": {"encoder_rate"},
        "random": {"encoder_rate"},  # and in `pretrained`, which no test row has
        "larger crops": set(),
    }
    assert ablation.VARIANTS["base"].recipe.encoder_rate == BASE.encoder_rate
    for name, variant in ablation.VARIANTS.items():
        ours, theirs = vars(variant.recipe), vars(ablation.VARIANTS["base"].recipe)
        assert {key for key in ours if ours[key] != theirs[key]} == different.get(name, set())
    assert VARIANTS["frozen"].recipe.encoder_rate == 0
    assert [name for name, variant in VARIANTS.items() if not variant.recipe.pretrained] == [
        "random"
    ]


def test_larger_crops_have_as_many_pixels_in_about_as_many_steps():
    larger = VARIANTS["larger crops"].recipe
    pixels = larger.samples * larger.canvas**2
    assert pixels == pytest.approx(BASE.samples * BASE.canvas**2, rel=0.01)
    steps = larger.samples / larger.batch_size
    assert steps == pytest.approx(BASE.samples / BASE.batch_size, rel=0.05)


def test_rows_learn_from_what_they_name(folders, monkeypatch):
    seen = {}

    def note(run, samples, pictures, *, resume):
        sources = samples.sources.items()
        seen[run.folder.name] = {n: sum(map(len, groups)) for n, groups in sources if groups}
        raise ValueError("enough")

    monkeypatch.setattr(ablation, "train", note)
    loaded = load_samples("train", 0, BASE, **folders)
    for row in VARIANTS:
        with pytest.raises(ValueError, match="enough"):
            ablation.measure(row, loaded, ["Apple 5", "Tomato 2"], {})
    base = {"classic": 14, "more": 28, "photos": 24}  # two further varieties of 14
    base |= {"plates": 4, "people": 4, "scenes": 4, "things": 4}
    assert seen.pop("no tomatoes") == base | {"more": 14}
    for part in ("more", "plates", "people", "scenes", "things"):
        assert seen.pop(f"no {part}") == {n: count for n, count in base.items() if n != part}
    assert set(seen) == {"base", "regression", "frozen", "random", "larger crops"}
    assert all(counts == base for counts in seen.values())


@torch.inference_mode()
def test_the_annealed_mean_is_the_colour_thought_likely():
    network = ColorNet().eval()
    torch.nn.init.zeros_(network.to_bins.weight)
    network.to_bins.bias.copy_(20.0 * (torch.from_numpy(AB_BINS) == torch.tensor((60, 40))).all(1))
    ab = AnnealedMean(network)(torch.rand(1, 1, 36, 20))
    assert ab.shape == (1, 2, 36, 20)
    expected = torch.tensor((60, 40))[None, :, None, None] / 127.5
    torch.testing.assert_close(ab, expected.expand_as(ab), atol=0.01, rtol=0)


def test_grey_errs_by_the_colours_that_it_lacks():
    lab = np.full((2, 3, 4, 5), 255, np.uint8)  # a and b of 1 in the paper's units
    assert grey_loss(lab) == pytest.approx(1)


def test_the_committed_page_has_the_committed_figures():
    folder = ROOT / "results" / "ablation"
    table = pd.read_csv(folder / "ablation.csv")
    assert (folder / "README.md").read_text() == as_markdown(table)
    assert all(VARIANTS[row.row].title == row.what for row in table.itertuples())


@pytest.mark.parametrize("flag", ["--data", "--more", "--photos", "--general"])
def test_pictures_that_are_not_there_are_one_sentence(flags, capsys, flag):
    assert main([*flags, flag, "/nowhere/at/all"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("model.ablation: ") and said.count("\n") == 1
    assert "/nowhere/at/all" in said
    assert not Path("results").exists()
