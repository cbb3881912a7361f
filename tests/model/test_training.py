"""Training as a user runs it: what a run leaves behind, where it begins, and its errors."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import train as script
from model.data.fruits360 import load_split
from model.networks.colornet import ColorNet
from model.networks.files import load_network, save_weights
from model.training.results import Result
from model.training.sources import to_lab
from model.training.validation import evaluation_loss
from tests.support.training import assert_same_run, only_sentence, train_paper


@pytest.fixture
def train(cwd: Path, two_varieties: Path) -> Callable[..., int]:
    return lambda *flags: train_paper(two_varieties, *flags)


# What a run leaves behind


def test_a_run_writes_its_configuration_figures_curve_and_weights(whole):
    config = json.loads((whole / "config.json").read_text())
    assert config == {
        "recipe": "paper",
        "network": "PaperNet",
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "seed": 0,
        "split": "train",
        "training_pictures": config["training_pictures"],
    }
    assert 2 < config["training_pictures"] < 28
    metrics = json.loads((whole / "metrics.json").read_text())
    first, last = metrics["validation_by_epoch"]
    assert 0 < last["validation"] < first["validation"]
    assert last == {"validation": metrics["validation_loss"]}
    assert metrics["validation_pictures"] == {"validation": 2}
    assert metrics["dead_channels"] == [] and metrics["collapsed"] is False
    with Image.open(whole / "curve.png") as curve:
        assert min(curve.size) > 300
    assert {file.name for file in whole.iterdir()} == {
        "config.json",
        "metrics.json",
        "curve.png",
        "weights.safetensors",
        "run.ckpt",
    }


def test_the_written_weights_have_the_written_loss(whole, two_varieties):
    metrics = json.loads((whole / "metrics.json").read_text())
    network = load_network(whole / "weights.safetensors")
    loss = evaluation_loss(network, to_lab(load_split(two_varieties, "val").rgb))
    assert loss == pytest.approx(metrics["validation_loss"], rel=1e-5)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(train, whole, cwd, capsys):
    assert train() == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)
    loss = json.loads((whole / "metrics.json").read_text())["validation_loss"]
    assert f"validation loss {loss:.5f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dead", "told"),
    [
        ([], None),
        (["b"], "Half of this run's output died: b is neutral in every picture."),
        (["a", "b"], "This run collapsed: the last ReLU died, so every picture comes out grey."),
    ],
)
def test_dead_outputs_are_told_in_plain_words(dead, told):
    run = script.run_of(script.parser().parse_args(["paper"]))
    first, *rest = script.summary(run, Result(0.0123456, dead)).splitlines()
    assert first == "validation loss 0.01235, written to results/paper-seed0"
    if told is None:
        assert not rest
    else:
        assert rest[0].startswith(told) and "--seed" in rest[0]


# Errors


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--epochs", "0"),
        ("--batch-size", "0"),
        ("--learning-rate", "-1"),
        ("--learning-rate", "nan"),
        ("--learning-rate", "inf"),
        ("--split", "test"),
        ("--device", "tpu"),
        ("--seed", "-1"),
        ("--seed", "1" + 30 * "0"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_its_flag(train, cwd, capsys, flag, value):
    assert train(flag, value) == 2
    assert flag in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_cuda_without_cuda_is_refused(train, capsys):
    assert train("--device", "cuda") == 2
    assert "--device" in only_sentence(capsys.readouterr().err)


def test_an_unknown_recipe_is_answered_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["papper"])
    assert ended.value.code == 2
    assert "'papper'" in (said := capsys.readouterr().err) and "paper" in said


def test_pictures_that_are_not_there_are_one_sentence(train, cwd, capsys):
    assert train("--data", str(cwd)) == 2
    assert str(cwd) in only_sentence(capsys.readouterr().err)


def test_a_file_in_the_way_of_the_results_is_one_sentence(train, cwd, capsys):
    (cwd / "results").write_text("a file")
    assert train() == 2
    assert "results" in only_sentence(capsys.readouterr().err)


def test_a_run_whose_loss_is_no_number_any_more_says_so(train, cwd, capsys):
    assert train("--learning-rate", "1e30") == 2
    assert "--learning-rate" in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results" / "paper-seed0" / "weights.safetensors").exists()


def test_a_recipe_that_is_chosen_by_fruits360_alone_keeps_some_of_it_back(train, cwd, capsys):
    assert train("--split", "whole") == 2
    assert "no pictures to choose by" in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results").exists()


# Where a run begins


def moved(folder: Path, other: Path) -> float:
    """How far the weights of two runs are apart at most."""
    ours, theirs = (load_file(f / "weights.safetensors") for f in (folder, other))
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


def test_a_run_may_begin_with_the_weights_of_another(train, whole, cwd):
    start = ["--start", str(whole / "weights.safetensors")]
    assert train(*start, "--learning-rate", "1e-9", "--epochs", "1") == 0
    assert moved(cwd / "results" / "paper-seed0", whole) < 1e-6
    config = json.loads((cwd / "results" / "paper-seed0" / "config.json").read_text())
    begun_with = (whole / "weights.safetensors").read_bytes()
    assert config["start"] == hashlib.sha256(begun_with).hexdigest()[:12]
    assert train(*start, "--seed", "1") == 0
    assert 1e-4 < moved(cwd / "results" / "paper-seed1", whole) < 0.1  # it learned on
    before, after = (
        json.loads((folder / "metrics.json").read_text())["validation_loss"]
        for folder in (whole, cwd / "results" / "paper-seed1")
    )
    assert after < before


def test_another_seed_gives_other_weights(train, whole, cwd):
    assert train("--seed", "4", "--epochs", "1") == 0
    assert moved(cwd / "results" / "paper-seed4", whole) > 0.1


def test_weights_to_begin_with_that_are_not_there_are_named(train, cwd, capsys):
    assert train("--start", "papper") == 2
    assert "'papper'" in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results").exists()


def test_weights_of_another_network_are_no_start(train, cwd, capsys):
    save_weights(ColorNet(), cwd / "other.safetensors", {})
    assert train("--start", str(cwd / "other.safetensors")) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert "--start" in sentence and "other.safetensors" in sentence
