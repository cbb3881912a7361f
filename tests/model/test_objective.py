"""What is minimized and how: the loss, the learning rate, weight decay, and measuring."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.data.fruits360 import load_split
from model.networks.colornet import ColorNet
from model.networks.paper import PaperNet
from model.training import objective, validation
from model.training.losses import Classification
from model.training.objective import Objective, autocast, inputs, learning_rate, optimizer_of
from model.training.recipes import RECIPES
from model.training.sources import to_lab
from model.training.validation import dead_channels, evaluation_loss, predict

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def lab(rendered_dir: Path) -> np.ndarray:
    return to_lab(load_split(rendered_dir, "val").rgb)


# Loss and optimizer


def test_the_papers_loss_is_the_mean_squared_error_of_ab(lab):
    network = PaperNet()
    torch.nn.init.zeros_(network.layers[-2].weight)  # grey
    luminance, ab = inputs(lab, CPU)
    loss = Objective(network, RECIPES["paper"])(luminance, ab, None)
    assert loss.item() == pytest.approx(np.mean(np.square(lab[:, 1:] / 127.5 - 1)), rel=1e-5)


def test_a_distribution_adds_its_share_to_the_loss(lab):
    torch.manual_seed(0)
    network = ColorNet().eval()
    batch = (*inputs(lab[:1, :, :32, :32], CPU), None)
    recipe = replace(RECIPES["colornet"], bfloat16=False)
    without = Objective(network, replace(recipe, distribution=0))(*batch)
    alone = Classification()(network.distribution(batch[0])[1], batch[1])
    loss = Objective(network, replace(recipe, distribution=0.5))(*batch)
    assert loss.item() == pytest.approx(without.item() + 0.5 * alone.item(), rel=1e-4)


def decayed(encoder_rate: float) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Weights of ColorNet before and after a step of pure weight decay, with learning rates as the
    loop sets them: 0.01, and this share of it for the encoder."""
    network = ColorNet()
    recipe = replace(RECIPES["colornet"], weight_decay=1, encoder_rate=encoder_rate)
    before = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    optimizer = optimizer_of(Objective(network, recipe), recipe)
    for group in optimizer.param_groups:
        group["lr"] = group["share"] * 0.01
    for tensor in network.parameters():
        tensor.grad = torch.zeros_like(tensor)
    optimizer.step()
    for name, tensor in network.named_parameters():
        yield name, before[name], tensor.detach()


def test_weight_decay_shrinks_matrices_and_kernels_alone_and_the_encoders_less():
    for name, before, after in decayed(encoder_rate=0.25):
        rate = 0.0025 if name.startswith("encoder.") else 0.01
        torch.testing.assert_close(after, before * (1 - rate) if before.ndim > 1 else before)


def test_an_encoder_at_rate_0_is_frozen():
    for name, before, after in decayed(encoder_rate=0):
        if name.startswith("encoder."):
            assert torch.equal(after, before)


def test_the_learning_rate_warms_up_and_comes_down():
    recipe = replace(RECIPES["colornet"], learning_rate=0.002)
    rates = [learning_rate(recipe, done) for done in np.linspace(0, 1, 101)]
    highest = int(np.argmax(rates))
    assert 2 <= highest <= 10 and max(rates) == pytest.approx(0.002, rel=0.02)
    assert rates[:highest] == sorted(rates[:highest])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[0] < 0.01 * max(rates) and rates[-1] < 0.01 * max(rates)
    assert {learning_rate(RECIPES["paper"], done) for done in (0, 0.5, 1)} == {1e-3}


@pytest.mark.parametrize("able", [False, True])
def test_bfloat16_is_used_where_the_processor_has_it(monkeypatch, able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able})
    assert objective.computes_bfloat16(CPU) is able
    with autocast(CPU, RECIPES["colornet"]):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if able else torch.float32)


# Measuring


@pytest.mark.parametrize("dead", [[], ["a"], ["b"], ["a", "b"]])
def test_dead_outputs_are_found(lab, dead):
    torch.manual_seed(0)
    network = PaperNet()
    with torch.no_grad():
        for number, channel in enumerate("ab"):
            network.layers[-2].bias[number] = -1e9 if channel in dead else 1
    assert dead_channels(network, lab) == dead


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("finished", [True, False])
def test_measuring_leaves_the_network_in_its_mode(lab, monkeypatch, mode, finished):
    monkeypatch.setattr(validation, "EVALUATION_BATCH", 4)
    network = PaperNet().train(mode)
    measured = predict(network, lab)
    next(measured)
    if finished:
        list(measured)
    else:
        measured.close()
    assert network.training is mode


def test_the_loss_of_all_pictures_is_the_mean_of_their_losses(lab, monkeypatch):
    torch.manual_seed(1)
    network = PaperNet()
    each = [evaluation_loss(network, picture[None]) for picture in lab]
    monkeypatch.setattr(validation, "EVALUATION_BATCH", 4)  # 9 pictures: 4, 4 and 1
    assert evaluation_loss(network, lab) == pytest.approx(np.mean(each), rel=1e-5)
