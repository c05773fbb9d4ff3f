import pytest
import torch
from torch import nn
from torch.nn import functional

from sparsescope.classifier import Classifier
from sparsescope.curvature import is_layerwise_linear, is_piecewise_linear

SHAPE = (2, 3, 3)


def test_sees_functional_calls(make, kind):
    smooth = kind in {"gelu", "functional silu"}
    classifier = make(kind)
    with classifier.prepared():
        assert is_piecewise_linear(classifier, SHAPE) is not smooth
        assert is_layerwise_linear(classifier, SHAPE) is not (smooth or kind == "tied")


@pytest.mark.parametrize(
    "layer",
    [nn.GELU(), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Softplus(), nn.ELU(), nn.Hardswish(), nn.LayerNorm(18)],
    ids=lambda layer: type(layer).__name__,
)
def test_smooth_layers(layer):
    torch.manual_seed(0)
    classifier = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(18, 18), layer, nn.Linear(18, 3)))
    with classifier.prepared():
        assert not is_piecewise_linear(classifier, SHAPE)
        assert not is_layerwise_linear(classifier, SHAPE)


@pytest.mark.parametrize(
    "layer",
    [nn.ReLU6(), nn.PReLU(), nn.Hardtanh(), nn.Dropout(), nn.BatchNorm1d(18), nn.Identity()],
    ids=lambda layer: type(layer).__name__,
)
def test_piecewise_linear_layers(layer):
    torch.manual_seed(0)
    classifier = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(18, 18), layer, nn.Linear(18, 3)))
    with classifier.prepared():
        assert is_piecewise_linear(classifier, SHAPE)
        assert is_layerwise_linear(classifier, SHAPE)


def test_probabilities_are_not_piecewise_linear():
    network = nn.Sequential(nn.Flatten(), nn.Linear(18, 3), nn.Softmax(1))
    assert not is_piecewise_linear(Classifier(network, output="probabilities"), SHAPE)


def test_normalised_weights_are_linear_in_the_image_alone():
    class Standardised(nn.Linear):
        def forward(self, images):
            return functional.linear(images.flatten(1), self.weight / self.weight.norm())

    classifier = Classifier(Standardised(18, 3, bias=False))
    with classifier.prepared():
        assert is_piecewise_linear(classifier, SHAPE)
        assert not is_layerwise_linear(classifier, SHAPE)


def test_works_on_frozen_models_and_leaves_them_so(make):
    classifier = make("gelu")
    with classifier.prepared():
        is_layerwise_linear(classifier, SHAPE)
        assert not any(parameter.requires_grad for parameter in classifier.module.parameters())
