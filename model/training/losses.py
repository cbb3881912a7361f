"""Training losses. ab is `(N, 2, H, W)` in the paper's -1..1, every loss a scalar."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import cKDTree
from torch import Tensor, nn

from model.color import AB_BINS, NEUTRAL

CHROMA_WEIGHT = 3.0  # of a fully saturated colour against grey, added to 1
HUBER_DELTA = 0.04  # about 5 units of a and b
NEIGHBOURS, SIGMA = 5, 5.0  # of the soft encoding, Zhang et al. 2016, section 2.2
UNIFORM_SHARE = 0.5  # lambda of the rebalancing, Zhang et al. 2016, equation 4


def mse(predicted: Tensor, true: Tensor) -> Tensor:
    """The paper's loss."""
    return F.mse_loss(predicted, true)


def huber(predicted: Tensor, true: Tensor) -> Tensor:
    """Squared up to `HUBER_DELTA`, then linear: outliers weigh less (Zhang et al. 2017)."""
    return F.huber_loss(predicted, true, delta=HUBER_DELTA)


def chroma_weighted(predicted: Tensor, true: Tensor) -> Tensor:
    """Squared, and more of it where the truth is colourful."""
    weight = 1 + CHROMA_WEIGHT * true.norm(dim=1, keepdim=True)
    return (weight * (predicted - true).square()).mean()


REGRESSIONS = {"mse": mse, "huber": huber, "chroma": chroma_weighted}


class Classification(nn.Module):
    """Cross entropy with a soft encoding of the true ab over its nearest bins (Zhang et al. 2016,
    sections 2.2 and 2.3).

    Args:
        prior: (bins,) share of each bin among the colours to be learned, for class rebalancing;
            None weighs all bins alike.
    """

    def __init__(self, prior: np.ndarray | None = None) -> None:
        super().__init__()
        nearest, share = _soft_encoding()
        weight = np.ones(len(AB_BINS)) if prior is None else rebalancing(prior)
        self.register_buffer("nearest", torch.from_numpy(nearest), persistent=False)
        self.register_buffer("share", torch.from_numpy(share), persistent=False)
        self.register_buffer("weight", torch.from_numpy(weight).float(), persistent=False)

    def forward(self, logits: Tensor, ab: Tensor) -> Tensor:
        """Loss of (N, bins, h, w) logits whose places are squares of pixels of `ab`."""
        factor = 2 ** round(np.log2(ab.shape[-1] / logits.shape[-1]))
        # ceil_mode: a picture's last places may be smaller
        ab8 = (F.avg_pool2d(ab, factor, ceil_mode=True) + 1) * 127.5
        a, b = ab8.round().long().clamp(0, 255).unbind(1)
        nearest, share = self.nearest[a * 256 + b], self.share[a * 256 + b]  # (N, h, w, 5)
        chosen = logits.float().log_softmax(1).movedim(1, -1).gather(-1, nearest)
        weight = self.weight[nearest[..., 0]]
        return -(weight * (share * chosen).sum(-1)).sum() / weight.sum()


class PatchCritic(nn.Module):
    """A small patch discriminator (Isola et al. 2017): which pictures are in true colours?"""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        for inputs, outputs, stride in ((12, width, 1), (width, 2 * width, 2)):
            conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
            layers += [conv, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(2 * width, 1, 3, padding=1))

    def forward(self, luminance: Tensor, true: Tensor, generated: Tensor) -> Tensor:
        """Cross entropy of its answers, patch by patch."""
        answers = self.layers(
            torch.cat([torch.cat([luminance, ab], 1) for ab in (true, generated)], 0)
        )
        truth = torch.zeros_like(answers)
        truth[len(true) :] = 1
        return F.binary_cross_entropy_with_logits(answers, truth)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context, tensor: Tensor, weight: float) -> Tensor:
        context.weight = weight
        return tensor.view_as(tensor)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        return -context.weight * gradient, None


def reverse_gradient(tensor: Tensor, weight: float) -> Tensor:
    """`tensor` itself, its gradient turned round and weighed (Ganin & Lempitsky 2015): what lies
    behind learns to tell pictures apart, what lies before to make them alike."""
    return _Reversal.apply(tensor, weight)


def rebalancing(prior: np.ndarray) -> np.ndarray:
    """(bins,) weights that favour rare colours, 1 on average (Zhang et al. 2016, equation 4)."""
    distance = np.square(AB_BINS[:, None] - AB_BINS).sum(-1)
    kernel = np.exp(-distance / (2 * SIGMA**2))
    smooth = kernel @ prior / kernel.sum(1)
    mixed = (1 - UNIFORM_SHARE) * smooth / smooth.sum() + UNIFORM_SHARE / len(smooth)
    return 1 / mixed / np.sum(prior / prior.sum() / mixed)


def bin_shares(ab8: np.ndarray) -> np.ndarray:
    """(bins,) share of each bin among (N, 2) uint8 a and b, as a prior for `Classification`."""
    nearest = _soft_encoding()[0][:, 0]
    index = nearest[ab8[:, 0].astype(int) * 256 + ab8[:, 1]]
    return np.bincount(index, minlength=len(AB_BINS)) / len(index)


@functools.cache
def _soft_encoding() -> tuple[np.ndarray, np.ndarray]:
    """Nearest bins (65536, 5) and their shares for every 8-bit (a, b)."""
    grid = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), -1)
    distance, nearest = cKDTree(AB_BINS).query(grid.reshape(-1, 2) - NEUTRAL, NEIGHBOURS)
    share = np.exp(-np.square(distance - distance[:, :1]) / (2 * SIGMA**2))
    return nearest, (share / share.sum(1, keepdims=True)).astype(np.float32)
