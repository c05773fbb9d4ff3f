import numpy as np
import pytest
import reference_calibration as reference
import torch
from sklearn.metrics import log_loss

from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.nll import NLL


def units(logits, labels):
    own = {Predictions("test"): {"logits": np.asarray(logits, np.float32), "label": np.asarray(labels)}}
    return NLL().units(own, own, None)


def random_predictions(seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(100, 5)) * 3).astype(np.float32), rng.integers(0, 5, 100)


def test_by_hand():
    """Uniform over 4 classes: log 4; odds of 3 to 1 for the label: log(4/3)."""
    two = units([[0, 0, 0, 0], [np.log(3), 0, -1e4, -1e4]], [2, 0])
    assert NLL().value(two) == pytest.approx((np.log(4) + np.log(4 / 3)) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_literal_formula(seed):
    logits, labels = random_predictions(seed)
    expected = reference.nll(logits.tolist(), labels.tolist())
    assert NLL().value(units(logits, labels)) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_scikit_learn_under_weights():
    logits, labels = random_predictions()
    weights = np.random.default_rng(1).random(100)
    probabilities = torch.softmax(torch.from_numpy(logits).double(), 1).numpy()
    expected = log_loss(labels, probabilities, sample_weight=weights, labels=range(5))
    assert NLL().reduce(units(logits, labels), weights) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_torch():
    logits, labels = random_predictions()
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels))
    assert NLL().value(units(logits, labels)) == pytest.approx(float(expected), rel=1e-9)


def test_confident_and_wrong_is_finite_and_confident_and_right_is_not_zero():
    """The logarithm of a float32 softmax is infinite on the first and 0 on the second."""
    assert NLL().value(units([[200, 0]], [1])) == pytest.approx(200)
    assert NLL().value(units([[50, 0]], [0])) == pytest.approx(np.exp(-50))


def test_no_weight_is_nan():
    assert np.isnan(NLL().reduce(units([[1, 0]], [0]), np.zeros(1)))
