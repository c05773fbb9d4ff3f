"""Networks and batches for pruning tests."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

Batches = list[tuple[Tensor, Tensor]]


@pytest.fixture
def tiny() -> nn.Module:
    """A seeded convolutional network with BatchNorm in float64, for 3 x 6 x 6 images and 4 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 5, 3, stride=2),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(5, 4),
        ).double()
        for layer in network:
            if isinstance(layer, nn.BatchNorm2d):  # statistics and offsets of a network that has been trained
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
        return network


@pytest.fixture
def make_batches() -> Callable[..., Batches]:
    """Seeded batches: (count, n, shape, classes, dtype) -> [(images, labels), ...]."""

    def make(
        count: int = 1, n: int = 8, shape: tuple[int, ...] = (3, 6, 6), dtype: torch.dtype = torch.float64
    ) -> Batches:
        rng = torch.Generator().manual_seed(7)
        return [
            (torch.rand(n, *shape, generator=rng, dtype=dtype), torch.randint(0, 4, (n,), generator=rng))
            for _ in range(count)
        ]

    return make
