"""What the loss of a distribution rewards."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.color import AB_BINS, normalize_ab
from model.training.losses import SIGMA, Classification

BINS = len(AB_BINS)


def of_color(a: float, b: float, side: int = 16) -> Tensor:
    """(1, 2, side, side) of one real a and b."""
    ab = torch.from_numpy(normalize_ab(np.float32([a, b])))
    return ab[None, :, None, None].expand(1, 2, side, side).clone()


def bin_of(a: float, b: float) -> int:
    return int(np.argmin(np.abs(AB_BINS - (a, b)).sum(1)))


def certain_of(*bins: int, side: int = 2, sure: float = 8) -> Tensor:
    """Logits of a network that thinks these bins likely, and equally so."""
    logits = torch.zeros(1, BINS, side, side)
    logits[:, list(bins)] = sure
    return logits


@pytest.mark.parametrize("color", [(0, 0), (50, 30), (-40, 40), (20, -60)])
def test_the_surer_of_the_true_bin_the_lower_the_loss(color):
    loss, true = Classification(), of_color(*color)
    unsure = loss(torch.zeros(1, BINS, 2, 2), true).item()
    assert unsure == pytest.approx(math.log(BINS), rel=1e-4)
    sure = loss(certain_of(bin_of(*color), sure=4), true).item()
    assert sure < 0.75 * unsure


def test_a_bin_beside_the_true_one_is_better_than_one_far_away():
    loss, true = Classification(), of_color(50, 30)
    exact, beside, far = (
        loss(certain_of(bin_of(*color)), true).item() for color in ((50, 30), (60, 30), (-60, 30))
    )
    assert exact < beside < far


def test_nothing_is_better_than_the_soft_encoding_itself():
    """The best logits for one colour are those of its five nearest bins (Zhang et al. 2016)."""
    loss, true = Classification(), of_color(50, 30)
    logits = nn.Parameter(torch.zeros(1, BINS, 1, 1))
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        loss(logits, true).backward()
        optimizer.step()
    found = logits.detach().softmax(1)[0, :, 0, 0].numpy()
    distance = np.linalg.norm(AB_BINS - (50, 30), axis=1)
    nearest = np.argsort(distance)[:5]
    expected = np.exp(-(distance[nearest] ** 2) / (2 * SIGMA**2))
    np.testing.assert_allclose(found[nearest], expected / expected.sum(), atol=0.01)
    assert found[nearest].sum() > 0.98


def test_a_colour_between_two_bins_is_shared_by_both():
    loss, true = Classification(), of_color(45, 30)
    one, other = bin_of(40, 30), bin_of(50, 30)
    both = loss(certain_of(one, other), true)
    assert both < loss(certain_of(one), true)
    assert both < loss(certain_of(other), true)


@pytest.mark.parametrize(("side", "places"), [(112, 14), (112, 28), (100, 13), (100, 25)])
def test_a_place_answers_for_its_pixels(side, places):
    """Left half red, right half green: logits that say so at each place are nearly right."""
    true = of_color(50, 30, side)
    true[..., side // 2 :] = of_color(-40, 40, 1)
    right = torch.zeros(1, BINS, places, places)
    right[:, bin_of(50, 30), :, : places // 2] = 8
    right[:, bin_of(-40, 40), :, places // 2 :] = 8
    loss = Classification()
    assert loss(right, true) < 0.5 * loss(right.flip(-1), true)
