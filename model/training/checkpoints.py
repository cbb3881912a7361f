"""Where a training run stands, on disk and as a plot."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn


@dataclass
class Progress:
    """Where a run stands: `step` batches done, the loss of each, after each epoch the paper's loss
    on each validation set."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    checkpoint: Path,
    config: dict,
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
    progress: Progress,
) -> None:
    state = {
        "config": config,
        "objective": objective.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict() if average else None,
        "progress": asdict(progress),
    }
    partial = checkpoint.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(checkpoint)  # never a half-written checkpoint


def restore_checkpoint(
    checkpoint: Path,
    config: dict,
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
) -> Progress:
    if not checkpoint.is_file():
        raise ValueError(f"--resume: there is no checkpoint in {checkpoint.parent}.")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        saved = state["config"]
        objective_state, optimizer_state = state["objective"], state["optimizer"]
        average_state = state["average"]
        progress = Progress(**state["progress"])
    except Exception as error:  # torch.load raises many kinds on a damaged file
        raise ValueError(f"--resume: {checkpoint} is damaged ({type(error).__name__}).") from None
    changed = sorted(n for n in config | saved if saved.get(n) != config.get(n))
    if changed:
        told = ", ".join(f"{name} was {saved.get(name)!r}" for name in changed)
        raise ValueError(f"--resume: {checkpoint.parent} began with another configuration: {told}.")
    objective.load_state_dict(objective_state)
    optimizer.load_state_dict(optimizer_state)
    if average:
        average.load_state_dict(average_state)
    return progress


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
    for number, name in enumerate(progress.validation[0], 1):
        values = [losses[name] for losses in progress.validation]
        axes.plot(epochs, values, "o", color=f"C{number}", label=name, markersize=4)
    axes.set(xlabel="batch", ylabel="loss", yscale="log", title=file.parent.name)
    axes.legend()
    figure.savefig(file, dpi=110, metadata={"Software": None})
