"""Out-of-distribution detection on a network's features."""

import torch
from torch import Tensor, nn


class Familiarity(nn.Module):
    """How unlike the pictures of training a picture is: the Mahalanobis distance of its features
    to those of the nearest collection (Lee et al. 2018, "A simple unified framework
    for detecting out-of-distribution samples").

    Until `fit` has been called, every picture counts as like them.

    Args:
        width: number of features.
        collections: number of collections of pictures, each of which has a mean of its own.
    """

    # Share of the covariance that is replaced by a multiple of the identity.
    shrinkage = 0.05

    def __init__(self, width: int, collections: int = 3) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(collections, width))
        self.register_buffer("precision", torch.eye(width))
        self.register_buffer("limit", torch.tensor(torch.finfo(torch.float32).max))

    def forward(self, features: Tensor) -> Tensor:
        """Distance of (N, width) features over the limit, (N,): above 1 is unlike."""
        away = features[:, None] - self.means
        return (away @ self.precision * away).sum(-1).min(1).values / self.limit

    def fit(self, learned: list[Tensor], others: Tensor, *, share: float = 0.99) -> None:
        """Learn from (n, width) features of each collection. The limit is set so that `share` of
        `others`, further pictures of the same kinds, count as like them."""
        means = [features.mean(0) for features in learned]
        missing = len(self.means) - len(means)
        self.means.copy_(torch.stack([*means, *means[:1] * missing]))
        spread = torch.cat([f - m for f, m in zip(learned, means, strict=True)])
        covariance = spread.T @ spread / len(spread)
        level = covariance.diagonal().mean()
        covariance = covariance.lerp(level * torch.eye(len(covariance)).to(level), self.shrinkage)
        precision = torch.linalg.inv(covariance)
        self.precision.copy_(precision / precision.abs().max())  # the limit takes up the scale
        self.limit.fill_(1)
        self.limit.copy_(self(others).quantile(share))
