"""Which weights count, which are pruned, which are heads, and what is standardized."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

import sparsescope as ss
from sparsescope.classifier import Classifier
from sparsescope.errors import SparsescopeWarning
from sparsescope.mask import (
    account,
    every_weight,
    head_weights,
    prunable_weights,
    standardized_weights,
)


class Standardized(nn.Conv2d):
    """Weight standardization, as it is written by hand."""

    @override
    def forward(self, images: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(images, weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5), self.bias)


class Scaled(nn.Conv2d):
    """Keeps zeros."""

    @override
    def forward(self, images: Tensor) -> Tensor:
        return self._conv_forward(images, 2 * self.weight, self.bias)


def network(*convolutions: nn.Module) -> nn.Module:
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()


def half_zero(weight: Tensor) -> None:
    with torch.no_grad():
        weight.flatten()[::2] = 0


def test_zeros_of_standardized_weights_are_no_sparsity() -> None:
    module = network(Standardized(3, 8, 3), Scaled(8, 8, 3))
    assert standardized_weights(module) == ["0.weight"] and not Classifier(module).warnings
    for layer in module[:2]:
        half_zero(layer.weight)
    classifier = Classifier(module)
    assert [(layer.name, layer.sparsity) for layer in classifier.sparsity.layers] == [("1.weight", 0.5)]
    assert "1 layers, first 0, use their weights standardized" in classifier.warnings[0]


def test_standardized_weights_are_pruned_only_where_there_are_no_others() -> None:
    with pytest.warns(SparsescopeWarning, match=r"left alone: 0\.weight; their layers standardize them"):
        assert list(ss.prune("omp", network(Standardized(3, 8, 3), Scaled(8, 8, 3)), sparsity=0.5)) == ["1.weight"]
    with pytest.warns(SparsescopeWarning, match=r"weights of 0\.weight, which these layers standardize"):
        assert list(ss.prune("omp", network(Standardized(3, 8, 3)), sparsity=0.5)) == ["0.weight"]


@pytest.mark.parametrize("kind", ["StdConv2d", "StdConv2dSame", "ScaledStdConv2d", "ScaledStdConv2dSame"])
def test_timms_standardized_convolutions(kind: str) -> None:
    import timm.layers

    layer = getattr(timm.layers, kind)(3, 8, 3)
    if hasattr(layer, "gain"):
        nn.init.zeros_(layer.gain)  # as the last of a block begins
    assert standardized_weights(network(layer)) == ["0.weight"] and Classifier(network(layer)).module[0] is layer


class Recurrent(nn.Module):
    """Rows of an image, read one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 8)
        self.recurrent = nn.LSTM(24, 16, batch_first=True)
        self.position = nn.Parameter(torch.zeros(1, 8, 16))
        self.experts = nn.Parameter(torch.ones(4, 16))
        self.hidden = nn.Linear(16, 8)
        self.head = nn.Linear(8, 4)

    @override
    def forward(self, images: Tensor) -> Tensor:
        features = self.recurrent(images.permute(0, 2, 1, 3).flatten(2))[0][:, -1]
        return self.head(self.hidden(features * self.experts.sum(0)) + self.embedding.weight[0])


def test_weights_that_are_passed_over_count_and_are_named() -> None:
    module = Recurrent()
    others = {"embedding.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0", "experts"}
    assert every_weight(module).keys() - prunable_weights(module).keys() - {"head.weight"} == others
    with pytest.warns(SparsescopeWarning, match=r"94% .* left alone: .*recurrent\.weight_ih_l0.* 4\.1% of all"):
        ss.prune("omp", module, sparsity=0.9)
    half_zero(module.recurrent.weight_ih_l0)
    sparsity = account(module)
    assert sparsity.parameters - sparsity.nonzero == 768 and sparsity.prunable == pytest.approx(768 / (128 + 1536))


class TwoHeads(nn.Module):
    """A hidden layer as wide as the output, and two heads; the first one registered before the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 4)
        self.narrow = nn.Linear(12, 4)
        self.hidden = nn.Linear(4, 12)
        self.second = nn.Linear(12, 4)

    @override
    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.hidden(self.narrow(images.flatten(1))))
        return (self.first(features) + self.second(features)) / 2


def test_all_layers_that_reach_the_logits_alone_are_heads() -> None:
    assert head_weights(TwoHeads()) == ["first.weight", "second.weight"]
    assert list(ss.prune("omp", TwoHeads(), sparsity=0.5)) == ["narrow.weight", "hidden.weight"]


def test_a_head_that_is_registered_first() -> None:
    class HeadFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 4)
            self.body = nn.Linear(12, 6)

        @override
        def forward(self, images: Tensor) -> Tensor:
            return self.fc(self.body(images.flatten(1)))

    assert head_weights(HeadFirst()) == ["fc.weight"]


def test_hidden_layers_as_wide_as_the_output_are_no_heads() -> None:
    assert head_weights(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))) == ["2.weight"]


def test_auxiliary_classifiers_have_heads_too() -> None:
    from torchvision.models import googlenet

    assert head_weights(googlenet(init_weights=False)) == ["aux1.fc2.weight", "aux2.fc2.weight", "fc.weight"]
