import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.accuracy import Accuracy


def units(logits, labels):
    own = {Predictions("test"): {"logits": np.asarray(logits, np.float32), "label": np.asarray(labels)}}
    return Accuracy().units(own, own, None)


def test_by_hand():
    logits = [[2, 1, 0], [0, 3, 1], [1, 0, 5], [0, 0, 1]]
    assert Accuracy().value(units(logits, [0, 1, 0, 2])) == 0.75


def test_weighted_by_hand():
    three = units([[1, 0], [1, 0], [0, 1]], [0, 1, 1])
    assert Accuracy().reduce(three, np.array([2.0, 5.0, 1.0])) == 3 / 8


def test_the_lowest_class_wins_ties():
    assert Accuracy().value(units([[1, 1], [1, 1]], [0, 1])) == 0.5


def test_no_weight_is_nan():
    assert np.isnan(Accuracy().reduce(units([[1, 0]], [0]), np.zeros(1)))


def test_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    logits, labels, weights = rng.normal(size=(50, 4)), rng.integers(0, 4, 50), rng.random(50)
    expected = accuracy_score(labels, logits.argmax(1), sample_weight=weights)
    assert Accuracy().reduce(units(logits, labels), weights) == pytest.approx(expected)


def test_measured_from_model_and_images(small_classifier, small_benchmark):
    measured = Accuracy().measure(small_classifier, small_benchmark, batch_size=7)
    with torch.no_grad():
        small_classifier.module.eval()
        predicted = small_classifier(small_benchmark.test.read(range(40))).argmax(1).numpy()
    assert measured.strata == {"test": 40}
    assert Accuracy().value(measured) == (predicted == small_benchmark.test.labels).mean()


def test_a_candidate_tells_who_changed_sides():
    logits = np.eye(3, dtype=np.float32)
    labels = np.array([0, 0, 1, 2])
    dense = {Predictions("test"): {"logits": logits[[0, 0, 1, 1]], "label": labels}}
    own = {Predictions("test"): {"logits": logits[[0, 1, 1, 2]], "label": labels}}
    details = Accuracy().details(Accuracy().units(own, dense, None))
    assert (details["classes"], details["correct"]) == (3, 3)
    assert details["changed"] == {"lost": {"n": 1, "images": [1]}, "gained": {"n": 1, "images": [3]}}
    assert details["by_class"]["difference"] == [-0.5, 0, 1]
    assert details["by_class"]["confidence"] == 0.95


def test_the_dense_model_itself_changes_nothing_and_lists_nothing():
    assert Accuracy().details(units([[1, 0], [0, 1]], [0, 0])) == {"classes": 2, "correct": 1}


def test_details_change_no_value():
    own = {Predictions("test"): {"logits": np.eye(2, dtype=np.float32), "label": np.array([0, 0])}}
    measured = Accuracy().units(own, dict(own), None)
    assert Accuracy().value(measured) == Accuracy().value(Accuracy().units(own, own, None)) == 0.5
    assert Accuracy().details(measured)["changed"]["lost"]["n"] == 0
