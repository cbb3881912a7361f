"""The network of the paper."""

import torch.nn.functional as F
from torch import Tensor, nn


class PaperNet(nn.Module):
    """The network of Leisher & Martin: 17,555 parameters.

    "Same" padding, ReLU after every convolution, the last included, and He-normal weights (He et
    al. 2015). The ReLU on the output means that a and b are never below neutral: this network
    cannot paint green or blue. "Upsample" repeats pixels, the default of the paper's time.
    """

    studio_scale = photo_scale = 100
    takes_hints = False

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
