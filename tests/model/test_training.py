"""Training as a user runs it: what a run leaves behind, stopping it, going on, and its errors."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import train as script
from model.data.fruits360 import load_split
from model.networks.colornet import ColorNet
from model.networks.files import load_network, save_weights
from model.networks.paper import PaperNet
from model.networks.zhang import ZhangNet
from model.training import loop as training
from model.training.loop import dead_channels, evaluation_loss, predict, to_lab
from model.training.recipes import RECIPES
from model.training.sources import load_validation
from tests.support.server import ROOT

FLAGS = ("--epochs", "2", "--batch-size", "4", "--seed", "0")
LONG = ("--epochs", "8")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Batches this small are quickest on one core, above all where others use it too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch) -> Path:
    """Runs are written below the working directory: an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def data(rendered_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the rendered varieties: a run takes a second."""
    return linked(rendered_dir, tmp_path_factory.mktemp("data"), varieties=2)


def linked(rendered_dir: Path, root: Path, *, varieties: int) -> Path:
    (root / "Training").mkdir(parents=True)
    for folder in sorted((rendered_dir / "Training").iterdir())[:varieties]:
        (root / "Training" / folder.name).symlink_to(folder)
    return root


@pytest.fixture
def train(cwd: Path, data: Path) -> Callable[..., int]:
    """`python train.py paper` on these pictures, its exit status."""

    def run(*flags: str) -> int:
        return script.main(["paper", "--data", str(data), *FLAGS, *flags])

    return run


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        assert script.main(["paper", "--data", str(data), *FLAGS, "--run", "whole"]) == 0
        return Path("results/whole").resolve()


@pytest.fixture(scope="module")
def long(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with more epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("long"))
        assert script.main(["paper", "--data", str(data), *FLAGS, *LONG]) == 0
        return Path("results/paper-seed0").resolve()


@pytest.fixture(scope="module")
def lab(rendered_dir: Path) -> np.ndarray:
    return to_lab(load_split(rendered_dir, "val").rgb)


def assert_same_run(folder: Path, other: Path) -> None:
    """Weights bit for bit, and the validation losses on the way."""
    ours, theirs = (load_file(f / "weights.safetensors") for f in (folder, other))
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
    ours, theirs = (json.loads((f / "metrics.json").read_text()) for f in (folder, other))
    assert ours == theirs


def only_sentence(said: str) -> str:
    """What stderr holds: one sentence of train.py."""
    assert said.startswith("train.py: ") and said.count("\n") == 1
    return said


# What a run leaves behind


def test_a_run_writes_its_configuration_figures_curve_and_weights(whole):
    config = json.loads((whole / "config.json").read_text())
    assert (
        config.items()
        >= {
            "recipe": "paper",
            "network": "PaperNet",
            "epochs": 2,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "seed": 0,
            "split": "train",
        }.items()
    )
    metrics = json.loads((whole / "metrics.json").read_text())
    assert len(metrics["validation_by_epoch"]) == 2
    assert metrics["validation_by_epoch"][-1] == {"validation": metrics["validation_loss"]}
    assert metrics["validation_loss"] > 0
    assert metrics["validation_pictures"] == {"validation": 2}
    assert 2 < config["training_pictures"] < 28
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


def test_the_written_weights_have_the_written_loss(whole, data):
    metrics = json.loads((whole / "metrics.json").read_text())
    network = load_network(whole / "weights.safetensors")
    loss = evaluation_loss(network, to_lab(load_split(data, "val").rgb))
    assert loss == pytest.approx(metrics["validation_loss"], rel=1e-5)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(train, whole, cwd):
    assert train() == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


def test_another_seed_gives_other_weights(train, whole, cwd):
    assert train("--seed", "4") == 0
    ours, theirs = (
        load_file(folder / "weights.safetensors")["layers.0.weight"]
        for folder in (cwd / "results" / "paper-seed4", whole)
    )
    assert not torch.equal(ours, theirs)


def test_the_loss_goes_down(long):
    by_epoch = json.loads((long / "metrics.json").read_text())["validation_by_epoch"]
    assert len(by_epoch) == 8
    assert by_epoch[-1]["validation"] < 0.7 * by_epoch[0]["validation"]


def test_the_loss_is_printed(train, whole, capsys):
    assert train() == 0
    loss = json.loads((whole / "metrics.json").read_text())["validation_loss"]
    assert f"validation loss {loss:.5f}" in capsys.readouterr().out


# Stopping and going on


def after_batch(monkeypatch, number: int, happens: Callable[[], None]) -> None:
    """Let something happen when the progress bar moves on for the `number`th time."""

    class Bar(training.tqdm):
        moved = 0

        def update(self, n=1):
            super().update(n)
            Bar.moved += 1
            if Bar.moved == number:
                happens()

    monkeypatch.setattr(training, "tqdm", Bar)


def batches(folder: Path) -> tuple[int, int]:
    """How many batches an epoch and the whole of a run have."""
    pictures = json.loads((folder / "config.json").read_text())["training_pictures"]
    epoch = -(-pictures // 4)
    return epoch, 2 * epoch


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("first batch", signal.SIGINT),
        ("middle", signal.SIGINT),
        ("middle", signal.SIGTERM),
        ("end of an epoch", signal.SIGINT),
        ("last batch", signal.SIGINT),
    ],
)
def test_a_run_stopped_by_a_signal_goes_on_to_the_same_end(
    train, whole, cwd, monkeypatch, capsys, where, number
):
    epoch, total = batches(whole)
    batch = {"first batch": 1, "middle": epoch + 1, "end of an epoch": epoch, "last batch": total}
    with monkeypatch.context() as patch:
        after_batch(patch, batch[where], lambda: signal.raise_signal(number))
        assert train() == 130
    said = capsys.readouterr().err
    assert f"Saved after batch {batch[where]} of {total}." in said and "--resume" in said
    assert not (cwd / "results" / "paper-seed0" / "weights.safetensors").exists()
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


def test_a_run_may_be_stopped_again_and_again(train, whole, cwd, monkeypatch):
    with monkeypatch.context() as patch:
        after_batch(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        assert train() == 130
    for _ in range(2):
        with monkeypatch.context() as patch:
            after_batch(patch, 3, lambda: signal.raise_signal(signal.SIGINT))
            assert train("--resume") == 130
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


class PowerCut(BaseException):
    """The run ends here: nothing is saved any more."""


def cut() -> None:
    raise PowerCut


@pytest.mark.parametrize("saved_every", [1, 2, 3])
def test_a_run_cut_off_goes_on_from_its_last_checkpoint(
    train, whole, cwd, monkeypatch, saved_every
):
    clock = SimpleNamespace(monotonic=itertools.count().__next__)  # a second a batch
    monkeypatch.setattr(training, "time", clock)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", saved_every - 0.5)
    for batch in (4, 3):  # in the first epoch, and after going on
        with monkeypatch.context() as patch, pytest.raises(PowerCut):
            after_batch(patch, batch, cut)
            train(*(["--resume"] if (cwd / "results").exists() else []))
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_run_cut_off_during_validation_goes_on_to_the_same_end(
    train, whole, cwd, monkeypatch, epoch
):
    measured = iter(range(epoch))

    def lights_out(network, pictures):
        if next(measured) == epoch - 1:
            raise PowerCut
        return evaluation_loss(network, pictures)

    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(training, "evaluation_loss", lights_out)
        train()
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_or_killed_goes_on(train, data, long, cwd, number):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), "paper", "--data", str(data), *FLAGS, *LONG],
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    checkpoint = cwd / "results" / "paper-seed0" / "run.ckpt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=600)[1].decode()
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), said
    assert "Traceback" not in said
    assert train(*LONG, "--resume") == 0
    assert_same_run(checkpoint.parent, long)


def test_a_finished_run_resumed_is_the_same_run(train, whole, cwd):
    assert train() == 0
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


@pytest.fixture
def stopped(train, monkeypatch, capsys) -> Path:
    """The folder of a run stopped after its second batch."""
    with monkeypatch.context() as patch:
        after_batch(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        assert train() == 130
    capsys.readouterr()
    return Path("results/paper-seed0").resolve()


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--batch-size", "8", "batch_size was 4"),
        ("--epochs", "3", "epochs was 2"),
        ("--learning-rate", "0.01", "learning_rate was 0.001"),
        ("--split", "seen", "split was 'train'"),
        ("--seed", "4", "seed was 0"),
        ("--start", "paper", "start was None"),
    ],
)
def test_going_on_with_another_configuration_is_refused(train, stopped, capsys, flag, value, told):
    assert train("--run", stopped.name, "--resume", flag, value) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert told in sentence and "--resume" in sentence


def test_going_on_with_other_pictures_is_refused(train, stopped, rendered_dir, cwd, capsys):
    more = linked(rendered_dir, cwd / "more", varieties=3)
    assert train("--resume", "--data", str(more)) == 2
    assert "pictures" in only_sentence(capsys.readouterr().err)


def test_going_on_with_nothing_is_refused(train, capsys):
    assert train("--resume") == 2
    assert "no checkpoint" in only_sentence(capsys.readouterr().err)


@pytest.mark.parametrize("damage", ["empty", "half", "text", "another", "parts missing"])
def test_a_damaged_checkpoint_is_refused(train, stopped, capsys, damage):
    checkpoint = stopped / "run.ckpt"
    content = checkpoint.read_bytes()
    state = torch.load(checkpoint, weights_only=True)
    if damage == "another":
        torch.save({"model": torch.ones(3)}, checkpoint)
    elif damage == "parts missing":
        torch.save({"config": state["config"]}, checkpoint)
    else:
        half = content[: len(content) // 2]
        checkpoint.write_bytes({"empty": b"", "half": half, "text": b"hello"}[damage])
    assert train("--resume") == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert "run.ckpt" in sentence and "damaged" in sentence


# Errors


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--epochs", "0"),
        ("--epochs", "-1"),
        ("--batch-size", "0"),
        ("--learning-rate", "-1"),
        ("--learning-rate", "0"),
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


@pytest.mark.parametrize("flags", [["--epochs", "many"], ["--recipe", "x"], ["--start"]])
def test_a_flag_that_is_not_understood_ends_with_2(train, flags):
    with pytest.raises(SystemExit) as ended:
        train(*flags)
    assert ended.value.code == 2


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


# Where a run begins, and what it learns from


def moved(folder: Path, other: Path) -> float:
    """How far the weights of two runs are apart at most."""
    ours, theirs = (load_file(f / "weights.safetensors") for f in (folder, other))
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


def test_a_run_may_begin_with_the_weights_of_another(train, whole, cwd):
    start = ["--start", str(whole / "weights.safetensors")]
    assert train(*start, "--learning-rate", "1e-9") == 0
    assert moved(cwd / "results" / "paper-seed0", whole) < 1e-6
    config = json.loads((cwd / "results" / "paper-seed0" / "config.json").read_text())
    begun_with = (whole / "weights.safetensors").read_bytes()
    assert config["start"] == hashlib.sha256(begun_with).hexdigest()[:12]
    assert train(*start, "--seed", "1") == 0
    assert 1e-4 < moved(cwd / "results" / "paper-seed1", whole) < 0.1  # it learned on
    by_epoch = json.loads((whole / "metrics.json").read_text())["validation_by_epoch"]
    further = json.loads((cwd / "results" / "paper-seed1" / "metrics.json").read_text())
    assert further["validation_loss"] < by_epoch[-1]["validation"]


def test_weights_to_begin_with_that_are_not_there_are_named(train, cwd, capsys):
    assert train("--start", "papper") == 2
    assert "'papper'" in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results").exists()


def test_weights_of_another_network_are_no_start(train, cwd, capsys):
    save_weights(ColorNet(), cwd / "other.safetensors", {})
    assert train("--start", str(cwd / "other.safetensors")) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert "--start" in sentence and "other.safetensors" in sentence


def test_a_recipe_that_is_chosen_by_fruits360_alone_keeps_some_of_it_back(train, cwd, capsys):
    assert train("--split", "whole") == 2
    assert "no pictures to choose by" in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results").exists()


@pytest.mark.parametrize("able", [False, True])
def test_bfloat16_is_used_where_the_processor_has_it(monkeypatch, able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})
    with training._autocast(torch.device("cpu"), RECIPES["colornet"]):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if able else torch.float32)


def test_what_it_computed_with_is_written_down(colornet):
    config = json.loads((colornet / "config.json").read_text())
    assert config["bfloat16"] == training._computes_bfloat16(torch.device("cpu"))


# Recipes that draw samples

TINY = {  # of the shipped recipe: few samples, and a critic, which it does without
    "colornet": {"samples": 16, "batch_size": 4, "epochs": 2, "ema": 0.9, "adversarial": 0.01},
    "zhang": {"samples": 160, "batch_size": 8, "epochs": 1},
}


@pytest.fixture(scope="module")
def folders(data: Path, more_dir: Path, photos_dir: Path) -> dict[str, Path]:
    return {"data": data, "more": more_dir, "photos": photos_dir}


@pytest.fixture(scope="module")
def draw(folders: dict[str, Path]) -> Callable[..., int]:
    """`python train.py RECIPE` on all three collections, with the recipe made tiny."""
    flags = [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]

    def run(recipe: str, *more: str, **changes) -> int:
        tiny = replace(RECIPES[recipe], **TINY[recipe] | changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(RECIPES, recipe, tiny)
            patch.setattr(training, "PRIOR_SAMPLES", 50)
            return script.main([recipe, *flags, *more])

    return run


@pytest.fixture(scope="module")
def colornet(draw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the recipe `colornet` that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("colornet"))
        assert draw("colornet") == 0
        return Path("results/colornet-seed0").resolve()


def test_a_run_on_samples_leaves_the_same_files(colornet, whole):
    assert {file.name for file in colornet.iterdir()} == {file.name for file in whole.iterdir()}
    config = json.loads((colornet / "config.json").read_text())
    assert config["network"] == "ColorNet" and config["samples"] == 16
    assert config["training_pictures"] == {"classic": 14, "more": 28, "photos": 24}


def test_each_validation_set_has_its_loss_after_each_epoch(colornet):
    metrics = json.loads((colornet / "metrics.json").read_text())
    assert metrics["validation_pictures"] == {"classic": 1, "more": 7, "photos": 4}
    assert len(metrics["validation_by_epoch"]) == 2
    for losses in metrics["validation_by_epoch"]:
        assert list(losses) == ["classic", "more", "photos"]
        assert all(0 < loss < 1 for loss in losses.values())
        assert len(set(losses.values())) == 3
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


def test_a_run_on_samples_goes_on_to_the_same_end(colornet, draw, cwd, monkeypatch):
    """Running average, critic and learning rate included."""
    with monkeypatch.context() as patch:
        after_batch(patch, 6, lambda: signal.raise_signal(signal.SIGINT))
        assert draw("colornet") == 130
    assert draw("colornet", "--resume") == 0
    here = cwd / "results" / "colornet-seed0"
    assert_same_run(here, colornet)
    ours, theirs = (torch.load(f / "run.ckpt", weights_only=True) for f in (here, colornet))
    assert ours["progress"] == theirs["progress"]
    critic = [name for name in ours["objective"] if name.startswith("critic.")]
    assert critic
    for part in ("objective", "average"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(torch.equal(ours[part][name], theirs[part][name]) for name in ours[part])


def test_going_on_with_other_photos_is_refused(colornet, draw, cwd, photos_dir, capsys):
    (cwd / "results").mkdir()
    (cwd / "results" / "colornet-seed0").symlink_to(colornet)
    fewer = cwd / "fewer"
    (fewer / "orchard-apple").mkdir(parents=True)
    photo = next((photos_dir / "orchard-apple").iterdir())
    (fewer / "orchard-apple" / photo.name).symlink_to(photo)
    (fewer / "grocery").symlink_to(photos_dir / "grocery")
    assert draw("colornet", "--photos", str(fewer), "--resume") == 2
    assert "training_pictures was" in only_sentence(capsys.readouterr().err)


def test_a_run_on_samples_may_begin_with_weights(colornet, draw, cwd):
    flags = ["--start", str(colornet / "weights.safetensors"), "--learning-rate", "1e-9"]
    assert draw("colornet", *flags, samples=4, epochs=1, ema=0) == 0
    ours, theirs = (
        load_file(folder / "weights.safetensors")
        for folder in (cwd / "results" / "colornet-seed0", colornet)
    )
    for name in ours:
        # statistics follow the batches
        if not any(part in name for part in ("running", "num_batches", "familiarity")):
            torch.testing.assert_close(ours[name], theirs[name], atol=1e-7, rtol=0)


def test_the_learning_rate_warms_up_and_comes_down(train, cwd, monkeypatch):
    rates = []

    class AdamW(torch.optim.AdamW):
        def step(self):
            rates.append(self.param_groups[0]["lr"])
            return super().step()

    monkeypatch.setattr(torch.optim, "AdamW", AdamW)
    monkeypatch.setattr(training, "WARM_UP", 0.2)
    monkeypatch.setitem(RECIPES, "paper", replace(RECIPES["paper"], cosine=True))
    assert train("--epochs", "10", "--learning-rate", "0.002") == 0
    highest = int(np.argmax(rates))
    assert len(rates) == 40 and 4 <= highest <= 12
    assert rates[:highest] == sorted(rates[:highest])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert max(rates) == pytest.approx(0.002, rel=0.2)
    assert rates[0] < 0.01 * max(rates) and rates[-1] < 0.01 * max(rates)


def test_weight_decay_makes_weights_smaller(train, whole, cwd, monkeypatch):
    monkeypatch.setitem(RECIPES, "paper", replace(RECIPES["paper"], weight_decay=10))
    assert train() == 0
    ours, theirs = (
        load_file(folder / "weights.safetensors")["layers.0.weight"].norm()
        for folder in (cwd / "results" / "paper-seed0", whole)
    )
    assert ours < 0.95 * theirs


def test_the_papers_learning_rate_stays_as_it_is(whole):
    optimizer = torch.load(whole / "run.ckpt", weights_only=True)["optimizer"]
    assert [group["lr"] for group in optimizer["param_groups"]] == [1e-3]


def test_zhangs_network_learns(draw, cwd, folders):
    assert draw("zhang") == 0
    folder = cwd / "results" / "zhang-seed0"
    losses = torch.load(folder / "run.ckpt", weights_only=True)["progress"]["losses"]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    network = load_network(folder / "weights.safetensors")
    assert isinstance(network, ZhangNet)
    assert json.loads((folder / "metrics.json").read_text())["dead_channels"] == []


@pytest.mark.parametrize("missing", ["more", "photos"])
def test_a_collection_that_is_not_there_is_one_sentence(draw, cwd, capsys, missing):
    assert draw("colornet", f"--{missing}", str(cwd / "gone")) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert str(cwd / "gone") in sentence and f"--{missing}" in sentence
    assert not (cwd / "results").exists()


# Several processes

PROCESSES = 2
SPREAD = f"""
import json, os, sys, time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, {str(ROOT)!r})
import train
from model import training
from model.training.recipes import RECIPES

