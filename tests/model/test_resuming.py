"""A run that was stopped, killed or cut off goes on to the same end, or says why it does not."""

import itertools
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.training import loop
from tests.support.training import (
    PowerCut,
    after_batch,
    assert_same_run,
    only_sentence,
    stopped_after,
    train_paper,
)


@pytest.fixture
def train(cwd: Path, two_varieties: Path) -> Callable[..., int]:
    return lambda *flags: train_paper(two_varieties, *flags)


@pytest.fixture(scope="module")
def cut_short(two_varieties: Path, tmp_path_factory) -> Path:
    """The folder of a run stopped after its second batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("stopped"))
        assert stopped_after(2, lambda: train_paper(two_varieties)) == 130
        return Path("results/paper-seed0").resolve()


@pytest.fixture
def stopped(cut_short: Path, cwd: Path) -> Path:
    """A copy of it, where `train("--resume")` finds it."""
    return shutil.copytree(cut_short, cwd / "results" / "paper-seed0")


def batches(folder: Path) -> tuple[int, int]:
    """How many batches an epoch and the whole of a run have."""
    pictures = json.loads((folder / "config.json").read_text())["training_pictures"]
    epoch = -(-pictures // 4)
    return epoch, 2 * epoch


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("middle", signal.SIGTERM),
        ("end of an epoch", signal.SIGINT),
        ("last batch", signal.SIGINT),
    ],
)
def test_a_run_stopped_by_a_signal_goes_on_to_the_same_end(
    train, whole, cwd, capsys, where, number
):
    epoch, total = batches(whole)
    batch = {"middle": epoch + 1, "end of an epoch": epoch, "last batch": total}[where]
    assert stopped_after(batch, train, by=number) == 130
    said = capsys.readouterr().err
    assert f"Saved after batch {batch} of {total}." in said and "--resume" in said
    assert not (cwd / "results" / "paper-seed0" / "weights.safetensors").exists()
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


def cut() -> None:
    raise PowerCut


def test_a_run_cut_off_again_and_again_goes_on_from_its_last_checkpoint(
    train, whole, cwd, monkeypatch
):
    clock = SimpleNamespace(monotonic=itertools.count().__next__)  # a second a batch
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1.5)
    for batch in (4, 3):  # in the first epoch, and after going on
        with monkeypatch.context() as patch, pytest.raises(PowerCut):
            after_batch(patch, batch, cut)
            train(*(["--resume"] if (cwd / "results").exists() else []))
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


def test_a_run_cut_off_during_validation_goes_on_to_the_same_end(train, whole, cwd, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(loop, "evaluation_loss", lambda *_: cut())
        train()
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


def test_a_finished_run_resumed_is_the_same_run(train, whole, cwd):
    shutil.copytree(whole, cwd / "results" / "paper-seed0")
    assert train("--resume") == 0
    assert_same_run(cwd / "results" / "paper-seed0", whole)


def test_a_run_is_not_begun_over_another(train, stopped, capsys):
    before = (stopped / "run.ckpt").read_bytes()
    assert train() == 2
    assert "--resume goes on with it" in only_sentence(capsys.readouterr().err)
    assert (stopped / "run.ckpt").read_bytes() == before


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--batch-size", "8", "batch_size was 4"),
        ("--split", "seen", "split was 'train'"),
        ("--start", "paper", "start was None"),
    ],
)
def test_going_on_with_another_configuration_is_refused(train, stopped, capsys, flag, value, told):
    assert train("--resume", flag, value) == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert told in sentence and "--resume" in sentence


def test_going_on_with_other_pictures_is_refused(train, stopped, rendered_dir, capsys):
    assert train("--resume", "--data", str(rendered_dir)) == 2
    assert "pictures" in only_sentence(capsys.readouterr().err)


def test_going_on_with_nothing_is_refused(train, capsys):
    assert train("--resume") == 2
    assert "no checkpoint" in only_sentence(capsys.readouterr().err)


@pytest.mark.parametrize("damage", ["empty", "half", "another", "parts missing"])
def test_a_damaged_checkpoint_is_refused(train, stopped, capsys, damage):
    checkpoint = stopped / "run.ckpt"
    content = checkpoint.read_bytes()
    if damage == "another":
        torch.save({"model": torch.ones(3)}, checkpoint)
    elif damage == "parts missing":
        config = torch.load(checkpoint, weights_only=True)["config"]
        torch.save({"config": config}, checkpoint)
    else:
        checkpoint.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    assert train("--resume") == 2
    sentence = only_sentence(capsys.readouterr().err)
    assert "run.ckpt" in sentence and "damaged" in sentence
