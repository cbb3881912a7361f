"""Networks written to disk and read back."""

import json
import math
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import nn

from model.networks import NETWORKS
from model.weights import WeightsError, weights_path

# A tensor that ColorNet had before its encoder was a pretrained one.
OF_EARLIER_COLORNET = "stem.0.weight"


def save_weights(network: nn.Module, path: Path, facts: dict, *, half: bool = False) -> None:
    """Write `network` as safetensors, with its class and the `facts` of its training as metadata;
    with `half`, matrices and kernels as float16."""
    facts = facts | {"network": type(network).__name__}
    state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    if half:
        state = {n: t.half() if t.ndim > 1 else t for n, t in state.items()}
    metadata = {"facts": json.dumps(facts)}  # one entry: several would be written in any order
    path.write_bytes(safetensors.torch.save(state, metadata))  # save_file would hide it from others


def load_network(weights: str | Path) -> nn.Module:
    """The network with its weights, in evaluation mode on the CPU.

    Raises:
        WeightsError: unknown name, damaged file, values that are NaN or infinite, weights of an
            earlier ColorNet, or weights that fit none of `NETWORKS`.
    """
    return load_weights(weights)[0]


def load_weights(weights: str | Path) -> tuple[nn.Module, float]:
    """The network as `load_network` gives it, and the `photo_chroma` of its recipe.

    Raises:
        WeightsError: as in `load_network`.
    """
    path = weights_path(weights)
    earlier = False
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            earlier = OF_EARLIER_COLORNET in file.keys()
        facts = json.loads(metadata["facts"])
        network = NETWORKS[facts["network"]](**facts.get("options", {}))
        network.load_state_dict(safetensors.torch.load_file(path), strict=True)
        photo_chroma = facts.get("photo_chroma", 1.0)
        if not 0 < photo_chroma < math.inf:
            raise ValueError
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} is no readable safetensors file ({error}).") from None
    except (KeyError, TypeError, ValueError, RuntimeError):
        if earlier:
            raise WeightsError(
                f"{path.name} is of an earlier ColorNet, which this version cannot read; take the"
                " weights that come with it, or train anew with train.py colornet."
            ) from None
        raise WeightsError(
            f"{path.name} holds no weights of {', '.join(NETWORKS)}: made by something else?"
        ) from None
    if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
        raise WeightsError(f"{path.name} is damaged: some of its values are NaN or infinite.")
    return network.eval(), photo_chroma
