"""The training loop: it can be interrupted, is resumed exactly, and runs on several processes.

Started by `torchrun`, every process takes its part of each batch (DistributedDataParallel); the
first one alone validates and writes.
"""

import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm

from model.networks import NETWORKS
from model.networks.contract import DoubtsItself
from model.networks.files import load_network
from model.training.batches import Batch, Batches, Drawn, Shuffled
from model.training.checkpoints import State
from model.training.finishing import fit_doubt, update_batch_norm
from model.training.objective import (
    Objective,
    computes_bfloat16,
    hint_inputs,
    inputs,
    learning_rate,
    optimizer_of,
)
from model.training.pretrained import load_pretrained
from model.training.processes import Processes
from model.training.recipes import Run
from model.training.results import Result, write_json, write_results
from model.training.samples import Samples
from model.training.validation import evaluation_loss

# Time between checkpoints, in seconds.
CHECKPOINT_SECONDS = 20
# Largest number of processes that draw samples while a GPU trains.
DRAWING_PROCESSES = 16


class Interrupted(Exception):
    """Ctrl-C was pressed; the run is saved and can be resumed."""


def train(
    run: Run,
    training: np.ndarray | Samples,
    validation: np.ndarray | dict[str, Sequence[np.ndarray]],
    *,
    resume: bool = False,
) -> Result | None:
    """Train, with a progress bar, and write config.json, metrics.json, curve.png and
    weights.safetensors into `run.folder`.

    On the CPU a run that was interrupted and resumed gives the same weights as one that was not.

    Args:
        run: what to do.
        training: (N, 3, H, W) uint8 Lab, from `to_lab`, or samples where the recipe has them.
        validation: the same, other pictures; or several sets by name, each of (3, H, W) uint8 Lab.
        resume: go on from the folder's checkpoint.

    Returns:
        The result; None on all but the first of several processes.

    Raises:
        ValueError: there is nothing to resume, it was begun with another configuration, the folder
            holds a run that is not to be resumed, or the loss is NaN or infinite.
        Interrupted: Ctrl-C; the checkpoint is written.
    """
    sets = validation if isinstance(validation, dict) else {"validation": validation}
    under_way = _Training(run, training, sets, resume=resume)
    under_way.learn()
    return under_way.finish()


