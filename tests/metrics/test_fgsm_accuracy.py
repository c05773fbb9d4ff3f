import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import binomtest
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
    details = metric.details(units)
    assert (details["margin_loss_accuracy"], details["images"]) == (0.25, 4)
    # The image at 0.9 is of the other class; steps of 16/255 = 0.063 take 0.45 and 0.55, those of 8/255 do not.
    curve = details["curve"]
    assert curve["epsilon"] == pytest.approx([0, 1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255, 0.1])
    assert curve["accuracy"] == [0.75, 0.75, 0.75, 0.75, 0.75, 0.25, 0.25]
    wilson = binomtest(3, 4).proportion_ci(0.95, method="wilson")
    assert (curve["lower"][0], curve["upper"][0]) == pytest.approx((wilson.low, wilson.high))


def test_epsilon_zero_is_the_clean_accuracy(small_classifier, small_benchmark):
    attacked, clean = FgsmAccuracy(epsilon=0), Accuracy()
    expected = clean.value(clean.measure(small_classifier, small_benchmark))
    assert attacked.value(attacked.measure(small_classifier, small_benchmark)) == expected


def test_curve_ends_in_the_value_and_begins_with_the_clean_accuracy(small_classifier, small_benchmark):
    metric, clean = FgsmAccuracy(), Accuracy()
    units = metric.measure(small_classifier, small_benchmark)
    curve = metric.details(units)["curve"]
    assert curve["accuracy"][0] == clean.value(clean.measure(small_classifier, small_benchmark))
    assert curve["accuracy"][curve["epsilon"].index(8 / 255)] == metric.value(units)
    assert len(curve["epsilon"]) == 6
    started = FgsmAccuracy(random_start=True)
    assert started.details(started.measure(small_classifier, small_benchmark))["curve"]["epsilon"][0] == 1 / 255


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("n", [3, 37, 1000])
def test_intervals_of_the_curve_stay_among_the_shares(share, n):
    answers = np.full(n, bool(share))
    arrays = dict.fromkeys(("correct", "correct_margin", "gradient"), answers)
    units = Units({"test": n}, {**arrays, "curve": np.tile(answers, (6, 1)).T})
    curve = FgsmAccuracy().details(units)["curve"]
    assert all(0 <= low < high <= 1 for low, high in zip(curve["lower"], curve["upper"], strict=True))


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
