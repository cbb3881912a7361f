"""Training runs for tests: what they are started with, stopped by, and compared in."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import train
from model.training import loop

FLAGS = ("--epochs", "2", "--batch-size", "4", "--seed", "0")


class PowerCut(BaseException):
    """The run ends here: nothing is saved any more."""


def train_paper(data: Path, *flags: str) -> int:
    """`python train.py paper` on these pictures, below the working directory; its exit status."""
    return train.main(["paper", "--data", str(data), *FLAGS, *flags])


def after_batch(patch: pytest.MonkeyPatch, number: int, happens: Callable[[], None]) -> None:
    """Let something happen when the progress bar moves on for the `number`th time."""

    class Bar(loop.tqdm):
        moved = 0

        def update(self, n=1):
            super().update(n)
            Bar.moved += 1
            if Bar.moved == number:
                happens()

    patch.setattr(loop, "tqdm", Bar)


def stopped_after(number: int, start: Callable[[], int], by: int = signal.SIGINT) -> int:
    """The exit status of a run that gets a signal after this batch."""
    with pytest.MonkeyPatch.context() as patch:
        after_batch(patch, number, lambda: signal.raise_signal(by))
        return start()


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
