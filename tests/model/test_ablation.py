"""The table of what each choice is worth: made row by row, and gone on with where it stopped."""

import csv
import hashlib
import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from model.evaluate import ablation
from model.evaluate.ablation import VARIANTS, Mirrored, main, plain_mean
from model.networks.colornet import ColorNet
from model.networks.zhang import ZhangNet
from model.training import loop as training


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch):
    """All rows with eight samples, below an empty working directory, on one core."""
    monkeypatch.chdir(tmp_path)
    variants = {
        name: replace(variant, recipe=replace(variant.recipe, samples=8, batch_size=4))
        for name, variant in VARIANTS.items()
    }
    monkeypatch.setattr(ablation, "VARIANTS", variants)
    monkeypatch.setattr(training, "PRIOR_SAMPLES", 50)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def flags(rendered_dir: Path, more_dir: Path, photos_dir: Path) -> list[str]:
    return ["--data", str(rendered_dir), "--more", str(more_dir), "--photos", str(photos_dir)]


def written() -> list[dict[str, str]]:
    return list(csv.DictReader(Path("results/ablation/ablation.csv").read_text().splitlines()))


def test_each_row_is_trained_measured_and_written(flags, capsys):
    chosen = ["base", "mirrored", "no distribution", "no more", "zhang mean"]
    assert main([*flags, "--rows", *chosen]) == 0
    rows = written()
    assert [row["row"] for row in rows] == chosen
    for row in rows:
        for collection in ("classic", "more", "photos"):
            assert float(row[f"{collection} ab_mse"]) > 0
            assert float(row[f"{collection} ciede2000_median"]) > 0
            assert float(row[f"{collection} colorfulness_ratio"]) >= 0
        assert row["photos learned from"] == "24"
        assert row["more learned from"] == ("0" if row["row"] == "no more" else "2")
    figures = [row["more ab_mse"] for row in rows]
    assert len(set(figures)) == 5  # each row measures something else

    table = Path("results/ablation/README.md").read_text()
    assert table in capsys.readouterr().out
    lines = table.splitlines()[-len(chosen) :]
    for row, line in zip(rows, lines, strict=True):
        assert line.startswith(f"| {row['what']} | ")
        assert f"{float(row['more ab_mse']) * 1000:.2f}" in line.split(" | ")[2]
    runs = {folder.name for folder in Path("results/ablation/runs").iterdir()}
    assert runs == {"base", "no distribution", "no more", "zhang"}  # one network used in two ways
    assert Path("results/ablation/data.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads(Path("results/ablation/runs/no distribution/config.json").read_text())
    assert config["network"] == "ColorNet" and "distribution" not in config


def test_an_interrupted_table_goes_on(flags, monkeypatch, capsys):
    class Bar(training.tqdm):
        def update(self, n=1):
            super().update(n)
            signal.raise_signal(signal.SIGINT)

    assert main([*flags, "--rows", "base"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(training, "tqdm", Bar)
        assert main([*flags, "--rows", "base", "huber"]) == 130
    assert "Go on with the same command" in capsys.readouterr().err
    assert [row["row"] for row in written()] == ["base"]
    first = written()[0]
    weights = Path("results/ablation/runs/base/weights.safetensors").read_bytes()
    assert main([*flags, "--rows", "base", "huber"]) == 0
    assert [row["row"] for row in written()] == ["base", "huber"]
    assert written()[0] == first  # a finished row is not trained again
    assert Path("results/ablation/runs/base/weights.safetensors").read_bytes() == weights


def test_a_row_may_begin_with_the_weights_of_another(flags, capsys):
    assert main([*flags, "--rows", "adversarial"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("model.ablation: ") and "base" in said and said.count("\n") == 1
    assert main([*flags, "--rows", "base", "adversarial"]) == 0
    assert [row["row"] for row in written()] == ["base", "adversarial"]
    config = json.loads(Path("results/ablation/runs/adversarial/config.json").read_text())
    base = Path("results/ablation/runs/base/weights.safetensors").read_bytes()
    assert config["start"] == hashlib.sha256(base).hexdigest()[:12] and config["adversarial"] > 0


def test_rows_differ_from_the_first_in_what_they_name():
    base = ablation.BASE
    assert VARIANTS["base"].recipe == base
    different = {
        "huber": "regression",
        "chroma": "regression",
        "no distribution": "distribution",
        "no dilation": "options",
        "no attention": "options",
        "no mean": "options",
        "no context": "options",
        "no average": "ema",
        "no backgrounds": "backgrounds",
    }
    for name, attribute in different.items():
        ours, theirs = vars(VARIANTS[name].recipe), vars(base)
        assert [key for key in ours if ours[key] != theirs[key]] == [attribute]
    ours, theirs = vars(VARIANTS["adversarial"].recipe), vars(VARIANTS["longer"].recipe)
    assert [key for key in ours if ours[key] != theirs[key]] == ["adversarial"]


def test_no_backgrounds_means_no_backgrounds(flags, monkeypatch):
    seen = []

    def note(run, samples, validation, *, resume):
        seen.append(samples.backgrounds)
        raise ValueError("enough")

    monkeypatch.setattr(ablation, "train", note)
    for row in ("base", "no backgrounds"):
        assert main([*flags, "--rows", row]) == 2
    assert seen == [ablation.BASE.backgrounds, 0]


def test_rows_with_less_data_leave_out_whole_varieties_and_single_photos(flags, monkeypatch):
    seen = {}

    def note(run, samples, validation, *, resume):
        seen[run.folder.name] = {
            name: count
            for name, groups in samples.sources.items()
            if (count := sum(map(len, groups)))
        }
        raise ValueError("enough")

    monkeypatch.setattr(ablation, "train", note)
    rows = ["base", *(name for name, variant in VARIANTS.items() if variant.one_in)]
    for row in rows:
        assert main([*flags, "--rows", row]) == 2
    classic = {"classic": seen["base"]["classic"]}
    assert seen == {
        "base": classic | {"more": 28, "photos": 24},  # two varieties
        "half the varieties": classic | {"more": 14, "photos": 24},
        "a quarter of the varieties": classic | {"more": 14, "photos": 24},
        "no more": classic | {"photos": 24},
        "half the photos": classic | {"more": 28, "photos": 12},
        "a quarter of the photos": classic | {"more": 28, "photos": 6},
        "no photos": classic | {"more": 28},
    }


@torch.inference_mode()
def test_a_mirrored_network_paints_a_mirrored_picture_mirrored():
    torch.manual_seed(0)
    network = Mirrored(ColorNet().eval())
    luminance = torch.rand(1, 1, 32, 48)
    torch.testing.assert_close(
        network(luminance.flip(-1)), network(luminance).flip(-1), atol=1e-5, rtol=1e-4
    )
    assert network.studio_scale == ColorNet.studio_scale


@torch.inference_mode()
def test_the_plain_mean_is_duller_than_the_annealed_one():
    torch.manual_seed(0)
    network = ZhangNet().eval()
    nn.init.normal_(network.layers[-1].bias, std=2)
    luminance = torch.rand(1, 1, 32, 32)
    annealed = network(luminance).norm(dim=1).mean()
    assert plain_mean(network)(luminance).norm(dim=1).mean() < annealed


@pytest.mark.parametrize("flag", ["--data", "--more", "--photos"])
def test_pictures_that_are_not_there_are_one_sentence(flags, capsys, flag):
    assert main([*flags, flag, "/nowhere/at/all"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("model.ablation: ") and said.count("\n") == 1
    assert "/nowhere/at/all" in said
    assert not Path("results").exists()


def test_an_unknown_row_is_answered_with_the_known_ones(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*flags, "--rows", "bse"])
    assert ended.value.code == 2
    assert "'bse'" in (said := capsys.readouterr().err) and "no distribution" in said
