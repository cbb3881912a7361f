"""What error a network expects of its own colours."""

import torch
from torch import Tensor, nn


class Doubt(nn.Module):
    """The error that is to be expected of a picture, from its features: a ridge regression of the
    logarithm of the error (the idea of Yoo & Kweon 2019, "Learning loss for active learning",
    fitted to a network that is finished).

    Until `fit` has been called, nothing is doubted.

    Args:
        width: number of features.
    """

    # Weight of the ridge for each picture that is fitted.
    ridge = 0.03

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("weight", torch.zeros(width))
        self.register_buffer("limit", torch.tensor(1.0))

    def forward(self, features: Tensor) -> Tensor:
        """The expected error of (N, width) features over the limit, (N,): above 1 the colours are a
        guess."""
        return ((features - self.mean) @ self.weight - self.limit).exp()

    def fit(self, features: Tensor, errors: Tensor) -> None:
        """Learn from the (n, width) features of pictures and their errors, (n,), above 0."""
        self.mean.copy_(features.mean(0))
        scale = features.std(0).clamp(min=1e-6)
        scaled, logarithm = (features - self.mean) / scale, errors.log()
        covariance = scaled.T @ scaled / len(scaled) + self.ridge * torch.eye(len(scale)).to(scaled)
        target = scaled.T @ (logarithm - logarithm.mean()) / len(scaled)
        self.weight.copy_(torch.linalg.solve(covariance, target) / scale)

    def allow(self, features: Tensor, share: float) -> None:
        """Set the limit so that this share of pictures with (n, width) features is not doubted."""
        self.limit.zero_()
        self.limit.copy_(self(features).log().quantile(share))
