import copy

import pytest
import torch
import torchvision
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.curvature import refuse_straight_through, require_weight_gradient, surviving_weights
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import run
from sparsescope.measurements.weight_curvature import WeightSpectrum

SHAPE = (3, 8, 8)


class Sign(nn.Module):
    """Signs, with the gradient of the identity."""

    def forward(self, images):
        return images + (images.sign() - images).detach()


class Rounded(nn.Linear):
    """Weights that are rounded, without a gradient."""

    def forward(self, images):
        return nn.functional.linear(images, torch.round(self.weight * 8), self.bias)


def network(*layers):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 16), *layers, nn.Linear(16, 4))


@pytest.mark.parametrize("layers", [[Sign()], [Sign(), nn.Linear(16, 16), Sign()]], ids=["one", "two"])
def test_a_gradient_that_passes_straight_through_is_refused(layers):
    with pytest.raises(NotEvaluated, match="the gradient of model is the same for all images, but its answers are not"):
        refuse_straight_through(Classifier(network(*layers)), SHAPE)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize(
    "layers", [[], [nn.ReLU()], [nn.ReLU6()], [nn.Hardtanh()], [nn.GELU()], [nn.LayerNorm(16)]], ids=str
)
def test_no_false_alarm(layers, scale):
    module = network(*layers)
    module[1].weight.data *= scale
    refuse_straight_through(Classifier(module), SHAPE)
    module[1].bias.data += 1e4 * scale  # every unit of a ReLU network is on: one region, one gradient
    refuse_straight_through(Classifier(module), SHAPE)


class Hidden(torch.autograd.Function):
    """The square, whose backward pass takes its factor out of the graph."""

    @staticmethod
    def forward(ctx, values):
        ctx.save_for_backward(values)
        return values**2

    @staticmethod
    def backward(ctx, gradient):
        return 2 * torch.from_numpy(gradient.detach().numpy()) * ctx.saved_tensors[0].detach()


class Squared(nn.Linear):
    """A layer with squared weights."""

    def __init__(self, square):
        super().__init__(192, 4)
        self.square = square

    def forward(self, images):
        return nn.functional.linear(images.flatten(1), self.square(self.weight), self.bias)


@pytest.mark.parametrize("square", [Hidden.apply, torch.square], ids=["hidden", "seen"])
def test_hidden_second_derivatives_in_the_weights_are_refused(square, small_benchmark):
    measurement = WeightSpectrum("test", images=8, images_per_unit=8, tolerance=0.1)
    network = nn.Sequential(Squared(square))
    if square is torch.square:
        assert run(measurement, Classifier(network), small_benchmark)["top_eigenvalue"] > 0
    else:
        with pytest.raises(NotEvaluated, match="model has an operation that hides its second derivatives"):
            run(measurement, Classifier(network), small_benchmark)


def test_most_weights_without_gradient_are_refused(small_classifier, small_benchmark):
    images = small_benchmark.test.read(range(4))

    def check(module):
        classifier = Classifier(module)
        with classifier.prepared(), surviving_weights(classifier) as support:
            require_weight_gradient(classifier, support, images)

    check(small_classifier.module)
    check(network(nn.ReLU()))
    unused = network(nn.ReLU())
    unused.auxiliary = nn.Linear(1000, 1000)
    unused.forward = lambda given: nn.Sequential.forward(unused[:4], given)
    check(unused)
    half = network(nn.ReLU(), Rounded(16, 192), nn.ReLU(), nn.Linear(192, 16))
    check(half)
    rounded = nn.Sequential(nn.Flatten(), Rounded(192, 64), nn.ReLU(), Rounded(64, 4))
    before = rounded[1].weight.detach().clone()
    with pytest.raises(NotEvaluated, match="no gradient in 99% of the weights of model, which its answers depend on"):
        check(rounded)
    assert torch.equal(rounded[1].weight, before)
    check(torchvision.models.resnet18(num_classes=4, zero_init_residual=True))  # its branches begin with a factor of 0
    sparse = copy.deepcopy(small_classifier.module)
    sparse[0].weight.data[1:] = 0
    check(sparse)
