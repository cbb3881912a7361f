"""The "previous solution" that the paper compares itself with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.color import AB_BINS


class ZhangNet(nn.Module):
    """The network of Zhang et al. 2016, "Colorful image colorization", the paper's "previous
    solution": it classifies each place, at 1/4 of the resolution, into one of the ab bins.

    Args:
        width: share of the published channels; with 1 there are 32 M weights.
        temperature: of the annealed mean (section 2.3) that turns the distribution into ab.
    """

    studio_scale = 100
    photo_scale = 256
    takes_hints = False
    cell = 4

    def __init__(self, *, width: float = 0.25, temperature: float = 0.38) -> None:
        super().__init__()
        self.temperature = temperature
        c = [round(n * width) for n in (64, 128, 256, 512, 512, 512, 512, 256)]
        stages = [_stage(1, c[0], 2, stride=2), _stage(c[0], c[1], 2, stride=2)]
        stages += [_stage(c[1], c[2], 3, stride=2), _stage(c[2], c[3], 3)]
        stages += [_stage(c[3], c[4], 3, dilation=2), _stage(c[4], c[5], 3, dilation=2)]
        stages += [_stage(c[5], c[6], 3)]
        up = nn.ConvTranspose2d(c[6], c[7], 4, stride=2, padding=1)
        last = [nn.Conv2d(c[7], c[7], 3, padding=1), nn.ReLU()]
        last += [nn.Conv2d(c[7], c[7], 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*stages, up, nn.ReLU(), *last, nn.Conv2d(c[7], len(AB_BINS), 1))

    def forward(self, luminance: Tensor) -> Tensor:
        return self.distribution(luminance)[0]

    def distribution(self, luminance: Tensor) -> tuple[Tensor, Tensor]:
        """ab, and the logits of the ab bins."""
        height, width = luminance.shape[-2:]
        padded = F.pad(luminance, (0, -width % 8, 0, -height % 8), mode="replicate")
        logits = self.layers(padded)
        ab = annealed_mean(logits, self.temperature)
        ab = F.interpolate(ab, scale_factor=self.cell, mode="bilinear")[..., :height, :width]
        return ab, logits[..., : -(-height // self.cell), : -(-width // self.cell)]


def annealed_mean(logits: Tensor, temperature: float) -> Tensor:
    """ab, (N, 2, h, w), of the logits of the ab bins (section 2.3)."""
    bins = torch.from_numpy(AB_BINS).to(logits.device).float() / 127.5
    return torch.einsum("nqhw,qc->nchw", (logits.float() / temperature).softmax(1), bins)


def _stage(
    inputs: int, outputs: int, convs: int, *, stride: int = 1, dilation: int = 1
) -> nn.Module:
    """Convolutions with ReLU, the last one strided, then batch norm."""
    layers: list[nn.Module] = []
    for index in range(convs):
        step = stride if index == convs - 1 else 1
        conv = nn.Conv2d(inputs, outputs, 3, stride=step, padding=dilation, dilation=dilation)
        layers += [conv, nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs))
