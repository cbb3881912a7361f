"""The networks, and their weights on disk.

Each network takes L, `(N, 1, H, W) float32 in -1..1`, and gives ab, `(N, 2, H, W) float32` in the
paper's units (`model.color`). Any height and width from 1 pixel up works. Those in `HINTED` also
take hints, `(N, 3, H, W) float32`: ab and a mask that is 1 where they are given, all 0 elsewhere.
Those with a `distribution` also give the logits of `model.color.AB_BINS`, `(N, bins, h, w)`, one
for each square of `cell` pixels.

Attributes: `studio_scale` and `photo_scale`, the pixels of the longer side of a fruit on white and
of any other photo at which the network was trained.
"""

import json
import math
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from model.color import AB_BINS

WEIGHTS_FOLDER = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights that cannot be used; the message is one sentence that says what to do."""


class PaperNet(nn.Module):
    """The network of Leisher & Martin: 17,555 parameters.

    "Same" padding, ReLU after every convolution, the last included, and He-normal weights (He et
    al. 2015). The ReLU on the output means that a and b are never below neutral: this network
    cannot paint green or blue. "Upsample" repeats pixels, the default of the paper's time.
    """

    studio_scale = photo_scale = 100

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv_relu(1, 16, 5),
            *_conv_relu(16, 16, 5),
            nn.MaxPool2d(2),
            *_conv_relu(16, 12, 5),
            *_conv_relu(12, 9, 5, stride=2),
            nn.Upsample(scale_factor=2),
            *_conv_relu(9, 32, 3),
            nn.Upsample(scale_factor=2),
            *_conv_relu(32, 2, 3),
        )

    def forward(self, luminance: Tensor) -> Tensor:
        height, width = luminance.shape[-2:]
        # pooling and stride halve twice: go on in multiples of 4 and cut the edge off again
        padded = F.pad(luminance, (0, -width % 4, 0, -height % 4), mode="replicate")
        return self.layers(padded)[..., :height, :width]


def _conv_relu(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return [conv, nn.ReLU()]


class ColorNet(nn.Module):
    """A residual U-Net (Ronneberger et al. 2015) with attention and optional hints: 4.3 M weights.

    Half the resolution is enough for colour, so it works from 1/2 to 1/16 of it: pixel
    (un)shuffling brings picture and hints down to 1/2 and ab up again. At 1/16 dilated blocks,
    attention and the mean over the picture give every place a view of the whole. A second output
    at 1/8 is the distribution over ab bins, the colours that are likely at a place (Zhang et al.
    2017, "Real-time user-guided image colorization", section 3.3).

    Args:
        dilation: dilate the blocks at 1/16.
        attention: at 1/16.
        mean: of the picture at 1/16, for every place.
        dropout: share of the channels at 1/8 and behind the context that training leaves out.
    """

    studio_scale = 100
    photo_scale = 256
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
        """What the network sees in pictures as a whole, (N, 256): what `familiarity` judges."""
        return self._encode(luminance, None)[0].mean((2, 3))

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


class Familiarity(nn.Module):
    """Whether a picture is like those that a network learned from: the Mahalanobis distance of
    its features to the nearest collection of them (Lee et al. 2018, "A simple unified framework
    for detecting out-of-distribution samples").

    Args:
        width: of the features.
        collections: of pictures, each with a mean of its own.
    """

    shrinkage = 0.05  # of the covariance, towards a multiple of the identity

    def __init__(self, width: int, collections: int = 3) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(collections, width))
        self.register_buffer("precision", torch.eye(width))
        self.register_buffer("limit", torch.tensor(torch.inf))

    def forward(self, features: Tensor) -> Tensor:
        """Distance of (N, width) features over the limit, (N,): above 1 is unlike."""
        away = features[:, None] - self.means
        return (away @ self.precision * away).sum(-1).min(1).values / self.limit

    def fit(self, learned: list[Tensor], others: Tensor, *, share: float = 0.99) -> None:
        """Learn from (n, width) features of each collection; `share` of `others`, pictures like
        these but not among them, are to count as like."""
        means = [features.mean(0) for features in learned]
        missing = len(self.means) - len(means)
        self.means.copy_(torch.stack([*means, *means[:1] * missing]))
        spread = torch.cat([f - m for f, m in zip(learned, means, strict=True)])
        covariance = spread.T @ spread / len(spread)
        level = covariance.diagonal().mean()
        covariance = covariance.lerp(level * torch.eye(len(covariance)).to(level), self.shrinkage)
        precision = torch.linalg.inv(covariance)
        self.precision.copy_(precision / precision.abs().max())  # the limit takes up the scale
        self.limit.fill_(1)
        self.limit.copy_(self(others).quantile(share))


class ZhangNet(nn.Module):
    """The network of Zhang et al. 2016, "Colorful image colorization", the paper's "previous
    solution": it classifies each place, at 1/4 of the resolution, into one of the ab bins.

    Args:
        width: share of the published channels; 1 has 32 M weights.
        temperature: of the annealed mean (section 2.3) that makes ab of the distribution.
    """

    studio_scale = 100
    photo_scale = 256
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
        bins = torch.from_numpy(AB_BINS).float() / 127.5
        self.register_buffer("bins", bins, persistent=False)

    def forward(self, luminance: Tensor) -> Tensor:
        return self.distribution(luminance)[0]

    def distribution(self, luminance: Tensor) -> tuple[Tensor, Tensor]:
        """ab, and the logits of the ab bins."""
        height, width = luminance.shape[-2:]
        padded = F.pad(luminance, (0, -width % 8, 0, -height % 8), mode="replicate")
        logits = self.layers(padded)
        annealed = (logits.float() / self.temperature).softmax(1)
        ab = torch.einsum("nqhw,qc->nchw", annealed, self.bins)
        ab = F.interpolate(ab, scale_factor=self.cell, mode="bilinear")[..., :height, :width]
        return ab, logits[..., : -(-height // self.cell), : -(-width // self.cell)]


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
    """What every place may know of the whole: multi-head attention, and the mean."""

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


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold each batch norm of `network`, in evaluation mode, into the convolution before it: the
    same results in less time. It cannot be trained any more."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for index, (conv, norm) in enumerate(pairwise(module)):
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[index], module[index + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return network


NETWORKS: dict[str, type[nn.Module]] = {
    "PaperNet": PaperNet,
    "ColorNet": ColorNet,
    "ZhangNet": ZhangNet,
}
HINTED = (ColorNet,)


def available_weights() -> list[str]:
    """Names of the weights that ship with the project."""
    return sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.safetensors"))


def weights_path(weights: str | Path) -> Path:
    """File of the weights called `weights`: a name in `available_weights`, or a path.

    Raises:
        WeightsError: neither.
    """
    shipped = WEIGHTS_FOLDER / f"{weights}.safetensors"
    if str(weights) in available_weights():
        return shipped
    with suppress(OSError):  # too long a name
        if Path(weights).suffix == ".safetensors" and Path(weights).is_file():
            return Path(weights)
    raise WeightsError(
        f"There are no weights {str(weights)!r}; there are {', '.join(available_weights())},"
        " or give the path of a .safetensors file."
    )


def save_weights(network: nn.Module, path: Path, facts: dict, *, half: bool = False) -> None:
    """Write `network` as safetensors, its class and `facts` about its training as metadata; with
    `half` its matrices as float16."""
    facts = facts | {"network": type(network).__name__}
    state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    if half:
        state = {n: t.half() if t.ndim > 1 else t for n, t in state.items()}
    metadata = {"facts": json.dumps(facts)}  # one entry: several would be written in any order
    path.write_bytes(safetensors.torch.save(state, metadata))  # save_file would hide it from others


def load_network(weights: str | Path) -> nn.Module:
    """The network with its weights, in evaluation mode on the CPU.

    Raises:
        WeightsError: unknown name, damaged file, or weights that fit none of `NETWORKS`.
    """
    return load_weights(weights)[0]


def load_weights(weights: str | Path) -> tuple[nn.Module, float]:
    """The network as `load_network` gives it, and the `photo_chroma` of its recipe.

    Raises:
        WeightsError: as in `load_network`.
    """
    path = weights_path(weights)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        facts = json.loads(metadata["facts"])
        network = NETWORKS[facts["network"]](**facts.get("options", {}))
        network.load_state_dict(safetensors.torch.load_file(path), strict=True)
        photo_chroma = facts.get("photo_chroma", 1.0)
        if not 0 < photo_chroma < math.inf:
            raise ValueError
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no readable safetensors file ({error}).") from None
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise WeightsError(
            f"{path.name} holds no weights of {', '.join(NETWORKS)}: made by something else?"
        ) from None
    if any(tensor.isnan().any() for tensor in network.state_dict().values()):
        raise WeightsError(f"{path.name} is damaged: not all that it holds are numbers.")
    return network.eval(), photo_chroma
