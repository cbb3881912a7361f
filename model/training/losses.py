"""The loss of a distribution over ab bins."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import cKDTree
from torch import Tensor, nn

from model.color import AB_BINS, NEUTRAL

# Bins that share the probability of a colour, and the standard deviation of their shares in units
# of a and b (Zhang et al. 2016, section 2.2).
NEIGHBOURS, SIGMA = 5, 5.0


class Classification(nn.Module):
    """Cross entropy with a soft encoding of the true ab over its nearest bins (Zhang et al. 2016,
    "Colorful image colorization", sections 2.2 and 2.3, without its rebalancing)."""

    def __init__(self) -> None:
        super().__init__()
        nearest, share = _soft_encoding()
        self.register_buffer("nearest", torch.from_numpy(nearest), persistent=False)
        self.register_buffer("share", torch.from_numpy(share), persistent=False)

    def forward(self, logits: Tensor, ab: Tensor) -> Tensor:
        """The loss, a scalar, of (N, bins, h, w) logits whose places are squares of pixels of ab,
        (N, 2, H, W) in the paper's -1..1."""
        factor = 2 ** round(np.log2(ab.shape[-1] / logits.shape[-1]))
        # ceil_mode: a picture's last places may be smaller
        ab8 = (F.avg_pool2d(ab, factor, ceil_mode=True) + 1) * 127.5
        a, b = ab8.round().long().clamp(0, 255).unbind(1)
        nearest, share = self.nearest[a * 256 + b], self.share[a * 256 + b]  # (N, h, w, 5)
        chosen = logits.float().log_softmax(1).movedim(1, -1).gather(-1, nearest)
        return -(share * chosen).sum(-1).mean()


@functools.cache
def _soft_encoding() -> tuple[np.ndarray, np.ndarray]:
    """Nearest bins (65536, 5) and their shares for every 8-bit (a, b)."""
    grid = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), -1)
    distance, nearest = cKDTree(AB_BINS).query(grid.reshape(-1, 2) - NEUTRAL, NEIGHBOURS)
    share = np.exp(-np.square(distance - distance[:, :1]) / (2 * SIGMA**2))
    return nearest, (share / share.sum(1, keepdims=True)).astype(np.float32)
