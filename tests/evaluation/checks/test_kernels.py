"""Zeros of weights that are no zeros of what a layer multiplies with, and the other way round."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.evaluation.checks import check_models


class Experts(nn.Module):
    """A convolution whose kernel is a mixture of four, as in conditional convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6 * 3 * 9))

    def forward(self, images: Tensor) -> Tensor:
        share = images.mean((1, 2, 3)).mean().new_full((1, 4), 0.25)
        return F.conv2d(images, (share @ self.weight).reshape(6, 3, 3, 3))


class Thresholded(nn.Conv2d):
    """A convolution that leaves out its smaller weights as it goes."""

    def forward(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.weight * (self.weight.abs() > self.weight.abs().median()), self.bias)


class Scaled(nn.Conv2d):
    """A convolution with a learned scale, which keeps zeros where they are."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.weight * self.scale, self.bias)


def half_removed(first: nn.Module) -> Classifier:
    with torch.no_grad():
        weight = first.get_parameter("weight")
        weight[weight < weight.median()] = 0
    return Classifier(nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)))


def dense(first: nn.Module) -> Classifier:
    return Classifier(nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)))


@pytest.mark.parametrize(
    ("make", "first", "said"),
    [
        (half_removed, Experts, "of the kernel are zeros"),
        (dense, lambda: Thresholded(3, 6, 3), None),  # what it leaves out is counted as removed
        (half_removed, lambda: Scaled(3, 6, 3), None),
        (half_removed, lambda: nn.Conv2d(3, 6, 3), None),
        (dense, Experts, None),
    ],
)
def test_zeros_that_do_not_count(
    make: Callable[[nn.Module], Classifier], first: Callable[[], nn.Module], said: str | None
) -> None:
    torch.manual_seed(0)
    classifier = make(first())
    check_models([classifier], torch.rand(6, 3, 8, 8), None, reads=())
    found = [text for text in classifier.warnings if "multiplies with in its forward pass" in text]
    assert len(found) == (said is not None)
    assert said is None or said in found[0]
