"""Narrow networks: which shapes an architecture's layers may take, and which they may not."""

import pytest
import torch
from torch import nn

from sparsescope.architectures.narrow import narrow


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 8, 3, bias=False),
        nn.BatchNorm2d(8, affine=False),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 5),
        nn.Linear(5, 4),
    )


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def test_layers_take_the_sizes_of_the_weights() -> None:
    smaller = nn.Sequential(
        nn.Conv2d(3, 2, 3),
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 3, 3, bias=False),
        nn.BatchNorm2d(3, affine=False),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.Linear(5, 4),
    ).eval()
    wanted = {name: shape for name, shape in shapes(smaller).items() if "num_batches" not in name}
    module = network().eval()
    assert narrow(module, wanted) == ["0", "1", "2", "3", "6"]
    module.load_state_dict(smaller.state_dict())
    assert repr(module) == repr(smaller)
    images = torch.rand(2, 3, 9, 9)
    assert torch.equal(module(images), smaller(images))
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"0.weight": (7, 3, 3, 3), "0.bias": (7,)},  # wider
        {"0.weight": (5, 3, 1, 1), "0.bias": (5,)},  # another kernel
        {"0.weight": (5, 3, 3, 3)},  # its bias is not cut
        {"0.weight": (0, 3, 3, 3), "0.bias": (0,)},
        {"0.weight": (5, 3, 3), "0.bias": (5,)},
        {"0.weight": (6, 2, 3, 3)},  # the network's inputs
        {"7.weight": (3, 5), "7.bias": (3,)},  # the network's outputs
        {"8.weight": (3, 5)},  # no such layer
    ],
)
def test_anything_else_is_left_alone(changes: dict[str, tuple[int, ...]]) -> None:
    module = network()
    before = shapes(module)
    assert narrow(module, before | changes) == []
    assert shapes(module) == before


def test_parameters_of_other_layers_keep_their_shapes() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 4))
    module.scale, module.offset = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(3))
    assert narrow(module, shapes(module) | {"offset": (2,)}) == []
    cut = {"0.weight": (2, 3, 1, 1), "0.bias": (2,), "2.weight": (4, 2)}
    assert narrow(module, shapes(module) | cut) == ["0", "2"]


def test_grouped_convolutions_are_left_alone() -> None:
    module = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(8, 4))
    cut = {"0.weight": (6, 4, 1, 1), "0.bias": (6,), "1.weight": (6, 1, 3, 3), "1.bias": (6,), "3.weight": (4, 6)}
    assert narrow(module, shapes(module) | cut) == []
