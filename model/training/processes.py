"""The processes of a run: one, or those that `torchrun` started."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process's place (`rank`) among `count` ones, and the device that it computes on."""

    rank: int
    count: int
    device: torch.device

    @classmethod
    def join(cls, device: str) -> "Processes":
        """The processes as `torchrun` says, a single one without it; `device` is auto, cpu or
        cuda."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        count = int(os.environ.get("WORLD_SIZE", 1))
        if count > 1 and not dist.is_initialized():
            if device == "cuda":
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            dist.init_process_group("nccl" if device == "cuda" else "gloo")
        return cls(int(os.environ.get("RANK", 0)), count, torch.device(device))

    def mean(self, value: Tensor) -> float:
        """The mean of a scalar over the processes; each has to ask for it."""
        if self.count > 1:
            dist.all_reduce(value)
            value = value / self.count
        return value.item()
