"""The training loop: recipes, checkpoints, exact resuming, and what a run leaves behind."""

import json
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm import tqdm

from model.color import normalize, rgb_to_lab8
from model.metrics import ab_mse
from model.networks import NETWORKS, save_weights

CHECKPOINT_STEPS = 100  # steps between checkpoints
EVALUATION_BATCH = 64
DEAD = 0.001  # an output that is not 0 on fewer pixels than this share is dead


@dataclass(frozen=True)
class Recipe:
    """A named training configuration: the loss is the mean squared error of ab, by Adam."""

    network: str
    epochs: int
    batch_size: int
    learning_rate: float

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not value > 0 or not math.isfinite(value):
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, not {value}.")


RECIPES = {
    # One epoch is the paper's. It gives neither batch size nor learning rate: these validated
    # best, see results/paper/.
    "paper": Recipe(network="PaperNet", epochs=1, batch_size=16, learning_rate=1e-3),
}


@dataclass(frozen=True)
class Run:
    """One training run; what can change its result stands here and in config.json."""

    recipe_name: str
    folder: Path
    recipe: Recipe
    seed: int = 0
    device: str = "auto"
    split: str = "train"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"--seed is a number from 0 to 2^63 - 1, not {self.seed}.")
        if self.split not in ("train", "seen"):
            raise ValueError(f"--split is train or seen, not {self.split!r}.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"--device is auto, cpu or cuda, not {self.device!r}.")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: PyTorch sees no CUDA device here; use cpu or auto.")

    def config(self) -> dict:
        """What resuming must find unchanged."""
        return {
            "recipe": self.recipe_name,
            **asdict(self.recipe),
            "seed": self.seed,
            "split": self.split,
        }


@dataclass
class Progress:
    """Where a run stands: `step` batches done, the loss of each, validation after each epoch."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What a finished run found; `dead_channels` is that of the function of this name."""

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


def train(
    run: Run, training: np.ndarray, validation: np.ndarray, *, resume: bool = False
) -> Result:
    """Train, with a progress bar, and write config.json, metrics.json, curve.png and
    weights.safetensors into `run.folder`.

    On the CPU a run that was interrupted and resumed gives the same weights as one that was not.

    Args:
        run: what to do.
        training: (N, 3, H, W) uint8 Lab, from `to_lab`.
        validation: the same, other pictures.
        resume: go on from the folder's checkpoint.

    Raises:
        ValueError: there is nothing to resume, it was started with another configuration, the
            folder holds a run that is not to be resumed, or the loss is no number any more.
        Interrupted: Ctrl-C; the checkpoint is written.
    """
    device = _device(run.device)
    torch.manual_seed(run.seed)
    network = NETWORKS[run.recipe.network]().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=run.recipe.learning_rate)
    config = run.config() | {"training_pictures": len(training)}
    checkpoint = run.folder / "run.ckpt"
    progress = Progress()
    if checkpoint.exists() and not resume:
        raise ValueError(
            f"{run.folder} holds a run: --resume goes on with it, --run NAME begins another."
        )
    if resume:
        progress = _restore(checkpoint, config, network, optimizer)
    run.folder.mkdir(parents=True, exist_ok=True)
    _write_json(run.folder / "config.json", config)

    def save() -> None:
        _save(checkpoint, config, network, optimizer, progress)

    steps_an_epoch = math.ceil(len(training) / run.recipe.batch_size)
    total = steps_an_epoch * run.recipe.epochs
    bar = tqdm(total=total, initial=progress.step, desc=run.folder.name, unit="batch", disable=None)
    with bar, _interruptible() as interrupted:
        # an epoch is over when it is validated: a run may stop between its last batch and that
        while (epoch := len(progress.validation)) < run.recipe.epochs:
            for batch in _rest_of_epoch(training, run, epoch, progress.step):
                luminance, ab = _inputs(batch, device)
                loss = nn.functional.mse_loss(network(luminance), ab)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                progress.losses.append(loss.item())
                if not math.isfinite(progress.losses[-1]):
                    raise ValueError(
                        f"The loss of batch {progress.step + 1} is no number any more: give a"
                        f" lower --learning-rate than {run.recipe.learning_rate:g}."
                    )
                progress.step += 1
                bar.update()
                bar.set_postfix(loss=f"{np.mean(progress.losses[-50:]):.4f}")
                if interrupted():
                    save()
                    raise Interrupted(f"Saved after batch {progress.step} of {total}.")
                if progress.step % CHECKPOINT_STEPS == 0:
                    save()
            progress.validation.append(evaluation_loss(network, validation))
            save()

    result = Result(progress.validation[-1], dead_channels(network, validation))
    facts = config | {"validation_loss": result.validation_loss}
    save_weights(network, run.folder / "weights.safetensors", facts)
    _write_json(
        run.folder / "metrics.json",
        {
            **asdict(result),
            "collapsed": result.collapsed,
            "validation_by_epoch": progress.validation,
            "validation_pictures": len(validation),
        },
    )
    plot_curve(progress, steps_an_epoch, run.folder / "curve.png")
    return result


