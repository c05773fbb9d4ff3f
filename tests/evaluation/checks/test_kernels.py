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


def switched_off() -> nn.Module:
    """A convolution whose scale is zero, as those at the end of a block of NF networks are before training."""
    layer = Scaled(3, 6, 3)
    nn.init.zeros_(layer.scale)
    return layer


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
        (dense, switched_off, None),
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


class WithAuxiliary(nn.Module):
    """A network with a second branch that only training looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.auxiliary = nn.Linear(3 * 64, 16), nn.Linear(16, 4), nn.Linear(16, 40)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)  # which never calls its own out_proj

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(images.flatten(1)).relu()
        z: Tensor = self.head(self.attention(features[:, None], features[:, None], features[:, None])[0][:, 0])
        return z


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        (("body", "auxiliary"), "does not use auxiliary.weight in its forward pass, but 18% of all weights that are"),
        (("body", "attention.out_proj"), None),
        ((), None),
    ],
)
def test_weights_that_no_answer_depends_on(removed: tuple[str, ...], said: str | None) -> None:
    torch.manual_seed(0)
    network = WithAuxiliary()
    for name in removed:
        nn.init.zeros_(network.get_submodule(name).weight)
        network.body.weight.data[0] = 1
    classifier = Classifier(network)
    check_models([classifier], torch.rand(6, 3, 8, 8), None, reads=())
    found = [text for text in classifier.warnings if text.startswith("does not use")]
    assert [text[: len(said)] for text in found if said] == ([said] if said else [])
    assert len(found) == (said is not None)
    assert not any(parameter.grad is not None for parameter in network.parameters())
