"""Batch statistics of averaged weights, and the fit of out-of-distribution detection."""

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from model.photos import shrunk
from model.training.batches import Batches
from model.training.objective import autocast, hint_inputs, inputs, network_inputs
from model.training.recipes import Recipe
from model.training.samples import STUDIO, Samples

# Number of samples from which averaged weights get their batch statistics.
BATCH_NORM_SAMPLES = 1_920
# Number of pictures of each source, about, that out-of-distribution detection is fitted to.
FAMILIAR_PICTURES = 400


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
def fit_familiarity(
    network: nn.Module, samples: Samples, sets: dict[str, Sequence[np.ndarray]]
) -> None:
    """Fit the network's out-of-distribution detection (`model.networks.familiarity`) to the
    pictures of `samples`, photos of all sources as one collection, and its limit to those of
    `sets`, each (3, H, W) uint8 Lab."""
    device = next(network.parameters()).device
    network.eval()

    def summaries(pictures: Sequence[np.ndarray]) -> Tensor:
        luminances = (inputs(np.asarray(lab)[None], device)[0] for lab in pictures)
        return torch.cat([network.summary(luminance) for luminance in luminances])

    learned: dict[str, list[Tensor]] = {}
    for source, groups in samples.sources.items():
        if not any(groups):
            continue
        pictures = list(chain.from_iterable(groups))
        chosen = pictures[:: max(1, len(pictures) // FAMILIAR_PICTURES)]
        small = (shrunk(lab8, network.photo_scale) for lab8 in chosen)
        features = summaries([lab8.transpose(2, 0, 1) for lab8 in small])
        learned.setdefault(source if source in STUDIO else "photos", []).append(features)
    network.familiarity.fit(
        [torch.cat(parts) for parts in learned.values()],
        torch.cat([summaries(lab) for lab in sets.values()]),
    )
