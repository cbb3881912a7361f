"""The encoder of EfficientNet-Lite0, whose ImageNet weights training begins with."""

import torch
from torch import Tensor, nn

# Blocks of a stage, and their kernel, stride, expansion and output channels (Tan & Le 2019,
# "EfficientNet", table 1; Lite0 is the variant without squeeze-and-excitation, with ReLU6).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM = 32
# Stages after which the resolution is halved next, from 1/2 to 1/32, and their channels.
TAPPED = (0, 1, 2, 4, 6)
WIDTHS = tuple(STAGES[stage][-1] for stage in TAPPED)
# TensorFlow's, which the weights were trained with.
EPSILON = 1e-3


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its last convolution and its classifier: 3.0 M weights.

    It was trained on RGB as (x - 127) / 128; L in -1..1, three times, is nearly a grey picture of
    that kind. Strided convolutions pad right and bottom as TensorFlow does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_norm(3, STEM, kernel=3, stride=2)
        self.activation = nn.ReLU6()
        width, stages = STEM, []
        for count, kernel, stride, expansion, outputs in STAGES:
            blocks = []
            for place in range(count):
                blocks.append(_Block(width, outputs, kernel, 1 if place else stride, expansion))
                width = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, picture: Tensor, hints: Tensor | None = None) -> list[Tensor]:
        """Features at 1/2, 1/4, 1/8, 1/16 and 1/32.

        Args:
            picture: (N, 3, H, W), whose sides are multiples of 32.
            hints: (N, 32, H/2, W/2) that is added to what the stem sees, if any.
        """
        features = self.stem(picture)
        if hints is not None:
            features = features + hints
        features, tapped = self.activation(features), []
        for number, stage in enumerate(self.stages):
            features = stage(features)
            if number in TAPPED:
                tapped.append(features)
        return tapped


class _Block(nn.Module):
    """An inverted residual (Sandler et al. 2018, "MobileNetV2", section 3)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        expanded = [conv_norm(inputs, inner), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expanded,
            conv_norm(inner, inner, kernel=kernel, stride=stride, groups=inner),
            nn.ReLU6(),
            conv_norm(inner, outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        seen = self.layers(features)
        return features + seen if self.residual else seen


class _Depthwise(nn.Conv2d):
    """Float32 under autocast too: its gradient as bfloat16 takes several times as long on a CPU."""

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.to(self.weight.dtype))


def conv_norm(
    inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution padded as TensorFlow's "same", and batch norm."""
    total = kernel - stride
    padding = (total // 2, total - total // 2) * 2
    even = padding[0] == padding[1]
    conv = (_Depthwise if groups > 1 else nn.Conv2d)(
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=padding[0] if even else 0,
        groups=groups,
        bias=False,
    )
    pad = [] if even else [nn.ZeroPad2d(padding)]
    return nn.Sequential(*pad, conv, nn.BatchNorm2d(outputs, eps=EPSILON))
