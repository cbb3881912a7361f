"""The networks, and their weights on disk.

Each network takes L, `(N, 1, H, W) float32 in -1..1`, and gives ab, `(N, 2, H, W) float32` in the
paper's units (`model.color`). Any height and width from 1 pixel up works.
"""

import json
from contextlib import suppress
from pathlib import Path

import safetensors.torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

WEIGHTS_FOLDER = Path(__file__).parent / "weights"


class WeightsError(ValueError):
    """Weights that cannot be used; the message is one sentence that says what to do."""


class PaperNet(nn.Module):
    """The network of Leisher & Martin: 17,555 parameters.

    "Same" padding, ReLU after every convolution, the last included, and He-normal weights (He et
    al. 2015). The ReLU on the output means that a and b are never below neutral: this network
    cannot paint green or blue. "Upsample" repeats pixels, the default of the paper's time.
    """

    scale = 100  # pixels of the longer side at which it was trained

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


NETWORKS: dict[str, type[nn.Module]] = {"PaperNet": PaperNet}


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


def save_weights(network: nn.Module, path: Path, facts: dict) -> None:
    """Write `network` as safetensors, its class and `facts` about its training as metadata."""
    facts = facts | {"network": type(network).__name__}
    state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {"facts": json.dumps(facts)}  # one entry: several would be written in any order
    path.write_bytes(safetensors.torch.save(state, metadata))  # save_file would hide it from others


def load_network(weights: str | Path) -> nn.Module:
    """The network with its weights, in evaluation mode on the CPU.

    Raises:
        WeightsError: unknown name, damaged file, or weights that fit none of `NETWORKS`.
    """
    path = weights_path(weights)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        network = NETWORKS[json.loads(metadata["facts"])["network"]]()
        network.load_state_dict(safetensors.torch.load_file(path), strict=True)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no readable safetensors file ({error}).") from None
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise WeightsError(
            f"{path.name} holds no weights of {', '.join(NETWORKS)}: made by something else?"
        ) from None
    return network.eval()
