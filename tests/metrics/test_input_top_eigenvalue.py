import numpy as np
import pytest
import reference_curvature as reference
import torch
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.metrics.input_top_eigenvalue import InputTopEigenvalue
from sparsescope.metrics.input_trace import InputTrace
from sparsescope.passes import Passes
from sparsescope.units import Units


def mean_top_eigenvalue(classifier, images, labels):
    full = np.stack([reference.input_hessian(classifier, x, y) for x, y in zip(images, labels, strict=True)])
    return np.linalg.eigvalsh(full)[:, -1].mean()


def test_reduction_by_hand():
    arrays = {
        "top_eigenvalue": np.array([1.0, 3.0]),
        "residual": np.array([0.0, 0.5]),
        "exact": np.array([True, False]),
        "gradient": np.array([True, False]),
    }
    metric, units = InputTopEigenvalue(), Units({"test": 2}, arrays)
    np.testing.assert_allclose(metric.reduce(units, np.array([[1.0, 1.0], [2.0, 0.0]])), [2.0, 1.0])
    assert metric.details(units) == {
        "image_set": "test", "images": 2, "without_gradient": 0.5, "method": "lanczos", "largest_residual": 0.5,
    }  # fmt: skip


def test_shares_its_measurement_with_the_trace(small_benchmark):
    curvature, spectrum = InputTopEigenvalue(images=9).measurements(small_benchmark)
    assert InputTrace(images=9).measurements(small_benchmark) == (curvature,)
    assert spectrum.population == curvature.population
    assert (InputTopEigenvalue.in_verdict, InputTrace.in_verdict) == (False, True)
    assert InputTopEigenvalue.margin == InputTrace.margin == 0.10


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.SiLU()], ids=["exact", "lanczos"])
def test_agrees_with_the_full_hessian(small_benchmark, activation):
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 6), activation, nn.Linear(6, 4))
    classifier, metric = Classifier(network, (0.5,), (0.1,)), InputTopEigenvalue(images=None, probes=1)
    expected = mean_top_eigenvalue(classifier, small_benchmark.train.read(range(24)), small_benchmark.train.labels)
    assert metric.value(metric.measure(classifier, small_benchmark)) == pytest.approx(expected, rel=2e-3)


def test_an_eigenvalue_that_came_with_the_trace_takes_no_more_passes(small_classifier, small_benchmark):
    measurements = InputTopEigenvalue(images=None).measurements(small_benchmark)
    with small_classifier.prepared():
        planned = [each.planned_passes(small_benchmark, small_classifier, 16) for each in measurements]
    assert planned == [Passes(forward=1, tracked=1, input_gradients=3), Passes()]


def test_of_the_batch_mean_by_hand():
    arrays = {"top_eigenvalue": np.array([1.0, 3.0]), "residual": np.zeros(2), "exact": np.array([True, True])}
    metric, units = InputTopEigenvalue(loss="batch_mean"), Units({"test": 2}, arrays)
    found = metric.reduce(units, np.array([[1.0, 1.0], [2.0, 0.0], [4.0, 1.0]]))
    np.testing.assert_allclose(found, [1.5, 1.0, 0.8])


def test_of_the_batch_mean_is_what_power_iteration_on_a_whole_batch_finds(small_benchmark):
    """The released code, literally: power iteration on the Hessian of a batch's mean loss in all its pixels."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 4))
    classifier = Classifier(network, (0.5,), (0.1,))
    metric = InputTopEigenvalue(images=None, loss="batch_mean")
    expected = reference.batch_input_eigenvalue(
        classifier, small_benchmark.train.read(range(24)), small_benchmark.train.labels
    )
    assert metric.value(metric.measure(classifier, small_benchmark)) == pytest.approx(expected, rel=1e-4)
