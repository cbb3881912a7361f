"""Batches by the number of their step, of which every process draws its own part.

The rows of a batch depend on the seed and the step alone, so that a run that is resumed, or spread
over several processes, meets the same ones.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from model.training.samples import Samples

# Pictures in 8-bit Lab (N, 3, H, W) uint8; hints of that shape or None; the weight of their loss.
Batch = tuple[Tensor, Tensor | None, float]


class Batches(Dataset, ABC):
    """What `Shuffled` and `Drawn` share.

    Args:
        size: rows of a whole batch.
        rows_an_epoch: rows that come once an epoch; its last batch may be smaller.
        rank, processes: this process among those that share every batch.
    """

    def __init__(self, size: int, rows_an_epoch: int, rank: int = 0, processes: int = 1) -> None:
        self.size, self.rank, self.processes = size, rank, processes
        self.steps_an_epoch = math.ceil(rows_an_epoch / size)

    def __getitem__(self, step: int) -> Batch:
        """This process's part of a batch. The mean over the processes of their losses times
        `weight` is the loss of the whole batch, however unequal the parts are; a process whose part
        is empty gets a row that weighs nothing."""
        rows = self.rows(step)
        ends = [len(rows) * rank // self.processes for rank in (self.rank, self.rank + 1)]
        part = rows[slice(*ends)]
        weight = self.processes * len(part) / len(rows)
        return *self.read(part if len(part) else rows[:1]), weight

    def whole(self, step: int) -> tuple[Tensor, Tensor | None]:
        """All rows of a batch, and their hints."""
        return self.read(self.rows(step))

    @abstractmethod
    def rows(self, step: int) -> Sequence[int]:
        """The numbers of the rows of a batch."""

    @abstractmethod
    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Rows by their numbers, and their hints."""


class Shuffled(Batches):
    """Pictures that come once an epoch, in an order of its own.

    Args:
        lab: (N, 3, H, W) uint8 Lab.
        seed: what the orders depend on.
    """

    def __init__(self, lab: np.ndarray, size: int, seed: int, *processes: int) -> None:
        super().__init__(size, len(lab), *processes)
        self.lab, self.seed = lab, seed
        self._epoch, self._order = -1, np.empty(0)

    def rows(self, step: int) -> Sequence[int]:
        epoch, place = divmod(step, self.steps_an_epoch)
        if epoch != self._epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.lab))
            self._epoch, self._order = epoch, order
        return self._order[place * self.size : (place + 1) * self.size]

    def read(self, rows: Sequence[int]) -> tuple[Tensor, None]:
        return torch.from_numpy(self.lab[rows]), None


class Drawn(Batches):
    """Samples, drawn without end; the last batch of an epoch is a whole one. With a `photo_canvas`
    every other batch shows photos alone."""

    def __init__(self, samples: Samples, size: int, rows_an_epoch: int, *processes: int) -> None:
        super().__init__(size, rows_an_epoch, *processes)
        self.samples = samples

    def rows(self, step: int) -> Sequence[int]:
        return range(step * self.size, (step + 1) * self.size)

    def read(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        step, samples = rows[0] // self.size, self.samples
        if samples.photo_canvas and step % 2:
            samples = samples.photos
        lab, hints = map(np.ascontiguousarray, samples.batch(rows))
        return torch.from_numpy(lab), torch.from_numpy(hints)
