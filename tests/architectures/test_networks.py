"""The built-in networks: sizes, initialisation, and the shortcut by hand."""

import math

import pytest
import torch
from torch import nn

from sparsescope.architectures import resolve
from sparsescope.architectures.cifar_resnet import PaddedShortcut
from sparsescope.architectures.resnet import BasicBlock, Bottleneck, ResNet
from sparsescope.architectures.wide_resnet import PreActivationBlock


@pytest.mark.parametrize(
    ("name", "layers", "parameters"),
    # He et al. 2016, table 6: 0.27 M, 0.46 M, 0.66 M, 0.85 M, 1.7 M parameters.
    [
        ("resnet20s", 20, 0.27e6),
        ("resnet32s", 32, 0.46e6),
        ("resnet44s", 44, 0.66e6),
        ("resnet56s", 56, 0.85e6),
        ("resnet110s", 110, 1.7e6),
    ],
)
def test_depth_and_size_are_the_papers(name: str, layers: int, parameters: float) -> None:
    module = resolve(name).build()
    assert sum(isinstance(child, nn.Conv2d | nn.Linear) for child in module.modules()) == layers
    assert sum(p.numel() for p in module.parameters()) == pytest.approx(parameters, rel=0.03)


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        ("resnet20s", 10, 269_722),  # akamaster/pytorch_resnet_cifar10: 0.27 M
        ("resnet18_cifar", 10, 11_173_962),  # kuangliu/pytorch-cifar, ResNet18: 11.17 M
        ("wide_resnet28_10", 10, 36_479_194),  # Zagoruyko & Komodakis 2016, table 4: 36.5 M
        ("vgg11_cifar", 10, 9_231_114),  # kuangliu/pytorch-cifar, VGG11: 9.23 M
        ("torchvision:resnet50", 1000, 25_557_032),  # torchvision's documentation of ResNet50_Weights
    ],
)
def test_parameter_counts_are_the_published_ones(name: str, classes: int, parameters: int) -> None:
    with torch.device("meta"):
        module = resolve(name).build(num_classes=classes)
    assert sum(p.numel() for p in module.parameters()) == parameters


@pytest.mark.parametrize(
    "name", ["resnet20s", "resnet18_cifar", "wide_resnet28_10", "vgg11_cifar", "digits_cnn", "torchvision:resnet50"]
)
def test_small_twins_have_the_parameters_of_a_ticket_of_seven_rounds(name: str) -> None:
    with torch.device("meta"):
        dense, small = (resolve(spec).build() for spec in (name, f"{name.removeprefix('torchvision:')}_small"))
    sizes = [sum(p.numel() for p in module.parameters()) for module in (dense, small)]
    assert sizes[1] / sizes[0] == pytest.approx(0.8**7, abs=0.007)
    layers = [[type(child) for child in module.modules() if not list(child.children())] for module in (dense, small)]
    if not name.startswith("torchvision:"):  # which has one ReLU for several places
        assert layers[0] == layers[1]
    assert list(dense.state_dict()) == list(small.state_dict())


def test_residual_networks_compute_what_torchvisions_do() -> None:
    # An independent implementation with the same names: equal weights must give equal logits.
    from torchvision import models

    channels = (64, 64, 128, 256, 512)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for block, blocks, theirs in (
        (BasicBlock, (2, 2, 2, 2), models.resnet18(num_classes=7)),
        (Bottleneck, (3, 4, 6, 3), models.resnet50(num_classes=7)),
    ):
        ours = ResNet(block, blocks, channels, stem="imagenet", num_classes=7, in_channels=3).eval()
        ours.load_state_dict(theirs.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(ours(images), theirs.eval()(images), rtol=1e-4, atol=1e-4)


def test_cifar_stem_keeps_the_resolution() -> None:
    module = resolve("resnet18_cifar").build().eval()
    assert module.conv1(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 32, 32)
    shapes: list[tuple[int, ...]] = []
    module.layer4.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape)))
    module(torch.zeros(1, 3, 32, 32))
    assert shapes == [(1, 512, 4, 4)]


def test_wide_block_by_hand() -> None:
    # Residual convolutions of zero: only the shortcut is left. It is the input itself where the channels stay, and the
    # convolved activation where they change.
    images = torch.tensor([[[[-2.0]], [[3.0]]]])
    same, wider = PreActivationBlock(2, 2, 1).eval(), PreActivationBlock(2, 3, 1).eval()
    for block in (same, wider):
        nn.init.zeros_(block.conv2.weight)
    nn.init.ones_(wider.convShortcut.weight)
    assert same(images).flatten().tolist() == [-2.0, 3.0]
    assert wider(images).flatten().tolist() == pytest.approx([3.0] * 3, rel=1e-4)


def test_shortcut_by_hand() -> None:
    images = torch.arange(16.0).reshape(1, 1, 4, 4)
    output = PaddedShortcut(2)(images)
    assert output.shape == (1, 3, 2, 2)
    assert output[0, 1].tolist() == [[0.0, 2.0], [8.0, 10.0]]
    assert output[0, 0].count_nonzero() == 0 and output[0, 2].count_nonzero() == 0


def test_initialisation_is_he_normal() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weight = resolve("resnet20s").build().layer3[2].conv2.weight
    fan_in = weight.shape[1] * 9
    assert weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18_cifar_small", "layer3.1.conv2"),
        ("wide_resnet28_10_small", "block2.layer.3.conv1"),
        ("vgg11_cifar_small", "features.18"),
    ],
)
def test_initialisation_is_he_normal_by_fan_out(name: str, layer: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weight = resolve(name).build().get_submodule(layer).weight
    assert weight.ndim == 4 and weight.std().item() == pytest.approx(math.sqrt(2 / (weight.shape[0] * 9)), rel=0.02)


def test_digits_network_is_small() -> None:
    module = resolve("digits_cnn").build()
    assert 30_000 <= sum(p.numel() for p in module.parameters()) <= 60_000
    assert module(torch.zeros(3, 1, 32, 32)).shape == (3, 10)


@pytest.mark.parametrize(
    "name", ["resnet20s", "digits_cnn", "resnet18_cifar_small", "wide_resnet28_10_small", "vgg11_cifar_small"]
)
def test_every_activation_is_a_module_of_its_own(name: str) -> None:
    # Hooks on layers and attribution methods need one module per use.
    calls: dict[nn.Module, int] = {}
    module = resolve(name).build().eval()
    for child in module.modules():
        if isinstance(child, nn.ReLU):
            child.register_forward_hook(lambda child, *_: calls.update({child: calls.get(child, 0) + 1}))
    channels = 1 if name == "digits_cnn" else 3
    module(torch.zeros(1, channels, 32, 32))
    assert calls and set(calls.values()) == {1}
