"""Batch statistics of averaged weights, and the error that a network expects of its colours."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from model.color import denormalize_ab, lab_to_rgb
from model.metrics import photo_ciede2000
from model.photos import shrunk
from model.training.batches import Batches
from model.training.objective import autocast, hint_inputs, inputs, network_inputs
from model.training.recipes import Recipe
from model.training.samples import Samples

# Number of samples from which averaged weights get their batch statistics.
BATCH_NORM_SAMPLES = 1_920
# Number of pictures of each source, about, that the expected error is fitted to.
DOUBTED_PICTURES = 300
# Share of the better half of validation photos whose colours may be called a guess.
DOUBTED_SHARE = 0.09


@torch.no_grad()
def update_batch_norm(network: nn.Module, batches: Batches, recipe: Recipe) -> None:
    """Give averaged weights batch statistics of their own: those of the weights that they are
    averaged from do not fit (Izmailov et al. 2018, section 3.2)."""
    device = next(network.parameters()).device
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
            module.train()
    for step in range(min(math.ceil(BATCH_NORM_SAMPLES / batches.size), batches.steps_an_epoch)):
        lab, hints = batches.whole(step)
        given = network_inputs(network, inputs(lab, device)[0], hint_inputs(hints, device))
        with autocast(device, recipe):
            network(*given)
    network.eval()


@torch.no_grad()
def fit_doubt(network: nn.Module, samples: Samples, sets: dict[str, Sequence[np.ndarray]]) -> None:
    """Fit the error that the network expects of its colours (`model.networks.doubt`), CIEDE2000, to
    pictures of `samples`, and its limit to the ordinary photos of `sets` whose error is below the
    median, each (3, H, W) uint8 Lab."""
    network.eval()
    features, errors = [], []
    for groups in samples.sources.values():
        pictures = list(chain.from_iterable(groups))
        chosen = pictures[:: max(1, len(pictures) // DOUBTED_PICTURES)]
        small = (shrunk(lab8, network.photo_scale).transpose(2, 0, 1) for lab8 in chosen)
        for found, error in _judged(network, small):
            features.append(found)
            errors.append(error)
    network.doubt.fit(torch.cat(features), torch.tensor(errors).clamp(min=0.1))
    judged = sorted(_judged(network, sets["general"]), key=lambda picture: picture[1])
    better = [found for found, _ in judged[: max(1, len(judged) // 2)]]
    network.doubt.allow(torch.cat(better), 1 - DOUBTED_SHARE)


def _judged(network: nn.Module, pictures: Iterable[np.ndarray]) -> Iterator[tuple[Tensor, float]]:
    """The features of (3, H, W) uint8 Lab pictures, (1, F), and the error of their colours."""
    device = next(network.parameters()).device
    for lab8 in tqdm(pictures, desc="judging", unit="", disable=None):
        luminance = inputs(lab8[None], device)[0]
        ab = denormalize_ab(network(luminance)[0].permute(1, 2, 0).cpu().numpy())
        rgb = lab_to_rgb(lab8[0].astype(np.float32) * (100 / 255), ab)
        true = cv2.cvtColor(np.ascontiguousarray(lab8.transpose(1, 2, 0)), cv2.COLOR_LAB2RGB)
        yield network.summary(luminance).cpu(), photo_ciede2000(rgb, true)
