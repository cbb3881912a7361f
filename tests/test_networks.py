"""The paper's network, and weights that survive the way to the disk and back."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model.networks import (
    PaperNet,
    WeightsError,
    available_weights,
    load_network,
    save_weights,
)


def described(layer: nn.Module) -> tuple:
    if isinstance(layer, nn.Conv2d):
        channels = (layer.in_channels, layer.out_channels)
        return ("conv", *channels, layer.kernel_size[0], layer.stride[0], layer.padding[0])
    if isinstance(layer, nn.Upsample):
        return ("upsample", layer.scale_factor, layer.mode)
    if isinstance(layer, nn.MaxPool2d):
        return ("max pooling", layer.kernel_size)
    return (type(layer).__name__.lower(),)


@pytest.fixture
def network() -> PaperNet:
    torch.manual_seed(5)
    return PaperNet()


def refusal(weights) -> str:
    """What is said about unusable weights: one sentence without the folder they lie in."""
    with pytest.raises(WeightsError) as caught:
        load_network(weights)
    sentence = str(caught.value)
    assert "\n" not in sentence and "Traceback" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


def test_the_papers_network_has_17555_parameters(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 17_555


def test_the_layers_are_the_papers(network):
    # input, output, kernel, stride, padding
    assert [described(layer) for layer in network.layers] == [
        ("conv", 1, 16, 5, 1, 2),
        ("relu",),
        ("conv", 16, 16, 5, 1, 2),
        ("relu",),
        ("max pooling", 2),
        ("conv", 16, 12, 5, 1, 2),
        ("relu",),
        ("conv", 12, 9, 5, 2, 2),
        ("relu",),
        ("upsample", 2, "nearest"),
        ("conv", 9, 32, 3, 1, 1),
        ("relu",),
        ("upsample", 2, "nearest"),
        ("conv", 32, 2, 3, 1, 1),
        ("relu",),
    ]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (99, 101), (100, 100), (37, 64)])
def test_any_size_gives_ab_of_that_size_never_below_neutral(network, size):
    ab = network(torch.rand(2, 1, *size) * 2 - 1)
    assert ab.shape == (2, 2, *size)
    assert ab.min() >= 0


def test_a_cut_edge_does_not_change_the_rest(network):
    """99 columns are completed to 100 and cut again: away from the edge nothing moves."""
    luminance = torch.rand(1, 1, 100, 100) * 2 - 1
    whole, cut = network(luminance), network(luminance[..., :99])
    torch.testing.assert_close(cut[..., :70], whole[..., :70])


def test_each_picture_of_a_batch_is_treated_alone(network):
    batch = torch.rand(3, 1, 20, 20)
    torch.testing.assert_close(network(batch)[1:2], network(batch[1:2]))


def test_weights_come_back_bit_for_bit(network, tmp_path):
    network.to(memory_format=torch.channels_last)  # as in training
    save_weights(network, tmp_path / "mine.safetensors", {"seed": 5})
    loaded = load_network(tmp_path / "mine.safetensors")
    assert isinstance(loaded, PaperNet)
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_an_unknown_name_is_answered_with_the_known_ones():
    sentence = refusal("papper")
    assert "'papper'" in sentence
    assert all(name in sentence for name in available_weights())


@pytest.mark.parametrize("name", ["gone.safetensors", "weights.pth", f"{'a' * 300}.safetensors"])
def test_a_path_that_holds_no_weights_is_refused(tmp_path, name):
    assert "no weights" in refusal(tmp_path / name)


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    assert "no weights" in refusal(tmp_path / "folder.safetensors")


@pytest.mark.parametrize("content", [b"", b"hello\n" * 50, b"\0" * 100, b"\xff" * 100])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    file = tmp_path / "text.safetensors"
    file.write_bytes(content)
    sentence = refusal(file)
    assert "text.safetensors" in sentence and "no readable safetensors file" in sentence
    assert str(tmp_path) not in sentence


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_truncated_file_is_refused(network, tmp_path, share):
    file = tmp_path / "half.safetensors"
    save_weights(network, file, {})
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert "half.safetensors" in refusal(file)


def tensors(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """The weights of a PaperNet with some replaced, added or, if None, left out."""
    state = PaperNet().state_dict() | {name.replace("__", "."): t for name, t in changes.items()}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


PAPER = {"facts": json.dumps({"network": "PaperNet"})}


@pytest.mark.parametrize(
    ("state", "metadata"),
    [
        (tensors(layers__99__weight=torch.ones(2)), PAPER),
        (tensors(layers__0__bias=None), PAPER),
        (tensors(layers__0__bias=torch.ones(17)), PAPER),
        ({"fc.weight": torch.ones(2, 2)}, PAPER),
        (tensors(), None),
        (tensors(), {"facts": json.dumps({"network": "ResNet"})}),
        (tensors(), {"facts": "PaperNet"}),
        (tensors(), {"facts": json.dumps({"network": ["PaperNet"]})}),
    ],
    ids=["extra", "missing", "shape", "foreign", "no name", "other name", "no JSON", "a list"],
)
def test_weights_of_another_network_are_refused(tmp_path, state, metadata):
    file = tmp_path / "other.safetensors"
    save_file(state, file, metadata=metadata)
    sentence = refusal(file)
    assert "other.safetensors" in sentence and "PaperNet" in sentence


@pytest.mark.parametrize("name", available_weights())
def test_shipped_weights_load_and_colour_something(name):
    network = load_network(name)
    ramp = torch.linspace(-1, 1, 100).expand(1, 1, 100, 100)
    ab = network(ramp)
    assert torch.isfinite(ab).all()
    assert (ab > 0).any()


def test_the_papers_weights_ship():
    assert "paper" in available_weights()
