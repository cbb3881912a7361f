"""What each training loss rewards, by hand-computed values."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.color import AB_BINS, normalize_ab
from model.training.losses import (
    CHROMA_WEIGHT,
    HUBER_DELTA,
    REGRESSIONS,
    SIGMA,
    UNIFORM_SHARE,
    Classification,
    PatchCritic,
    bin_shares,
    chroma_weighted,
    huber,
    mse,
    rebalancing,
    reverse_gradient,
)

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


# Regression


@pytest.mark.parametrize("loss", REGRESSIONS.values(), ids=REGRESSIONS)
def test_no_error_is_no_loss_and_more_error_is_more(loss):
    true = torch.rand(2, 2, 8, 8) * 2 - 1
    losses = [loss(true + error, true).item() for error in (0, 0.01, 0.1, 0.5)]
    assert losses[0] == 0
    assert losses == sorted(losses) and len(set(losses)) == 4


def test_mse_is_the_papers_loss():
    assert mse(torch.tensor([1.0, 0, 0, 0]), torch.zeros(4)).item() == 0.25


def test_huber_is_squared_for_small_errors_and_linear_for_large_ones():
    zero = torch.zeros(1)
    small, large = HUBER_DELTA / 2, 10 * HUBER_DELTA
    assert huber(zero + small, zero).item() == pytest.approx(small**2 / 2)
    expected = HUBER_DELTA * (large - HUBER_DELTA / 2)
    assert huber(zero + large, zero).item() == pytest.approx(expected)


def test_an_outlier_weighs_less_in_huber_than_in_mse():
    true = torch.zeros(1, 2, 10, 10)
    even, outlier = true + 0.03, true.clone()
    outlier[0, 0, 0, 0] = 0.03 * math.sqrt(200)  # the same squared error, all in one place
    assert mse(even, true).item() == pytest.approx(mse(outlier, true).item(), rel=1e-4)
    assert huber(outlier, true) < 0.3 * huber(even, true)


def test_an_error_where_the_truth_is_colourful_weighs_more():
    grey, red = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    red[:, 0] = 0.5
    assert chroma_weighted(grey + 0.1, grey).item() == pytest.approx(0.01)
    weighed = chroma_weighted(red + 0.1, red).item()
    assert weighed == pytest.approx((1 + 0.5 * CHROMA_WEIGHT) * 0.01)


# Classification


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


def test_a_rare_colour_weighs_more_after_rebalancing():
    prior = np.zeros(BINS)
    prior[[bin_of(50, 30), bin_of(-40, 40)]] = 0.95, 0.05  # mostly red, some green
    true = of_color(50, 30)
    true[..., 8:] = of_color(-40, 40, 1)  # here half of each
    all_red, all_green = (
        certain_of(bin_of(*color)).requires_grad_() for color in ((50, 30), (-40, 40))
    )
    plain, rebalanced = Classification(), Classification(prior)
    assert plain(all_red, true).item() == pytest.approx(plain(all_green, true).item(), rel=1e-3)
    assert rebalanced(all_green, true) < rebalanced(all_red, true)


# Rebalancing


def weights_by_hand(prior: np.ndarray) -> np.ndarray:
    """Equation 4 of Zhang et al. 2016, bin by bin."""
    smooth = []
    for center in AB_BINS:
        near = [math.exp(-((center - other) ** 2).sum() / (2 * SIGMA**2)) for other in AB_BINS]
        smooth.append(np.dot(near, prior) / sum(near))
    total = sum(smooth)
    weights = [1 / ((1 - UNIFORM_SHARE) * s / total + UNIFORM_SHARE / BINS) for s in smooth]
    return np.array(weights) / np.dot(weights, prior)


@pytest.fixture
def prior() -> np.ndarray:
    """Shares as those of photos: the duller the more."""
    shares = np.exp(-np.linalg.norm(AB_BINS, axis=1) / 15)
    return shares / shares.sum()


def test_rebalancing_is_the_published_formula(prior):
    np.testing.assert_allclose(rebalancing(prior), weights_by_hand(prior), rtol=1e-5)


def test_weights_are_1_on_average_over_the_colours_seen(prior):
    assert np.dot(rebalancing(prior), prior) == pytest.approx(1)


def test_rare_bins_weigh_more_than_common_ones(prior):
    weights = rebalancing(prior)
    common, rare = np.argmax(prior), np.argmin(prior)
    assert weights[common] < 1 < weights[rare]
    assert weights[rare] / weights[common] > 5
    assert np.isfinite(rebalancing(np.eye(BINS)[common])).all()  # bins without any colour


def test_where_all_colours_are_equally_common_none_weighs_more():
    np.testing.assert_allclose(rebalancing(np.full(BINS, 1 / BINS)), 1, rtol=1e-5)


def test_shares_of_bins_are_counted():
    ab8 = np.uint8([[128, 128]] * 3 + [[128 + 50, 128 + 31]])
    shares = bin_shares(ab8)
    assert shares.sum() == pytest.approx(1)
    assert shares[bin_of(0, 0)] == 0.75 and shares[bin_of(50, 30)] == 0.25


# The critic


def test_a_reversed_gradient_leaves_the_value():
    tensor = torch.tensor([1.0, 2.0], requires_grad=True)
    passed = reverse_gradient(tensor, 0.25)
    assert torch.equal(passed, tensor)
    (3 * passed).sum().backward()
    assert tensor.grad.tolist() == [-0.75, -0.75]


@pytest.fixture
def shown() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    luminance = torch.rand(4, 1, 32, 32) * 2 - 1
    return luminance, torch.cat([0.4 * luminance, 0.2 - 0.4 * luminance], 1)


def taught(critic: PatchCritic, luminance: Tensor, true: Tensor, generated: Tensor) -> float:
    optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = critic(luminance, true, generated)
        loss.backward()
        optimizer.step()
    return loss.item()


def test_the_critic_learns_to_tell_grey_from_true_colours(shown):
    luminance, true = shown
    assert taught(PatchCritic(16), luminance, true, torch.zeros_like(true)) < 0.1


def test_the_critic_cannot_tell_what_is_the_same(shown):
    luminance, true = shown
    # less than log 2 would be better than guessing
    assert taught(PatchCritic(16), luminance, true, true) > math.log(2) - 1e-3


def test_what_deceives_the_critic_looks_more_like_true_colours(shown):
    """Trained against each other, a network's grey takes on the true mean colour."""
    luminance, true = shown
    critic, color = PatchCritic(16), nn.Parameter(torch.zeros(1, 2, 1, 1))
    true = torch.full_like(true, 0.3)
    optimizer = torch.optim.Adam(
        [{"params": critic.parameters(), "lr": 1e-3}, {"params": [color], "lr": 1e-2}]
    )
    for _ in range(60):
        optimizer.zero_grad()
        generated = reverse_gradient(color.expand_as(true), 1.0)
        critic(luminance, true, generated).backward()
        optimizer.step()
    assert (color.detach() > 0.1).all()
