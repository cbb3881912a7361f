"""How well a network does on validation pictures, in the paper's terms."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from model.metrics import ab_mse
from model.training.objective import inputs

# Number of pictures of one size that are predicted at once.
EVALUATION_BATCH = 64
# Share of the pixels on which an output must differ from 0; below it the output is dead.
DEAD = 0.001


@torch.inference_mode()
def predict(
    network: nn.Module, lab: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predicted and true ab, batch by batch, (N, 2, H, W) in the paper's -1..1.

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
            luminance, ab = inputs(np.asarray(lab[start : start + size]), device)
            yield network(luminance).float().cpu().numpy(), ab.cpu().numpy()
    finally:
        network.train(training)


def evaluation_loss(network: nn.Module, lab: Sequence[np.ndarray]) -> float:
    """The paper's loss over what `predict` takes: the mean of the pictures' own."""
    losses = [(ab_mse(predicted, true), len(true)) for predicted, true in predict(network, lab)]
    return sum(loss * count for loss, count in losses) / len(lab)


def dead_channels(network: nn.Module, lab: Sequence[np.ndarray]) -> list[str]:
    """Which of a and b the network gives as exactly 0, that is grey, nearly everywhere: the ReLU
    behind it has died."""
    lives = np.zeros(2)
    for predicted, _ in predict(network, lab):
        lives += (predicted != 0).mean(axis=(2, 3)).sum(axis=0)
    return [channel for channel, sum_ in zip("ab", lives, strict=True) if sum_ < DEAD * len(lab)]
