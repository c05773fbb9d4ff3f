import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.generalization_gap import GeneralizationGap


def units(benchmark, test, train):
    """Units from (logits, labels) of test and training images."""
    metric = GeneralizationGap()
    own = {
        measurement: {"logits": np.asarray(logits, np.float32), "label": np.asarray(labels)}
        for measurement, (logits, labels) in zip(metric.measurements(benchmark), (test, train), strict=True)
    }
    return metric.units(own, own, benchmark)


def test_by_hand_in_the_papers_sign(small_benchmark):
    """Half of the test and all of the training images are right: -1/2."""
    both = units(small_benchmark, ([[1, 0], [1, 0]], [0, 1]), ([[1, 0], [0, 1], [0, 1]], [0, 1, 1]))
    assert GeneralizationGap().value(both) == -0.5
    assert GeneralizationGap.higher_is_better
    assert not GeneralizationGap.in_verdict
    assert GeneralizationGap().details(both) == {"test_accuracy": 0.5, "train_accuracy": 1.0, "train_images": 3}


def test_agrees_with_scikit_learn_under_weights(small_benchmark):
    rng = np.random.default_rng(0)
    logits, labels, weights = rng.normal(size=(50, 3)), rng.integers(0, 3, 50), rng.random((4, 50))
    measured = units(small_benchmark, (logits[:30], labels[:30]), (logits[30:], labels[30:]))
    expected = [
        accuracy_score(labels[:30], logits[:30].argmax(1), sample_weight=row[:30])
        - accuracy_score(labels[30:], logits[30:].argmax(1), sample_weight=row[30:])
        for row in weights
    ]
    np.testing.assert_allclose(GeneralizationGap().reduce(measured, weights), expected)


def test_the_same_images_give_no_gap(small_benchmark):
    images = ([[1, 0], [1, 0], [0, 1]], [0, 1, 1])
    assert GeneralizationGap().value(units(small_benchmark, images, images)) == 0


def test_test_and_training_images_are_resampled_apart(small_classifier, small_benchmark):
    measured = GeneralizationGap().measure(small_classifier, small_benchmark)
    assert dict(measured.strata) == {"test": 40, "train": 24}


def test_at_most_so_many_training_images(small_classifier, small_benchmark):
    metric = GeneralizationGap(train_images=10)
    assert metric.measurements(small_benchmark) == (Predictions("test"), Predictions("train", images=10))
    assert metric.measure(small_classifier, small_benchmark).strata["train"] == 10
    assert small_classifier.passes.forward == 50
    assert GeneralizationGap(train_images=None).measurements(small_benchmark)[1] == Predictions("train")


def test_without_training_images_says_how_to_give_them(small_benchmark):
    with pytest.raises(NotEvaluated, match=r"^no training images \(give --train SPEC\)$"):
        GeneralizationGap().measurements(Benchmark("b", small_benchmark.test))
