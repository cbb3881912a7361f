"""What a finished run found, and the files that it leaves."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from model.networks.files import save_weights
from model.training.checkpoints import Progress, State
from model.training.validation import dead_channels


@dataclass(frozen=True)
class Result:
    """The loss on the first validation set, and which of a and b are grey nearly everywhere."""

    validation_loss: float
    dead_channels: list[str]

    @property
    def collapsed(self) -> bool:
        return len(self.dead_channels) == 2


def write_results(
    folder: Path,
    config: dict,
    state: State,
    sets: dict[str, Sequence[np.ndarray]],
    *,
    steps_an_epoch: int,
    half: bool,
) -> Result:
    """Write weights.safetensors (as float16 with `half`), metrics.json and curve.png."""
    first, progress = next(iter(sets)), state.progress
    result = Result(progress.validation[-1][first], dead_channels(state.kept, sets[first]))
    facts = config | {"validation_loss": result.validation_loss}
    save_weights(state.kept, folder / "weights.safetensors", facts, half=half)
    metrics = {
        **asdict(result),
        "collapsed": result.collapsed,
        "validation_by_epoch": progress.validation,
        "validation_pictures": {name: len(lab) for name, lab in sets.items()},
    }
    write_json(folder / "metrics.json", metrics)
    plot_curve(progress, steps_an_epoch, folder / "curve.png")
    return result


def write_json(file: Path, content: dict) -> None:
    """Write `content` as indented JSON."""
    file.write_text(json.dumps(content, indent=2) + "\n")


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
