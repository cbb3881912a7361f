"""What a run minimizes, and how: inputs of a network, its loss, its optimizer."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.color import normalize
from model.training.losses import Classification
from model.training.recipes import Recipe

# Share of a run in which the learning rate rises.
WARM_UP = 0.03
# Instructions of processors for bfloat16.
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


class Objective(nn.Module):
    """The network and its loss, as one module that DistributedDataParallel can wrap."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe
        self.classification = Classification() if recipe.distribution else None

    def forward(self, luminance: Tensor, ab: Tensor, hints: Tensor | None) -> Tensor:
        """The loss, a scalar: mean squared error of ab, the paper's, and the recipe's share of that
        of the distribution. Shapes as in `inputs` and `hint_inputs`."""
        given = network_inputs(self.network, luminance, hints)
        with autocast(luminance.device, self.recipe):
            if self.classification is None:
                predicted = self.network(*given)
            else:
                predicted, logits = self.network.distribution(*given)
        loss = F.mse_loss(predicted.float(), ab)
        if self.classification is not None:
            loss = loss + self.recipe.distribution * self.classification(logits, ab)
        return loss


def optimizer_of(objective: Objective, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, its weight decay decoupled (Loshchilov & Hutter 2019) and on matrices and convolution
    kernels alone: biases and normalization need none. Each group has as `share` that of the
    learning rate which it gets."""
    encoder = getattr(objective.network, "encoder", None)
    slow = set(encoder.parameters()) if encoder else set()
    groups = {}
    for parameter in objective.parameters():
        share = recipe.encoder_rate if parameter in slow else 1.0
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((share, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "share": share, "weight_decay": decay}
            for (share, decay), parameters in groups.items()
        ],
        lr=recipe.learning_rate,
    )


def learning_rate(recipe: Recipe, done: float) -> float:
    """The learning rate when `done`, 0 to 1, of the run is over."""
    if not recipe.cosine:
        return recipe.learning_rate
    factor = min(done / WARM_UP, 1, (1 + math.cos(math.pi * done)) / 2) + 1e-3
    return recipe.learning_rate * factor


def inputs(lab: np.ndarray | Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """L (N, 1, H, W) and ab (N, 2, H, W), float32 in -1..1, of (N, 3, H, W) uint8 Lab."""
    batch = normalize(torch.as_tensor(lab).to(device).float())
    return batch[:, :1], batch[:, 1:]


def hint_inputs(hints: Tensor | None, device: torch.device) -> Tensor | None:
    """Hints for a network, (N, 3, H, W) float32: ab in -1..1 and a mask, of (N, 3, H, W) uint8:
    8-bit a and b and a mask of 0 or 1."""
    if hints is None:
        return None
    given = hints.to(device).float()
    mask = given[:, 2:]
    return torch.cat([normalize(given[:, :2]) * mask, mask], 1)


def network_inputs(network: nn.Module, luminance: Tensor, hints: Tensor | None) -> tuple:
    """The arguments that `network` takes."""
    return (luminance, hints) if network.takes_hints else (luminance,)


def autocast(device: torch.device, recipe: Recipe) -> torch.autocast:
    """bfloat16 where the recipe has it, but not on a processor that only imitates it, which takes
    eight times as long as float32."""
    enabled = recipe.bfloat16 and computes_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether `device` has instructions for bfloat16."""
    return device.type != "cpu" or any(map(torch.cpu.get_capabilities().get, BFLOAT16))
