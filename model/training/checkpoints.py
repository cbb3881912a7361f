"""All that a run changes, and the file that it can be resumed from."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from model.training.objective import Objective


@dataclass
class Progress:
    """How far a run is: batches done, the loss of each, and after each epoch the paper's loss on
    each validation set."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)


@dataclass
class State:
    """All that a run changes."""

    objective: Objective
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    progress: Progress = field(default_factory=Progress)

    @property
    def kept(self) -> nn.Module:
        """The network that is validated and saved: the running average where there is one."""
        return self.average.module if self.average else self.objective.network

    def save(self, checkpoint: Path, config: dict) -> None:
        """Write the state and the configuration that it belongs to."""
        state = {
            "config": config,
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "progress": asdict(self.progress),
        }
        partial = checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(checkpoint)  # never a half-written checkpoint

    def restore(self, checkpoint: Path, config: dict) -> None:
        """Take the state from a checkpoint.

        Raises:
            ValueError: there is no checkpoint, it is damaged, or of another configuration.
        """
        folder = checkpoint.parent
        if not checkpoint.is_file():
            raise ValueError(f"--resume: there is no checkpoint in {folder}.")
        try:
            saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
            before = saved["config"]
            changed = sorted(n for n in config | before if before.get(n) != config.get(n))
            if not changed:
                self.objective.load_state_dict(saved["objective"])
                self.optimizer.load_state_dict(saved["optimizer"])
                if self.average:
                    self.average.load_state_dict(saved["average"])
                self.progress = Progress(**saved["progress"])
        except Exception as error:  # torch.load raises many kinds on a damaged file
            raise ValueError(
                f"--resume: {checkpoint} is damaged ({type(error).__name__})."
            ) from None
        if changed:
            told = ", ".join(f"{name} was {before.get(name)!r}" for name in changed)
            raise ValueError(f"--resume: {folder} was begun with another configuration: {told}.")
