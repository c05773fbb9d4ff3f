"""Weights that a network computes from others: the numbers are those of what it computes with."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm
from typing_extensions import override

from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.mask import account, fold_computed_weights

IMAGES = torch.linspace(0, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)


class Masking(nn.Module):
    """A parametrization: the weight times a mask."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


class Noisy(nn.Module):
    """A parametrization without an answer."""

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return weight + torch.rand(())


def half(weight: Tensor) -> Tensor:
    return (torch.arange(weight.numel()) % 2).reshape(weight.shape).float()


def old_weight_norm(layer: nn.Module) -> None:
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(layer)
    with torch.no_grad():
        layer.weight_v.mul_(half(layer.weight_v))  # the attribute `weight` still is what it was


def pruned_weight_norm(layer: nn.Module) -> None:
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(layer)
    prune.custom_from_mask(layer, "weight_v", half(layer.weight_v))
    layer(torch.rand(1, layer.in_channels, 8, 8))  # the attribute `weight` now is that of the pruned `weight_v`


def new_weight_norm(layer: nn.Module) -> None:
    parametrizations.weight_norm(layer)
    with torch.no_grad():
        layer.parametrizations.weight.original1.mul_(half(layer.weight))


def masked(layer: nn.Module) -> None:
    parametrize.register_parametrization(layer, "weight", Masking(half(layer.weight)))


def pruned(layer: nn.Module) -> None:
    prune.custom_from_mask(layer, "weight", half(layer.weight))


def masked_first(change: Callable[[nn.Module], object]) -> Callable[[nn.Module], None]:
    def changed(layer: nn.Module) -> None:
        with torch.no_grad():
            layer.weight.mul_(half(layer.weight))
        change(layer)

    return changed


CHANGES = {
    "weight norm": old_weight_norm,
    "weight norm, its direction pruned": pruned_weight_norm,
    "weight norm, parametrized": new_weight_norm,
    "mask, parametrized": masked,
    "torch.nn.utils.prune": pruned,
    "spectral norm": masked_first(spectral_norm),
    "spectral norm, parametrized": masked_first(parametrizations.spectral_norm),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_computed_weights_are_accounted_as_they_are_computed(
    small_network: nn.Module, change: Callable[[nn.Module], None]
) -> None:
    small_network.eval()
    change(small_network[3])
    before = {name: value.clone() for name, value in small_network.state_dict().items()}
    expected = small_network(IMAGES)  # with a history, which copy.deepcopy refuses
    classifier = Classifier(small_network)
    assert classifier.module is not small_network
    torch.testing.assert_close(classifier.module(IMAGES), expected, rtol=0, atol=1e-6)
    assert classifier.sparsity.prunable == pytest.approx(216 / 594)
    assert classifier.mask is not None and int((~classifier.mask["3.weight"]).sum()) == 216
    assert len(classifier.warnings) == 1 and "weights of 3.weight" in classifier.warnings[0]
    assert all(torch.equal(before[name], value) for name, value in small_network.state_dict().items())
    copy.deepcopy(classifier.module).load_state_dict(classifier.module.state_dict())
    assert fold_computed_weights(classifier.module) == (classifier.module, ())


def test_a_parametrization_that_differs_from_call_to_call_is_refused(small_network: nn.Module) -> None:
    parametrize.register_parametrization(small_network[3], "weight", Noisy())
    with pytest.raises(ArtefactError, match=r"parametrization of 3\.weight .* differ from call to call"):
        Classifier(small_network)


class MaskedConv(nn.Conv2d):
    """Multiplies its weight with a buffer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)
        self.register_buffer("weight_mask", torch.ones_like(self.weight))

    @override
    def forward(self, images: Tensor) -> Tensor:
        return self._conv_forward(images, self.weight * self.weight_mask, self.bias)


class Largest(nn.Linear):
    """Uses the larger half of its weights: a mask without a buffer."""

    @override
    def forward(self, values: Tensor) -> Tensor:
        kept = self.weight.abs() >= self.weight.abs().median()
        return functional.linear(values, torch.where(kept, self.weight, 0), self.bias)


class MatrixProduct(nn.Module):
    """Multiplies by hand, with a mask that it applies or only keeps."""

    def __init__(self, inputs: int, outputs: int, *, applied: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(outputs, inputs) + 0.1)
        self.register_buffer("mask", half(self.weight))
        self.applied = applied

    @override
    def forward(self, values: Tensor) -> Tensor:
        return values @ (self.weight * self.mask if self.applied else self.weight).T


def with_layers(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(MaskedConv(3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), *layers).eval()


def test_masks_in_the_layers_of_a_users_class_count_by_their_effect() -> None:
    network = with_layers(Largest(4, 8), MatrixProduct(8, 8, applied=True), nn.Linear(8, 4))
    assert [layer.sparsity for layer in Classifier(network).sparsity.layers if layer.name == "0.weight"] == [0]
    network[0].weight_mask.copy_(half(network[0].weight))
    expected = network(IMAGES)
    classifier = Classifier(network)
    assert {layer.name: layer.sparsity for layer in classifier.sparsity.layers} == {
        "0.weight": 0.5,
        "4.weight": pytest.approx(0.5, abs=0.05),
        "5.weight": 0.5,
    }
    assert torch.equal(classifier.module(IMAGES), expected)
    assert "0.weight, 4.weight, 5.weight: the layer masks" in classifier.warnings[0]


def test_a_mask_that_is_kept_but_not_applied_is_no_sparsity() -> None:
    network = with_layers(MatrixProduct(4, 8, applied=False), nn.Linear(8, 4))
    assert account(Classifier(network).module).total == 0 and not Classifier(network).warnings


def test_a_mask_whose_effect_cannot_be_known_is_named() -> None:
    class TwoInputs(MatrixProduct):
        @override
        def forward(self, values: Tensor, more: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(values) + more

    network = nn.ModuleList([TwoInputs(4, 8, applied=True)])
    (warning,) = Classifier(network).warnings
    assert "the layers of 0.weight hold what looks like a mask" in warning and "is not counted" in warning
