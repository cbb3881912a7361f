"""A classifier two-sample test (Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests").

A small classifier, the machine rater, learns to tell true colours from generated ones. Each photo
is shown in its true and in its generated colours, both through the same pipeline and the same JPEG
encoder. The classifier learns from one half of the photos; its accuracy on the other is 0.5 by
chance, and 1 where it always sees which is which.
"""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from model.color import rgb_to_lab
from model.colorizer.pipeline import Colorizer
from model.colorizer.upsampling import recolor

JPEG_QUALITY = 90
EPOCHS, BATCH, LEARNING_RATE = 15, 32, 2e-3
# Number of classifiers, each of which halves the photos in its own way.
SEEDS = 3
# Largest number of photos that are rated.
MAX_PHOTOS = 1_000


def machine_rater(colorizer: Colorizer, photos: Sequence[np.ndarray]) -> dict[str, float]:
    """How well a classifier tells control from generated pictures.

    Args:
        colorizer: what makes the generated ones.
        photos: (H, W, 3) uint8 RGB in true colours, all of one size; of more than `MAX_PHOTOS`
            evenly spread ones are taken.

    Returns:
        photos, their number, and accuracy on pictures not learned from: the mean over `SEEDS`
        classifiers and halvings, the lowest and the highest.
    """
    chosen = [
        photos[i] for i in np.linspace(0, len(photos) - 1, min(MAX_PHOTOS, len(photos)), dtype=int)
    ]
    control, generated = [], []
    for rgb in tqdm(chosen, desc="colorizing", unit="photo", disable=None):
        control.append(encoded(recolor(rgb, rgb_to_lab(rgb)[..., 1:])))
        generated.append(encoded(recolor(rgb, colorizer.predict_ab(rgb))))
    pairs = torch.from_numpy(np.stack([control, generated], 1)).permute(0, 1, 4, 2, 3)
    seeds = tqdm(range(SEEDS), desc="rating", unit="rater", disable=None)
    accuracies = [_accuracy(pairs, seed) for seed in seeds]
    return {
        "photos": len(chosen),
        "accuracy": float(np.mean(accuracies)),
        "lowest": min(accuracies),
        "highest": max(accuracies),
    }


def encoded(rgb: np.ndarray) -> np.ndarray:
    """`rgb` after JPEG of `JPEG_QUALITY`: what differs is the colour, not the encoder."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file))


def classifier() -> nn.Module:
    """About 24,000 weights: logit of "generated" for (N, 3, H, W) RGB in 0..1."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1))


def _accuracy(pairs: torch.Tensor, seed: int) -> float:
    """Of one classifier: pairs is (photos, 2, 3, H, W) uint8, control first."""
    torch.manual_seed(seed)
    order = torch.randperm(len(pairs))
    learned, asked = order.tensor_split(2)
    network = classifier().to(memory_format=torch.channels_last)
    steps = EPOCHS * -(-len(learned) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in learned[torch.randperm(len(learned))].split(BATCH):
            pictures = pairs[rows].flatten(0, 1) / 255
            if torch.rand(()) < 0.5:
                pictures = pictures.flip(-1)
            answers = network(pictures)[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(answers, _truth(rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.inference_mode():
        right = [
            (network(pairs[rows].flatten(0, 1) / 255)[:, 0] > 0) == (_truth(rows) > 0)
            for rows in asked.split(BATCH)
        ]
    return torch.cat(right).float().mean().item()


def _truth(rows: torch.Tensor) -> torch.Tensor:
    return torch.tensor([0.0, 1.0]).repeat(len(rows))
