import numpy as np
import pytest
import reference_curvature as reference
import torch
from pydantic import ValidationError
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.metrics.input_trace import InputTrace
from sparsescope.units import Units


def test_linear_softmax_by_hand():
    # z = (2x, 0) / std with std 1/2 and mean 0: the second derivative of the loss in x is 16 p (1 - p), p = σ(4x).
    linear = nn.Linear(1, 2, bias=False)
    linear.weight.data = torch.tensor([[2.0], [0.0]])
    pixels = np.array([0.0, 0.25, 1.0], dtype=np.float32).reshape(3, 1, 1, 1)
    benchmark = Benchmark("line", ArrayImages(pixels, np.array([0, 1, 0])))
    metric = InputTrace()
    units = metric.measure(Classifier(nn.Sequential(nn.Flatten(), linear), std=(0.5,)), benchmark)
    p = 1 / (1 + np.exp(-4 * pixels.ravel()))
    np.testing.assert_allclose(units["trace"], 16 * p * (1 - p), rtol=1e-5)
    assert metric.value(units) == pytest.approx(np.mean(16 * p * (1 - p)), rel=1e-5)
    assert metric.details(units) == {"image_set": "test", "images": 3, "without_gradient": 0.0, "method": "exact"}


def test_agrees_with_the_full_hessian(small_classifier, small_benchmark):
    metric = InputTrace(images=4)
    units = metric.measure(small_classifier, small_benchmark)
    assert units.strata == {"train/4": 4}
    ids = metric.measurements(small_benchmark)[0].unit_ids(small_benchmark, 0)
    images, labels = small_benchmark.train.read(ids), small_benchmark.train.labels[ids]
    traces = [np.trace(reference.input_hessian(small_classifier, x, y)) for x, y in zip(images, labels, strict=True)]
    assert metric.value(units) == pytest.approx(np.mean(traces), rel=1e-5)


def test_smooth_networks_are_sampled_and_say_so(small_benchmark):
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 6), nn.SiLU(), nn.Linear(6, 4))
    classifier, metric = Classifier(network, (0.5,), (0.1,)), InputTrace(images=None, probes=100)
    units = metric.measure(classifier, small_benchmark)
    assert metric.details(units)["method"] == "hutchinson"
    images, labels = small_benchmark.train.read(range(24)), small_benchmark.train.labels
    full = np.stack([reference.input_hessian(classifier, x, y) for x, y in zip(images, labels, strict=True)])
    noise = 2 * ((full**2).sum(axis=(1, 2)) - (np.diagonal(full, axis1=1, axis2=2) ** 2).sum(axis=1))
    error = np.sqrt(noise.sum() / 100) / 24
    assert abs(metric.value(units) - np.trace(full, axis1=1, axis2=2).mean()) < 4 * error


def test_reduction_is_weighted():
    units = Units({"test": 2}, {"trace": np.array([1.0, 4.0])})
    np.testing.assert_allclose(InputTrace().reduce(units, np.array([[1.0, 1.0], [0.0, 2.0]])), [2.5, 4.0])


@pytest.mark.parametrize("options", [{"probes": 0}, {"images": 0}, {"method": "lanczos"}])
def test_options_outside_their_range(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        InputTrace(**options)
