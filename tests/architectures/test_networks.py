"""The built-in networks: sizes, initialisation, and the shortcut by hand."""

import math

import pytest
import torch
from torch import nn

from sparsescope.architectures import resolve
from sparsescope.architectures.cifar_resnet import PaddedShortcut


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


def test_digits_network_is_small() -> None:
    module = resolve("digits_cnn").build()
    assert 30_000 <= sum(p.numel() for p in module.parameters()) <= 60_000
    assert module(torch.zeros(3, 1, 32, 32)).shape == (3, 10)


@pytest.mark.parametrize("name", ["resnet20s", "digits_cnn"])
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
