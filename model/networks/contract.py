"""The contract that all networks keep, and the abilities that only some have.

L is `(N, 1, H, W) float32 in -1..1`, ab is `(N, 2, H, W) float32` in the paper's units
(`model.color`). Any height and width from 1 pixel up works. Hints are `(N, 3, H, W) float32`: ab
and a mask that is 1 where they are given; all three are 0 elsewhere.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor

from model.networks.doubt import Doubt


class Network(Protocol):
    """From L to ab.

    Attributes:
        studio_scale, photo_scale: the longer side, in pixels, at which the network was trained on
            fruit on white and on other photos.
        takes_hints: whether every method that takes L also takes hints.
    """

    studio_scale: int
    photo_scale: int
    takes_hints: bool

    def __call__(self, luminance: Tensor, hints: Tensor | None = None) -> Tensor:
        """ab of L."""


@runtime_checkable
class GivesDistribution(Protocol):
    """A network that knows which colours are likely where.

    Attributes:
        cell: the side, in pixels, of the squares that the distribution is given for.
    """

    cell: int

    def distribution(self, luminance: Tensor, hints: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """ab, and the logits of `model.color.AB_BINS`, (N, bins, h, w), one for each cell."""


@runtime_checkable
class AveragesViews(Protocol):
    """A network that can average its predictions over several views of a picture (test-time
    augmentation)."""

    def averaged(self, luminance: Tensor, hints: Tensor | None = None) -> Tensor:
        """ab as the mean over the views."""


@runtime_checkable
class DoubtsItself(Protocol):
    """A network that expects an error of its colours, by a `doubt` of its own, a
    `model.networks.doubt.Doubt`."""

    doubt: Doubt

    def summary(self, luminance: Tensor) -> Tensor:
        """Features of pictures as a whole, (N, features), which are judged."""
