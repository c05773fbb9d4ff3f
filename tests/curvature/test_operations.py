"""Second derivatives of operations, by finite differences of the first ones, and of those that torch has none of."""

import copy

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from sparsescope.classifier import Classifier
from sparsescope.curvature import input_curvatures
from sparsescope.curvature.derivatives import twice_differentiable
from sparsescope.curvature.operations import ExactOperations
from sparsescope.measurements.base import run
from sparsescope.measurements.weight_curvature import WeightCurvature


class Restated(nn.Module):
    """Hard-sigmoid by an operation that has second derivatives."""

    def forward(self, images):
        return functional.relu6(images + 3) / 6


def recurrent(kind):
    network = kind(8, 3, batch_first=True).double()
    return lambda images: network(images.flatten(1, 2))[0]


OPERATIONS = {
    "nn.Hardsigmoid": nn.Hardsigmoid(),
    "hardsigmoid in place": lambda images: functional.hardsigmoid(images * 1, inplace=True),
    "torch._C._nn": torch._C._nn.hardsigmoid,
    "hardswish": functional.hardswish,
    "gelu": functional.gelu,
    "mish": functional.mish,
    "log-sigmoid": functional.logsigmoid,
    "LPPool2d": nn.LPPool2d(2, 2),
    "AdaptiveMaxPool2d": nn.AdaptiveMaxPool2d(3),
    "GroupNorm": nn.GroupNorm(2, 4, dtype=torch.float64),
    "LocalResponseNorm": nn.LocalResponseNorm(2),
    "cdist": lambda images: torch.cdist(images.flatten(2), images.flatten(2).flip(1) + 1),
    "grid_sample": lambda images: functional.grid_sample(images, images[:, :2].movedim(1, 3), align_corners=False),
    "bicubic": lambda images: functional.interpolate(images, scale_factor=2, mode="bicubic"),
    "attention": lambda images: functional.scaled_dot_product_attention(images, images, images),
    "LSTM": recurrent(nn.LSTM),
    "GRU": recurrent(nn.GRU),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_against_finite_differences(name):
    operation, random = OPERATIONS[name], torch.Generator().manual_seed(0)
    images, direction = (torch.randn(2, 4, 8, 8, generator=random, dtype=torch.float64) for _ in range(2))

    def gradient(at, graph=False):
        values = operation(at).sin()  # not linear, so that piecewise-linear operations have second derivatives too
        return torch.autograd.grad(values.sum(), at, create_graph=graph)[0]

    with twice_differentiable(Classifier(nn.Flatten())):
        start = images.clone().requires_grad_()
        (found,) = torch.autograd.grad(gradient(start, True), start, direction)
        ahead, behind = (gradient((images + s * 1e-6 * direction).requires_grad_()) for s in (1, -1))
    np.testing.assert_allclose(found, (ahead - behind) / 2e-6, atol=1e-5 * float(found.abs().max()))


def test_hardsigmoid_keeps_values_and_gradients_at_the_kinks_too():
    for places in ([-4.0, -3.0, -1.0, 0.0, 2.0, 3.0, 5.0], torch.linspace(-4, 4, 101).tolist()):
        found = []
        for context in (ExactOperations(), torch.enable_grad()):
            with context:
                images = torch.tensor(places, requires_grad=True)
                values = functional.hardsigmoid(images)
                found.append((values.detach(), torch.autograd.grad(values.sum(), images)[0]))
        torch.testing.assert_close(found[0][0], found[1][0])
        torch.testing.assert_close(found[0][1], found[1][1])
    with ExactOperations():
        changed = torch.tensor([-4.0, 0.0])
        assert nn.Hardsigmoid(inplace=True)(changed) is changed
        assert torch._C._nn.hardsigmoid_(changed) is changed
    assert changed[0] == 0.5


def test_recurrent_layers_run_outside_of_cudnn(monkeypatch):
    seen = []
    lstm = torch.lstm
    monkeypatch.setitem(
        ExactOperations.__torch_function__.__globals__["_IDENTITIES"],
        lstm,
        ExactOperations.__torch_function__.__globals__["_without_cudnn"](
            lambda *given: seen.append(torch.backends.cudnn.enabled) or lstm(*given)
        ),
    )
    with ExactOperations():
        nn.LSTM(3, 2)(torch.rand(1, 1, 3))
    assert seen == [False] and torch.backends.cudnn.enabled


def test_mobilenet_v3_has_the_curvature_of_its_restatement(small_benchmark):
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v3_small(num_classes=4)
    restated = copy.deepcopy(network)
    for module in list(restated.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Hardsigmoid):
                setattr(module, name, Restated())
    assert any(isinstance(child, Restated) for child in restated.modules())
    images, labels = small_benchmark.test.read(range(2)), small_benchmark.test.labels[:2]
    traces, curvatures = [], []
    for module in (network, restated):
        classifier = Classifier(module)
        traces.append(run(WeightCurvature("test", images=2, probes=1), classifier, small_benchmark)["quadratic"])
        with classifier.prepared():
            curvatures.append(input_curvatures(classifier, images, labels, np.arange(2), probes=2))
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-4)
    np.testing.assert_allclose(curvatures[0].trace, curvatures[1].trace, rtol=1e-3)
    np.testing.assert_allclose(curvatures[0].top_eigenvalue, curvatures[1].top_eigenvalue, rtol=1e-3)
