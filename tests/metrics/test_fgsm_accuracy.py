import numpy as np
import pytest
from pydantic import ValidationError
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.fgsm_accuracy import FgsmAccuracy
from sparsescope.units import Units


def test_by_hand():
    # z = (x, 1 - x): class 0 above 1/2. A step of 0.1 takes exactly the images within 0.1 of the boundary.
    linear = nn.Linear(1, 2)
    linear.weight.data.copy_(linear.weight.new_tensor([[1.0], [-1.0]]))
    linear.bias.data.copy_(linear.weight.new_tensor([0.0, 1.0]))
    pixels = np.array([0.3, 0.45, 0.55, 0.9], dtype=np.float32).reshape(4, 1, 1, 1)
    benchmark = Benchmark("line", ArrayImages(pixels, np.array([1, 1, 0, 1])))
    metric = FgsmAccuracy(epsilon=0.1)
    units = metric.measure(Classifier(nn.Sequential(nn.Flatten(), linear)), benchmark)
    np.testing.assert_array_equal(units["correct"], [True, False, False, False])
    assert metric.value(units) == 0.25
    assert metric.details(units) == {"margin_loss_accuracy": 0.25, "images": 4}


def test_epsilon_zero_is_the_clean_accuracy(small_classifier, small_benchmark):
    attacked, clean = FgsmAccuracy(epsilon=0), Accuracy()
    expected = clean.value(clean.measure(small_classifier, small_benchmark))
    assert attacked.value(attacked.measure(small_classifier, small_benchmark)) == expected


def test_units_are_paired_with_the_clean_ones(small_classifier, small_benchmark):
    assert FgsmAccuracy().measure(small_classifier, small_benchmark).strata == {"test": 40}


def test_reduction_is_weighted(small_classifier):
    units = Units({"test": 3}, {"correct": np.array([True, False, True])})
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 0.0], [1.0, 1.0, 2.0]])
    np.testing.assert_allclose(FgsmAccuracy().reduce(units, weights), [2 / 3, 0, 3 / 4])


@pytest.mark.parametrize("epsilon", [-1e-9, float("inf"), float("nan")])
def test_epsilon_outside_its_range(epsilon):
    with pytest.raises(ValidationError, match="epsilon"):
        FgsmAccuracy(epsilon=epsilon)
