"""Batches: a run meets the same rows again when it is resumed, and on any number of processes."""

import numpy as np
import pytest
import torch

from model.color import NEUTRAL
from model.networks.paper import PaperNet
from model.training.batches import Batches, Drawn, Shuffled
from model.training.objective import Objective, inputs
from model.training.recipes import RECIPES
from model.training.samples import Samples

PICTURES = np.random.default_rng(0).integers(0, 256, (7, 3, 8, 8), dtype=np.uint8)


def shuffled(size: int, rank: int = 0, processes: int = 1) -> Batches:
    return Shuffled(PICTURES, size, 5, rank, processes)


def drawn(size: int, rank: int = 0, processes: int = 1) -> Batches:
    fruit = [[np.full((100, 100, 3), (150, NEUTRAL + 20, NEUTRAL), np.uint8)]]
    return Drawn(Samples({"classic": fruit}, 5, 0.5), size, 7, rank, processes)


def steps(batches: Batches, epochs: int = 2) -> range:
    return range(epochs * batches.steps_an_epoch)


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("make", [shuffled, drawn])
def test_processes_meet_together_what_one_meets(make, processes):
    """Every row, those of the smaller last batch too, and each once."""
    alone = make(4)
    for step in steps(alone):
        parts = [make(4, rank, processes)[step] for rank in range(processes)]
        for together, whole in zip(zip(*parts, strict=True), alone[step][:2], strict=False):
            if whole is not None:
                assert torch.equal(torch.cat(together), whole)


def test_pictures_come_once_an_epoch_in_another_order():
    batches = shuffled(4)
    orders = [np.concatenate([batches.rows(2 * epoch + n) for n in range(2)]) for epoch in (0, 1)]
    assert [sorted(order) for order in orders] == [list(range(7))] * 2
    assert list(orders[0]) != list(orders[1])
    assert list(shuffled(4).rows(3)) == list(batches.rows(3))  # without the steps before


@pytest.mark.parametrize("processes", [2, 4])
def test_a_process_draws_its_own_samples_alone(processes, monkeypatch):
    drew = []

    def batch(self, numbers):
        drew.extend(numbers)
        return np.zeros((2, len(numbers), 3, 8, 8), np.uint8)

    monkeypatch.setattr(Samples, "batch", batch)
    for rank in range(processes):
        drawn(8, rank, processes)[1]
        assert len(drew) == 8 // processes * (rank + 1)
    assert sorted(drew) == list(range(8, 16))


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_the_mean_over_processes_is_the_loss_of_the_whole_batch(processes):
    """Also of unequal parts, and where a process has none: 4 pictures, and 3 in the last batch."""
    torch.manual_seed(0)
    objective = Objective(PaperNet(), RECIPES["paper"])

    def loss(batches: Batches, step: int) -> float:
        lab, hints, weight = batches[step]
        return objective(*inputs(lab, torch.device("cpu")), hints).item() * weight

    for step in steps(shuffled(4), epochs=1):
        parts = [loss(shuffled(4, rank, processes), step) for rank in range(processes)]
        assert np.mean(parts) == pytest.approx(loss(shuffled(4), step), rel=1e-5)


def test_every_other_batch_shows_photos_alone_and_larger():
    fruit, photo = (
        np.full((100, 100, 3), (150, NEUTRAL + chroma, NEUTRAL), np.uint8) for chroma in (20, 80)
    )
    sources = {"classic": [[fruit]], "photos": [[photo]]}
    batches = Drawn(Samples(sources, 5, 0, canvas=32, photo_canvas=64), 40, 80)
    for step, side in enumerate((32, 64, 32, 64)):
        lab, hints, _ = batches[step]
        assert lab.shape == hints.shape == (40, 3, side, side)
        assert {20, 80} - {int(c) - NEUTRAL for c in lab[:, 1].amax((1, 2))} == (
            {20} if side == 64 else set()
        )