for name, changes in json.loads(os.environ["CHANGES"]).items():
    RECIPES[name] = replace(RECIPES[name], **changes)


class Bar(training.tqdm):
    def update(self, n=1):
        time.sleep(float(os.environ["PAUSE"]))
        return super().update(n)


training.tqdm = Bar
os.chdir(os.environ["RANK"])  # so that each process has its own results/
sys.exit(train.main())
"""


def spread(folder: Path, recipe: str, *flags: str, pause: float = 0) -> subprocess.Popen:
    """`torchrun --nproc-per-node 2 train.py RECIPE`, by TINY, each process in `folder`/<rank>."""
    for rank in range(PROCESSES):
        (folder / str(rank)).mkdir(exist_ok=True)
    (folder / "spread.py").write_text(SPREAD)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.Popen(
        [*launcher, "--nproc-per-node", str(PROCESSES), "spread.py", recipe, *flags],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "PAUSE": str(pause),
            "CHANGES": json.dumps(TINY),
        },
    )


@pytest.mark.process
def test_two_processes_stopped_and_resumed_learn_what_one_learns(train, data, cwd):
    """Each takes half of every batch, so that only rounding differs. Only the first one writes."""
    assert train("--epochs", "4", "--run", "alone") == 0
    alone = cwd / "results" / "alone"
    expected = torch.load(alone / "run.ckpt", weights_only=True)["progress"]

    flags = ("--data", str(data), *FLAGS, "--epochs", "4", "--device", "cpu")
    first, second = (cwd / str(rank) / "results" for rank in range(PROCESSES))
    folder = first / "paper-seed0"
    process = spread(cwd, "paper", *flags, pause=0.1)
    while not (folder / "run.ckpt").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=600)
    assert process.returncode != 0 and "Saved after batch" in said, said
    assert {file.name for file in folder.iterdir()} == {"config.json", "run.ckpt"}
    assert not second.exists() and "validation loss" not in printed
    step = torch.load(folder / "run.ckpt", weights_only=True)["progress"]["step"]
    assert 0 < step < expected["step"]

    second.symlink_to(first)  # both go on from the same checkpoint
    printed, said = (process := spread(cwd, "paper", *flags, "--resume")).communicate(timeout=600)
    assert process.returncode == 0, said
    assert printed.count("validation loss") == 1
    assert {file.name for file in folder.iterdir()} == {file.name for file in alone.iterdir()}
    found = torch.load(folder / "run.ckpt", weights_only=True)["progress"]
    # rounding grows from step to step: to about 0.1 % here
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=0.01)
    for ours, theirs in zip(found["validation"], expected["validation"], strict=True):
        assert ours == pytest.approx(theirs, rel=0.01)


@pytest.mark.process
def test_two_processes_learn_from_samples_about_what_one_learns(colornet, folders, cwd):
    """Each normalizes its own half of a batch (BatchNorm), so that they differ a little."""
    flags = [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]
    process = spread(cwd, "colornet", *flags, "--device", "cpu")
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    found, expected = (
        torch.load(folder / "run.ckpt", weights_only=True)["progress"]
        for folder in (cwd / "0" / "results" / "colornet-seed0", colornet)
    )
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=0.2)


@pytest.mark.process
def test_a_batch_that_processes_cannot_share_evenly_is_refused(data, cwd):
    flags = ("--data", str(data), *FLAGS, "--batch-size", "3", "--device", "cpu")
    process = spread(cwd, "paper", *flags)
    _, said = process.communicate(timeout=600)
    assert process.returncode != 0
    assert "--batch-size 3 cannot be shared evenly by 2 processes." in said


# Runs that come to nothing


def test_a_run_whose_loss_is_no_number_any_more_says_so(train, cwd, capsys):
    assert train("--learning-rate", "1e30") == 2
    assert "--learning-rate" in only_sentence(capsys.readouterr().err)
    assert not (cwd / "results" / "paper-seed0" / "weights.safetensors").exists()


def test_a_collapsed_run_is_told_in_plain_words(train, capsys):
    assert train("--learning-rate", "0.01") == 0  # too high for this network
    printed = capsys.readouterr().out
    assert "collapsed" in printed and "grey" in printed and "--seed" in printed
    metrics = json.loads(Path("results/paper-seed0/metrics.json").read_text())
    assert metrics["collapsed"] is True and metrics["dead_channels"] == ["a", "b"]


@pytest.mark.parametrize("dead", [[], ["a"], ["b"], ["a", "b"]])
def test_dead_outputs_are_found(lab, dead):
    torch.manual_seed(0)
    network = PaperNet()
    with torch.no_grad():
        for number, channel in enumerate("ab"):
            network.layers[-2].bias[number] = -1e9 if channel in dead else 1
    assert dead_channels(network, lab) == dead


def test_a_half_dead_run_is_told_in_plain_words(train, capsys, monkeypatch):
    monkeypatch.setattr(training, "dead_channels", lambda *_: ["b"])
    assert train("--epochs", "1") == 0
    printed = capsys.readouterr().out
    assert "b is neutral in every picture" in printed and "collapsed" not in printed


# Measuring


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("batches_taken", [1, None])
def test_measuring_leaves_the_network_in_its_mode(lab, mode, batches_taken):
    network = PaperNet().train(mode)
    measured = predict(network, np.repeat(lab, 10, axis=0))
    if batches_taken:
        next(measured)
        measured.close()
    else:
        list(measured)
    assert network.training is mode


def test_the_loss_of_all_pictures_is_the_mean_of_their_losses(lab, monkeypatch):
    torch.manual_seed(1)
    network = PaperNet()
    each = [evaluation_loss(network, picture[None]) for picture in lab]
    monkeypatch.setattr(training, "EVALUATION_BATCH", 4)  # 9 pictures: 4, 4 and 1
    assert evaluation_loss(network, lab) == pytest.approx(np.mean(each), rel=1e-5)


def test_the_loss_of_a_grey_prediction_is_the_mean_square_of_the_true_colours(lab):
    network = PaperNet()
    torch.nn.init.zeros_(network.layers[-2].weight)
    true = lab[:, 1:] / 127.5 - 1
    assert evaluation_loss(network, lab) == pytest.approx(np.mean(true**2), rel=1e-5)
