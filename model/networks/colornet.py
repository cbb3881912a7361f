"""The network that ships."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.color import AB_BINS
from model.networks.familiarity import Familiarity


class ColorNet(nn.Module):
    """A residual U-Net (Ronneberger et al. 2015) with attention and optional hints: 4.3 M weights.

    Half the resolution is enough for colour, so it works from 1/2 to 1/16 of it: pixel
    (un)shuffling brings picture and hints down to 1/2 and ab up again. At 1/16 dilated blocks,
    attention and the mean over the picture give every place a view of the whole. A second output
    at 1/8 is the distribution over ab bins, the colours that are likely at a place (Zhang et al.
    2017, "Real-time user-guided image colorization", section 3.3).

    Args:
        dilation: whether the blocks at 1/16 are dilated.
        attention: whether every place at 1/16 attends to all others.
        mean: whether every place at 1/16 is given the mean over the picture.
        dropout: share of the channels that training leaves out, at 1/8 and after the context.
    """

    studio_scale = 100
    photo_scale = 256
    takes_hints = True
    cell = 8
    coarsest = 16

    def __init__(
        self,
        *,
        dilation: bool = True,
        attention: bool = True,
        mean: bool = True,
        dropout: float = 0,
    ) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        self.stem = _conv_norm_relu(4 * 4, widths[0])
        self.encoder = nn.ModuleList([_Residual(widths[0])])
        for above, width in pairwise(widths):
            down = _conv_norm_relu(above, width, stride=2)
            second = _Residual(width, dilation=2 if dilation and width == widths[-1] else 1)
            left_out = nn.Dropout2d(dropout if width == widths[-2] else 0)
            self.encoder.append(nn.Sequential(down, _Residual(width), second, left_out))
        context = _Context(widths[-1], attention=attention, mean=mean)
        self.context = context if attention or mean else nn.Identity()
        self.dropout = nn.Dropout2d(dropout)
        self.decoder = nn.ModuleList(
            _Merge(_conv_norm_relu(below + width, width, kernel=1), _Residual(width))
            for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.to_ab = nn.Conv2d(widths[0], 2 * 4, 1)
        self.to_bins = nn.Conv2d(widths[2], len(AB_BINS), 1)
        self.familiarity = Familiarity(widths[-1])

    def forward(self, luminance: Tensor, hints: Tensor | None = None) -> Tensor:
        return self._decode(luminance, hints)[0]

    def distribution(self, luminance: Tensor, hints: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """ab, and the logits of the ab bins."""
        height, width = luminance.shape[-2:]
        ab, features = self._decode(luminance, hints)
        return ab, self.to_bins(features)[..., : -(-height // self.cell), : -(-width // self.cell)]

    def averaged(self, luminance: Tensor, hints: Tensor | None = None) -> Tensor:
        """ab as the mean over four views of the pictures: as they are and mirrored, both also moved
        by half a place of the coarsest level. The errors of a view are partly its own."""
        step = self.coarsest // 2
        views = []
        for shift in (0, step):
            padding = (shift, step - shift) * 2
            view = [F.pad(luminance, padding, mode="replicate")]
            view += [] if hints is None else [F.pad(hints, padding)]
            views += [view, [channels.flip(-1) for channels in view]]
        ab = self(*(torch.cat(channels) for channels in zip(*views, strict=True)))
        plain, mirrored, moved, both = ab.chunk(4)
        height, width = luminance.shape[-2:]
        at_place = (plain + mirrored.flip(-1))[..., :height, :width]
        return (at_place + (moved + both.flip(-1))[..., step:, step:]) / 4

    def summary(self, luminance: Tensor) -> Tensor:
        """Features of pictures as a whole, (N, 256)."""
        return self._encode(luminance, None)[0].mean((2, 3))

    def unfamiliarity(self, luminance: Tensor) -> Tensor:
        """How unlike the pictures of training each picture is, (N,): above 1 is unlike."""
        return self.familiarity(self.summary(luminance))

    def _encode(self, luminance: Tensor, hints: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Features at 1/16, and those at 1/2, 1/4 and 1/8."""
        height, width = luminance.shape[-2:]
        if hints is None:
            hints = luminance.new_zeros(len(luminance), 3, height, width)
        padding = (0, -width % self.coarsest, 0, -height % self.coarsest)
        padded = [F.pad(luminance, padding, mode="replicate"), F.pad(hints, padding)]
        features = self.stem(F.pixel_unshuffle(torch.cat(padded, 1), 2))
        skips = []
        for level in self.encoder:
            features = level(features)
            skips.append(features)
        return self.dropout(self.context(skips.pop())), skips

    def _decode(self, luminance: Tensor, hints: Tensor | None) -> tuple[Tensor, Tensor]:
        """ab, and the features at 1/8."""
        height, width = luminance.shape[-2:]
        features, skips = self._encode(luminance, hints)
        at_eighth, *others = self.decoder
        features = eighth = at_eighth(features, skips.pop())
        for level in others:
            features = level(features, skips.pop())
        return F.pixel_shuffle(self.to_ab(features), 2)[..., :height, :width], eighth


class _Residual(nn.Module):
    def __init__(self, width: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv_norm_relu(width, width, dilation=dilation)
        second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.second = nn.Sequential(second, nn.BatchNorm2d(width))
        nn.init.zeros_(self.second[1].weight)  # begins as the identity

    def forward(self, features: Tensor) -> Tensor:
        return F.relu_(self.second(self.first(features)).add_(features))


class _Merge(nn.Sequential):
    """Features of the next coarser level, enlarged, and those of this one through a 1x1
    convolution; enlarged after it, which is the same and a quarter of the work."""

    def forward(self, coarser: Tensor, features: Tensor) -> Tensor:
        (conv, *rest), residual = self
        of_coarser, of_features = conv.weight.split([coarser.shape[1], features.shape[1]], 1)
        enlarged = F.interpolate(F.conv2d(coarser, of_coarser), scale_factor=2, mode="nearest")
        merged = F.conv2d(features, of_features, conv.bias).add_(enlarged)
        for layer in rest:
            merged = layer(merged)
        return residual(merged)


class _Context(nn.Module):
    """A view of the whole for every place: multi-head attention, and the mean."""

    def __init__(self, width: int, *, attention: bool, mean: bool, heads: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = (
            nn.MultiheadAttention(width, heads, batch_first=True) if attention else None
        )
        self.mean = nn.Linear(width, width) if mean else None

    def forward(self, features: Tensor) -> Tensor:
        places = self.norm(features.flatten(2).transpose(1, 2))
        seen = torch.zeros_like(places)
        if self.attention is not None:
            seen = self.attention(places, places, places, need_weights=False)[0]
        if self.mean is not None:
            seen = seen + self.mean(places.mean(1, keepdim=True))
        return features + seen.transpose(1, 2).reshape(features.shape)


def _conv_norm_relu(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(
        inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
