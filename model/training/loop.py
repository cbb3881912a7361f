"""The training loop: recipes, checkpoints, exact resuming, and what a run leaves behind.

Started by `torchrun`, every process takes its share of each batch (DistributedDataParallel).
"""

import json
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from model.color import NEUTRAL, normalize, rgb_to_lab8
from model.metrics import ab_mse
from model.networks import NETWORKS
from model.networks.contract import DetectsUnfamiliar
from model.networks.files import load_network, save_weights
from model.photos import shrunk
from model.training.checkpoints import (
    Progress,
    plot_curve,
    restore_checkpoint,
    save_checkpoint,
)
from model.training.losses import (
    REGRESSIONS,
    Classification,
    PatchCritic,
    bin_shares,
    reverse_gradient,
)
from model.training.recipes import Recipe, Run
from model.training.samples import Samples

CHECKPOINT_SECONDS = 20  # between checkpoints
EVALUATION_BATCH = 64
WARM_UP = 0.03  # share of a run in which the learning rate rises
SETTLING_SAMPLES = 1_920  # from which averaged weights get their batch statistics
PRIOR_SAMPLES = 1_000  # from which the shares of the ab bins are counted
DRAWING_PROCESSES = 16  # at most, that draw samples while a GPU trains
FAMILIAR_PICTURES = 400  # of each collection, that tell what is familiar
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # processors' instructions for it
DEAD = 0.001  # an output that is not 0 on fewer pixels than this share is dead


@dataclass(frozen=True)
class Result:
    """What a finished run found; `dead_channels`: of a and b, those grey all but everywhere."""

    validation_loss: float
    dead_channels: list[str]

    @property
    def collapsed(self) -> bool:
        return len(self.dead_channels) == 2


class Interrupted(Exception):
    """Ctrl-C was pressed; the run is saved and can be resumed."""


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(N, 3, H, W) uint8 Lab (OpenCV's 8-bit) of (N, H, W, 3) uint8 RGB."""
    return np.stack([rgb_to_lab8(picture) for picture in rgb]).transpose(0, 3, 1, 2)


class Shuffled(Dataset):
    """Batches, by step, of pictures that come once an epoch: their order depends on the seed and
    the epoch alone, so that a resumed run meets the same ones."""

    def __init__(self, lab: np.ndarray, size: int, seed: int) -> None:
        self.lab, self.size, self.seed = lab, size, seed
        self.steps_an_epoch = math.ceil(len(lab) / size)
        self._epoch, self._order = -1, np.empty(0)

    def __getitem__(self, step: int) -> tuple[Tensor, None]:
        epoch, place = divmod(step, self.steps_an_epoch)
        if epoch != self._epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.lab))
            self._epoch, self._order = epoch, order
        chosen = self._order[place * self.size : (place + 1) * self.size]
        return torch.from_numpy(self.lab[chosen]), None


class Drawn(Dataset):
    """Batches, by step, of samples."""

    def __init__(self, samples: Samples, size: int, samples_an_epoch: int) -> None:
        self.samples, self.size = samples, size
        self.steps_an_epoch = math.ceil(samples_an_epoch / size)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        parts = self.samples.batch(range(step * self.size, (step + 1) * self.size))
        return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)


class Objective(nn.Module):
    """The network and its loss, as one module that DistributedDataParallel can wrap."""

    def __init__(self, network: nn.Module, recipe: Recipe, prior: np.ndarray | None) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe
        self.classification = Classification(prior) if recipe.distribution else None
        self.critic = PatchCritic() if recipe.adversarial else None

    def forward(self, luminance: Tensor, ab: Tensor, hints: Tensor | None) -> Tensor:
        given = _given(self.network, luminance, hints)
        with _autocast(luminance.device, self.recipe):
            if self.classification is None:
                predicted = self.network(*given)
            else:
                predicted, logits = self.network.distribution(*given)
        loss = 0
        if self.recipe.regression:
            loss = REGRESSIONS[self.recipe.regression](predicted.float(), ab)
        if self.classification is not None:
            loss = loss + self.recipe.distribution * self.classification(logits, ab)
        if self.critic is not None:
            generated = reverse_gradient(predicted.float(), self.recipe.adversarial)
            loss = loss + self.critic(luminance, ab, generated)
        return loss


