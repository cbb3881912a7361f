"""The network that ships."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.color import AB_BINS
from model.networks.doubt import Doubt
from model.networks.encoder import STEM, WIDTHS, Encoder

# Channels of the decoder at 1/2, 1/4, 1/8 and 1/16.
DECODER = (32, 48, 80, 128)


class ColorNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) on a pretrained encoder, with optional hints: 3.6 M
    weights.

    The encoder sees L as a grey picture, and hints through a stem of their own beside its first
    layer, which begins at zero. At 1/32 the mean over the picture gives every place a view of the
    whole. Half the resolution is enough for colour: ab comes from 1/2 by pixel shuffling. A second
    output at 1/8 is the distribution over ab bins, the colours that are likely at a place (Zhang et
    al. 2017, "Real-time user-guided image colorization", section 3.3).
    """

    studio_scale = 100
    photo_scale = 256
    takes_hints = True
    cell = 8
    coarsest = 32

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.hint_stem = nn.Conv2d(3, STEM, 3, stride=2, padding=1, bias=False)
        nn.init.zeros_(self.hint_stem.weight)
        self.mean = nn.Linear(WIDTHS[-1], WIDTHS[-1])
        nn.init.zeros_(self.mean.weight)
        coarser = (*DECODER[1:], WIDTHS[-1])
        self.decoder = nn.ModuleList(
            _Merge(_conv_norm_relu(below + skipped, width, kernel=1), _Residual(width))
            for below, skipped, width in zip(coarser, WIDTHS, DECODER, strict=False)
        )
        self.to_ab = nn.Conv2d(DECODER[0], 2 * 4, 1)
        self.to_bins = nn.Conv2d(DECODER[2], len(AB_BINS), 1)
        self.register_buffer("bins", torch.from_numpy(AB_BINS).float(), persistent=False)
        self.doubt = Doubt(WIDTHS[-1] + 4)

    def forward(self, luminance: Tensor, hints: Tensor | None = None) -> Tensor:
        return self.distribution(luminance, hints)[0]

    def distribution(self, luminance: Tensor, hints: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """ab, and the logits of the ab bins."""
        return self._decode(self._encode(luminance, hints), *luminance.shape[-2:])

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
        """Features of pictures as a whole, (N, 324): the encoder's, and of the colours that are
        likely the standard deviation, mean and upper tenth, the entropy, and the chroma."""
        features = self._encode(luminance, None)
        ab, logits = self._decode(features, *luminance.shape[-2:])
        chances = logits.softmax(1)
        mean = torch.einsum("nbhw,bc->nchw", chances, self.bins)
        square = torch.einsum("nbhw,b->nhw", chances, self.bins.square().sum(1))
        deviation = (square - mean.square().sum(1)).clamp(min=0).sqrt().flatten(1)
        entropy = torch.special.entr(chances).sum(1).flatten(1)
        spread = (deviation.mean(1), deviation.quantile(0.9, 1), entropy.mean(1))
        chroma = ab.norm(dim=1).mean((1, 2))
        return torch.cat([features[-1].mean((2, 3)), torch.stack([*spread, chroma], 1)], 1)

    def _encode(self, luminance: Tensor, hints: Tensor | None) -> list[Tensor]:
        """Features from 1/2 to 1/32."""
        height, width = luminance.shape[-2:]
        padding = (0, -width % self.coarsest, 0, -height % self.coarsest)
        picture = F.pad(luminance, padding, mode="replicate").expand(-1, 3, -1, -1)
        seen = None if hints is None else self.hint_stem(F.pad(hints, padding))
        return self.encoder(picture, seen)

    def _decode(self, encoded: list[Tensor], height: int, width: int) -> tuple[Tensor, Tensor]:
        """ab, and the logits of the ab bins, of pictures of this size."""
        *skips, features = encoded
        features = features + self.mean(features.mean((2, 3)))[..., None, None]
        decoded = []
        for level, skipped in zip(reversed(self.decoder), reversed(skips), strict=True):
            features = level(features, skipped)
            decoded.append(features)
        ab = F.pixel_shuffle(self.to_ab(features), 2)[..., :height, :width]
        cells = (-(-height // self.cell), -(-width // self.cell))
        return ab, self.to_bins(decoded[1])[..., : cells[0], : cells[1]]


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv_norm_relu(width, width)
        second = nn.Conv2d(width, width, 3, padding=1, bias=False)
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


def _conv_norm_relu(inputs: int, outputs: int, *, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