@torch.inference_mode()
def predict(network: nn.Module, lab: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predicted and true ab of (N, 3, H, W) uint8 Lab, batch by batch, in the paper's units."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    try:
        for start in range(0, len(lab), EVALUATION_BATCH):
            luminance, ab = _inputs(lab[start : start + EVALUATION_BATCH], device)
            yield network(luminance).float().cpu().numpy(), ab.cpu().numpy()
    finally:
        network.train(training)


def evaluation_loss(network: nn.Module, lab: np.ndarray) -> float:
    """The paper's loss over (N, 3, H, W) uint8 Lab."""
    losses = [(ab_mse(predicted, true), len(true)) for predicted, true in predict(network, lab)]
    return sum(loss * count for loss, count in losses) / len(lab)


def dead_channels(network: nn.Module, lab: np.ndarray) -> list[str]:
    """Which of a and b the network gives as exactly 0, that is grey, all but everywhere: the
    ReLU behind it has died."""
    lives = np.zeros(2)
    for predicted, _ in predict(network, lab):
        lives += (predicted != 0).mean(axis=(2, 3)).sum(axis=0)
    return [channel for channel, sum_ in zip("ab", lives, strict=True) if sum_ < DEAD * len(lab)]


def plot_curve(progress: Progress, steps_an_epoch: int, file: Path) -> None:
    """Draw the loss of each batch, its running mean, and the validation loss as a PNG."""
    losses = np.array(progress.losses)
    window = max(1, len(losses) // 50)
    mean = np.convolve(losses, np.ones(window) / window, "valid")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color="0.8", linewidth=0.6, label="each batch")
    axes.plot(steps[window - 1 :], mean, color="tab:blue", label=f"mean of {window}")
    epochs = steps_an_epoch * np.arange(1, len(progress.validation) + 1)
    axes.plot(epochs, progress.validation, "o", color="tab:orange", label="validation")
    axes.set(
        xlabel="batch", ylabel="mean squared error of ab", yscale="log", title=file.parent.name
    )
    axes.legend()
    figure.savefig(file, dpi=110, metadata={"Software": None})


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _inputs(lab: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """L and ab in -1..1 of a (N, 3, H, W) uint8 batch."""
    batch = normalize(torch.from_numpy(np.ascontiguousarray(lab)).to(device).float())
    return batch[:, :1], batch[:, 1:]


def _rest_of_epoch(training: np.ndarray, run: Run, epoch: int, step: int) -> Iterator[np.ndarray]:
    """The batches of `epoch` that come after `step`: their order depends on the seed and the
    epoch alone, so that a resumed run meets the same ones."""
    size = run.recipe.batch_size
    done = step - epoch * math.ceil(len(training) / size)
    order = np.random.default_rng([run.seed, epoch]).permutation(len(training))
    for start in range(done * size, len(order), size):
        yield training[order[start : start + size]]


def _save(
    checkpoint: Path,
    config: dict,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    state = {
        "config": config,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
    }
    partial = checkpoint.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(checkpoint)  # never a half-written checkpoint


def _restore(
    checkpoint: Path, config: dict, network: nn.Module, optimizer: torch.optim.Optimizer
) -> Progress:
    if not checkpoint.is_file():
        raise ValueError(f"--resume: there is no checkpoint in {checkpoint.parent}.")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        saved = state["config"]
        network_state, optimizer_state = state["network"], state["optimizer"]
        progress = Progress(**state["progress"])
    except Exception as error:  # torch.load raises many kinds on a damaged file
        raise ValueError(f"--resume: {checkpoint} is damaged ({type(error).__name__}).") from None
    changed = [name for name, value in config.items() if saved.get(name) != value]
    if changed:
        told = ", ".join(f"{name} was {saved.get(name)!r}" for name in changed)
        raise ValueError(f"--resume: {checkpoint.parent} began with another configuration: {told}.")
    network.load_state_dict(network_state)
    optimizer.load_state_dict(optimizer_state)
    return progress


def _write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n")


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