class _Training:
    """A run under way."""

    def __init__(
        self, run: Run, training: np.ndarray | Samples, sets: dict, *, resume: bool
    ) -> None:
        self.run, self.training, self.sets = run, training, sets
        self.processes = Processes.join(run.device)
        torch.manual_seed(run.seed)
        self.state = _begin(run, self.processes.device)
        self.batches = _batches(run, training, self.processes)
        self.total = self.batches.steps_an_epoch * run.recipe.epochs
        self.config = run.config() | _amount(training)
        if run.recipe.bfloat16:
            self.config["bfloat16"] = computes_bfloat16(self.processes.device)
        self.checkpoint = run.folder / "run.ckpt"
        if resume:
            self.state.restore(self.checkpoint, self.config)
        elif self.checkpoint.exists():
            raise ValueError(
                f"{run.folder} holds a run: --resume goes on with it, --run NAME begins another."
            )
        if self.writes:
            run.folder.mkdir(parents=True, exist_ok=True)
            write_json(run.folder / "config.json", self.config)
        self.objective = self.state.objective
        if self.processes.count > 1:  # without a distribution its layer gets no gradient
            unused = not run.recipe.distribution
            self.objective = DistributedDataParallel(self.objective, find_unused_parameters=unused)

    @property
    def writes(self) -> bool:
        """Whether this process validates and writes."""
        return self.processes.rank == 0

    def learn(self) -> None:
        """All epochs that are left. An epoch is over when it is validated: a run may stop between
        its last batch and that."""
        progress, steps = self.state.progress, self.batches.steps_an_epoch
        drawn = iter(_loader(self.batches, range(progress.step, self.total), self.processes.device))
        saved = time.monotonic()
        with self._bar() as bar, _interruptible() as interrupted:
            for epoch in range(len(progress.validation), self.run.recipe.epochs):
                while progress.step < (epoch + 1) * steps:
                    self._step(next(drawn))
                    bar.update()
                    bar.set_postfix(loss=f"{np.mean(progress.losses[-50:]):.4f}")
                    stop = torch.tensor(float(interrupted()), device=self.processes.device)
                    if self.processes.mean(stop):
                        self._save()
                        raise Interrupted(f"Saved after batch {progress.step} of {self.total}.")
                    if time.monotonic() - saved > CHECKPOINT_SECONDS:
                        self._save()
                        saved = time.monotonic()
                if self.writes:
                    self._validate()

    def finish(self) -> Result | None:
        """Write what the run found."""
        if not self.writes:
            return None
        recipe, kept = self.run.recipe, self.state.kept
        if recipe.samples and recipe.doubt and isinstance(kept, DoubtsItself):
            fit_doubt(kept, self.training, self.sets)
        return write_results(
            self.run.folder,
            self.config,
            self.state,
            self.sets,
            steps_an_epoch=self.batches.steps_an_epoch,
            half=recipe.half,
        )

    def _step(self, batch: Batch) -> None:
        lab, hints, weight = batch
        recipe, state, progress = self.run.recipe, self.state, self.state.progress
        for group in state.optimizer.param_groups:
            group["lr"] = group["share"] * learning_rate(recipe, progress.step / self.total)
        device = self.processes.device
        loss = self.objective(*inputs(lab, device), hint_inputs(hints, device)) * weight
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        if state.average:
            state.average.update_parameters(state.objective.network)
        progress.losses.append(self.processes.mean(loss.detach()))
        if not math.isfinite(progress.losses[-1]):
            raise ValueError(
                f"The loss of batch {progress.step + 1} is not finite: give a lower"
                f" --learning-rate than {recipe.learning_rate:g}."
            )
        progress.step += 1

    def _validate(self) -> None:
        state = self.state
        if state.average:
            update_batch_norm(state.kept, self.batches, self.run.recipe)
        losses = {name: evaluation_loss(state.kept, lab) for name, lab in self.sets.items()}
        state.progress.validation.append(losses)
        self._save()

    def _save(self) -> None:
        if self.writes:
            self.state.save(self.checkpoint, self.config)

    def _bar(self) -> tqdm:
        return tqdm(
            total=self.total,
            initial=self.state.progress.step,
            desc=self.run.folder.name,
            unit="batch",
            disable=None if self.writes else True,
        )


def _begin(run: Run, device: torch.device) -> State:
    """The state before the first step."""
    recipe = run.recipe
    network = NETWORKS[recipe.network](**recipe.options)
    if run.start:
        if (start := load_network(run.start)).state_dict().keys() != network.state_dict().keys():
            raise ValueError(f"--start: {run.start.name} holds weights of another network.")
        network.load_state_dict(start.state_dict())
    elif recipe.pretrained:
        load_pretrained(network.encoder)
    network.to(device, memory_format=torch.channels_last)
    objective = Objective(network, recipe).to(device)
    decay = get_ema_multi_avg_fn(recipe.ema)
    average = AveragedModel(network, multi_avg_fn=decay) if recipe.ema else None
    return State(objective, optimizer_of(objective, recipe), average)


def _batches(run: Run, training: np.ndarray | Samples, processes: Processes) -> Batches:
    recipe, shared = run.recipe, (processes.rank, processes.count)
    if isinstance(training, Samples):
        return Drawn(training, recipe.batch_size, recipe.samples, *shared)
    return Shuffled(training, recipe.batch_size, run.seed, *shared)


def _loader(batches: Batches, steps: range, device: torch.device) -> DataLoader:
    beside = isinstance(batches, Drawn) and device.type == "cuda"
    return DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=min(DRAWING_PROCESSES, os.cpu_count()) if beside else 0,
        collate_fn=tuple,
        worker_init_fn=_prepare_worker,
    )


def _prepare_worker(_worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; only the one that trains answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _amount(training: np.ndarray | Samples) -> dict:
    if isinstance(training, Samples):
        counts = {name: sum(map(len, groups)) for name, groups in training.sources.items()}
        return {"training_pictures": counts}
    return {"training_pictures": len(training)}


@contextmanager
def _interruptible() -> Iterator:
    """Within, Ctrl-C (or SIGTERM) is noted instead of raised, to be asked for between batches."""
    noted = False

    def note(*_) -> None:
        nonlocal noted
        noted = True

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: noted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
