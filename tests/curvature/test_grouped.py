"""Grouped convolutions: values and all derivatives are torch's own, without its loop over the groups."""

import pytest
import torch
from torch import nn

from sparsescope.curvature.grouped import grouped_conv2d
from sparsescope.curvature.operations import ExactOperations

OPTIONS = {
    "depthwise": {"groups": 4, "padding": 1},
    "two groups, strided": {"groups": 2, "stride": 2, "padding": 1},
    "dilated, uneven": {"groups": 4, "padding": (2, 1), "dilation": (2, 1), "stride": (1, 2)},
    "one number in a tuple": {"groups": 4, "stride": (3,)},
    "same": {"groups": 4, "padding": "same"},
    "one group": {"groups": 1},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_values_and_derivatives_are_those_of_torch(name):
    options, draw = OPTIONS[name], torch.Generator().manual_seed(0)
    shapes = ((2, 4, 7, 8), (8, 4 // options["groups"], 3, 3), (8,))
    tensors = [torch.randn(shape, dtype=torch.float64, generator=draw).requires_grad_() for shape in shapes]
    assert torch.allclose(grouped_conv2d(*tensors, **options), torch.conv2d(*tensors, **options), atol=1e-13)
    assert torch.autograd.gradcheck(lambda *given: grouped_conv2d(*given, **options), tensors)
    assert torch.autograd.gradgradcheck(lambda *given: grouped_conv2d(*given, **options), tensors)


def test_a_depthwise_layer_takes_as_many_operations_for_any_number_of_groups():
    """torch runs one convolution for each group in the second derivative."""

    def operations(channels):
        layer = nn.Conv2d(channels, channels, 3, groups=channels)
        images = torch.rand(1, channels, 6, 6, requires_grad=True)
        with ExactOperations():
            (gradient,) = torch.autograd.grad(layer(images).square().sum(), images, create_graph=True)
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
                torch.autograd.grad(gradient.square().sum(), [images, layer.weight])
        return len(profile.events())

    assert operations(32) <= operations(4) + 8