def train(
    run: Run,
    training: np.ndarray | Samples,
    validation: np.ndarray | dict[str, Sequence[np.ndarray]],
    *,
    resume: bool = False,
) -> Result:
    """Train, with a progress bar, and write config.json, metrics.json, curve.png and
    weights.safetensors into `run.folder`.

    On the CPU a run that was interrupted and resumed gives the same weights as one that was not.

    Args:
        run: what to do.
        training: (N, 3, H, W) uint8 Lab, from `to_lab`, or samples where the recipe has them.
        validation: the same, other pictures; or several sets by name, each of (3, H, W) uint8 Lab.
        resume: go on from the folder's checkpoint.

    Raises:
        ValueError: there is nothing to resume, it was started with another configuration, the
            folder holds a run that is not to be resumed, the processes of `torchrun` cannot share
            a batch evenly, or the loss is no number any more.
        Interrupted: Ctrl-C; the checkpoint is written.
    """
    sets = validation if isinstance(validation, dict) else {"validation": validation}
    recipe, device = run.recipe, _device(run.device)
    rank, processes = _join_processes(device)
    torch.manual_seed(run.seed)
    if recipe.batch_size % processes:
        raise ValueError(
            f"--batch-size {recipe.batch_size} cannot be shared evenly by {processes} processes."
        )
    network = NETWORKS[recipe.network](**recipe.options)
    if run.start:
        if (start := load_network(run.start)).state_dict().keys() != network.state_dict().keys():
            raise ValueError(f"--start: {run.start.name} holds weights of another network.")
        network.load_state_dict(start.state_dict())
    network.to(device, memory_format=torch.channels_last)
    objective = Objective(network, recipe, _prior(training) if recipe.rebalanced else None)
    objective.to(device)
    optimizer = torch.optim.AdamW(objective.parameters(), weight_decay=recipe.weight_decay)
    average = None
    if recipe.ema:
        decay = get_ema_multi_avg_fn(recipe.ema)
        average = AveragedModel(network, multi_avg_fn=decay)
    kept = average.module if average else network  # what is validated and saved
    config = run.config() | _amount(training)
    if recipe.bfloat16:
        config["bfloat16"] = _computes_bfloat16(device)
    checkpoint = run.folder / "run.ckpt"
    progress = Progress()
    if checkpoint.exists() and not resume:
        raise ValueError(
            f"{run.folder} holds a run: --resume goes on with it, --run NAME begins another."
        )
    if resume:
        progress = restore_checkpoint(checkpoint, config, objective, optimizer, average)
    if rank == 0:
        run.folder.mkdir(parents=True, exist_ok=True)
        _write_json(run.folder / "config.json", config)

    def save() -> None:
        if rank == 0:
            save_checkpoint(checkpoint, config, objective, optimizer, average, progress)

    if recipe.samples:
        batches = Drawn(training, recipe.batch_size, recipe.samples)
    else:
        batches = Shuffled(training, recipe.batch_size, run.seed)
    spread = objective
    if processes > 1:  # without a distribution its layer gets no gradient
        spread = DistributedDataParallel(objective, find_unused_parameters=not recipe.distribution)
    total = batches.steps_an_epoch * recipe.epochs
    drawn_beside = recipe.samples and device.type == "cuda"
    loader = iter(
        DataLoader(
            batches,
            batch_size=None,
            sampler=range(progress.step, total),
            num_workers=min(DRAWING_PROCESSES, os.cpu_count()) if drawn_beside else 0,
            collate_fn=tuple,
            worker_init_fn=_prepare_worker,
        )
    )
    bar = tqdm(
        total=total,
        initial=progress.step,
        desc=run.folder.name,
        unit="batch",
        disable=None if rank == 0 else True,
    )
    saved = time.monotonic()
    with bar, _interruptible() as interrupted:
        # an epoch is over when it is validated: a run may stop between its last batch and that
        while (epoch := len(progress.validation)) < recipe.epochs:
            while progress.step < (epoch + 1) * batches.steps_an_epoch:
                lab, hints = _share(next(loader), rank, processes)
                _reseed(run.seed, progress.step, rank)
                for group in optimizer.param_groups:
                    group["lr"] = recipe.learning_rate * _schedule(recipe, progress.step / total)
                luminance, ab = _inputs(lab, device)
                loss = spread(luminance, ab, _hint_inputs(hints, device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if average:
                    average.update_parameters(network)
                progress.losses.append(_mean_over_processes(loss.detach(), processes))
                if not math.isfinite(progress.losses[-1]):
                    raise ValueError(
                        f"The loss of batch {progress.step + 1} is no number any more: give a"
                        f" lower --learning-rate than {recipe.learning_rate:g}."
                    )
                progress.step += 1
                bar.update()
                bar.set_postfix(loss=f"{np.mean(progress.losses[-50:]):.4f}")
                stop = torch.tensor(float(interrupted()), device=device)
                if _mean_over_processes(stop, processes):
                    save()
                    raise Interrupted(f"Saved after batch {progress.step} of {total}.")
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    save()
                    saved = time.monotonic()
            if average:
                _settle(kept, batches, recipe, device)
            progress.validation.append(
                {name: evaluation_loss(kept, lab) for name, lab in sets.items()}
            )
            save()

    if recipe.samples and isinstance(kept, DetectsUnfamiliar):
        _familiarize(kept, training, sets)
    first = next(iter(sets))
    result = Result(progress.validation[-1][first], dead_channels(kept, sets[first]))
    if rank == 0:
        facts = config | {"validation_loss": result.validation_loss}
        save_weights(kept, run.folder / "weights.safetensors", facts, half=recipe.half)
        _write_json(
            run.folder / "metrics.json",
            {
                **asdict(result),
                "collapsed": result.collapsed,
                "validation_by_epoch": progress.validation,
                "validation_pictures": {name: len(lab) for name, lab in sets.items()},
            },
        )
        plot_curve(progress, batches.steps_an_epoch, run.folder / "curve.png")
    return result


@torch.inference_mode()
def predict(
    network: nn.Module, lab: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predicted and true ab, batch by batch, in the paper's units.

    Args:
        network: any.
        lab: (N, 3, H, W) uint8 Lab, or a list of (3, H, W), of which each is a batch.
    """
    device = next(network.parameters()).device
    training = network.training
    size = EVALUATION_BATCH if isinstance(lab, np.ndarray) else 1
    network.eval()
    try:
        for start in range(0, len(lab), size):
            luminance, ab = _inputs(np.asarray(lab[start : start + size]), device)
            yield network(luminance).float().cpu().numpy(), ab.cpu().numpy()
    finally:
        network.train(training)


def evaluation_loss(network: nn.Module, lab: Sequence[np.ndarray]) -> float:
    """The paper's loss over what `predict` takes, the mean of the pictures' own."""
    losses = [(ab_mse(predicted, true), len(true)) for predicted, true in predict(network, lab)]
    return sum(loss * count for loss, count in losses) / len(lab)


def dead_channels(network: nn.Module, lab: Sequence[np.ndarray]) -> list[str]:
    """Which of a and b the network gives as exactly 0, that is grey, all but everywhere: the
    ReLU behind it has died."""
    lives = np.zeros(2)
    for predicted, _ in predict(network, lab):
        lives += (predicted != 0).mean(axis=(2, 3)).sum(axis=0)
    return [channel for channel, sum_ in zip("ab", lives, strict=True) if sum_ < DEAD * len(lab)]


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _inputs(lab: np.ndarray | Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """L and ab in -1..1 of a (N, 3, H, W) uint8 batch."""
    batch = normalize(torch.as_tensor(lab).to(device).float())
    return batch[:, :1], batch[:, 1:]


@torch.no_grad()
def _familiarize(network: nn.Module, samples: Samples, sets: dict) -> None:
    """Let `network.familiarity` know the pictures that were learned from, and where it ends."""
    device = next(network.parameters()).device
    network.eval()

    def summaries(pictures: Sequence[np.ndarray]) -> Tensor:
        inputs = (_inputs(np.asarray(lab)[None], device)[0] for lab in pictures)
        return torch.cat([network.summary(luminance) for luminance in inputs])

    learned = []
    for groups in filter(None, samples.sources.values()):
        pictures = list(chain.from_iterable(groups))
        chosen = pictures[:: max(1, len(pictures) // FAMILIAR_PICTURES)]
        small = (shrunk(lab8, network.photo_scale) for lab8 in chosen)
        learned.append(summaries([lab8.transpose(2, 0, 1) for lab8 in small]))
    network.familiarity.fit(learned, torch.cat([summaries(lab) for lab in sets.values()]))


def _autocast(device: torch.device, recipe: Recipe) -> torch.autocast:
    """bfloat16 where the recipe has it, but not on a processor that only imitates it, which takes
    eight times as long as float32."""
    enabled = recipe.bfloat16 and _computes_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled)


def _computes_bfloat16(device: torch.device) -> bool:
    return device.type != "cpu" or any(map(torch.cpu.get_capabilities().get, BFLOAT16))


def _given(network: nn.Module, luminance: Tensor, hints: Tensor | None) -> tuple:
    """What of a sample `network` takes."""
    return (luminance, hints) if network.takes_hints else (luminance,)


def _reseed(*numbers: int) -> None:
    """Let what dropout leaves out depend on these numbers alone, so that a resumed run goes on as
    one that was not interrupted."""
    torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))


@torch.no_grad()
def _settle(network: nn.Module, batches: Dataset, recipe: Recipe, device: torch.device) -> None:
    """Give averaged weights the batch statistics that belong to them: those of the weights that
    they are averaged from are wrong (Izmailov et al. 2018, section 3.2)."""
    network.eval()  # nothing is left out
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
            module.train()
    for step in range(min(math.ceil(SETTLING_SAMPLES / batches.size), batches.steps_an_epoch)):
        lab, hints = batches[step]
        given = _given(network, _inputs(lab, device)[0], _hint_inputs(hints, device))
        with _autocast(device, recipe):
            network(*given)
    network.eval()


def _hint_inputs(hints: Tensor | None, device: torch.device) -> Tensor | None:
    """Hints for a network, of (N, 3, H, W) uint8: 8-bit a and b and a mask of 0 or 1."""
    if hints is None:
        return None
    given = hints.to(device).float()
    mask = given[:, 2:]
    return torch.cat([normalize(given[:, :2]) * mask, mask], 1)


def _schedule(recipe: Recipe, done: float) -> float:
    """Factor of the learning rate when `done`, 0 to 1, of the run is over."""
    if not recipe.cosine:
        return 1
    return min(done / WARM_UP, 1, (1 + math.cos(math.pi * done)) / 2) + 1e-3


def _prior(samples: Samples) -> np.ndarray:
    """Shares of the ab bins among the colours of fruit and photos, white left out."""
    lab, _ = samples.batch(range(PRIOR_SAMPLES))
    places = lab.transpose(0, 2, 3, 1)[:, ::4, ::4].reshape(-1, 3)
    return bin_shares(places[np.abs(places[:, 1:].astype(int) - NEUTRAL).max(1) > 4, 1:])


def _amount(training: np.ndarray | Samples) -> dict:
    if isinstance(training, Samples):
        counts = {name: sum(map(len, groups)) for name, groups in training.sources.items()}
        return {"training_pictures": counts}
    return {"training_pictures": len(training)}


def _join_processes(device: torch.device) -> tuple[int, int]:
    """This process's rank and the number of processes, as `torchrun` says; 0 and 1 without it."""
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1 and not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return int(os.environ.get("RANK", 0)), processes


def _share(batch: tuple, rank: int, processes: int) -> tuple:
    """What `rank` takes of a batch: every process the same number, the whole where it is tiny."""
    size = len(batch[0]) // processes
    rows = slice(rank * size, (rank + 1) * size) if size else slice(None)
    return tuple(part if part is None else part[rows] for part in batch)


def _mean_over_processes(value: Tensor, processes: int) -> float:
    if processes > 1:
        dist.all_reduce(value)
        value = value / processes
    return value.item()


def _write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n")


def _prepare_worker(_worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; only the one that trains answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


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
