import warnings

import numpy as np
import pytest
import reference_calibration as reference

from sparsescope.evaluation.bootstrap import interval
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics import sce as module
from sparsescope.metrics.calibration_bins import absolute_gap
from sparsescope.metrics.sce import SCE
from sparsescope.units import resampling_weights


def units(logits, labels):
    own = {Predictions("test"): {"logits": np.asarray(logits, np.float32), "label": np.asarray(labels)}}
    return SCE().units(own, own, None)


def from_probabilities(probabilities, labels):
    with np.errstate(divide="ignore"):
        return units(np.maximum(np.log(probabilities), -1e4), labels)


def random_predictions(n=200, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, classes)) * 2).astype(np.float32), rng.integers(0, classes, n)


def test_by_hand():
    """Two classes, two images of probabilities (0.8, 0.2), labels 0 and 1: one bin per class, its gap 0.3."""
    assert SCE().value(from_probabilities([[0.8, 0.2], [0.8, 0.2]], [0, 1])) == pytest.approx(0.3, rel=1e-6)


def test_every_class_is_binned_by_its_own_probability_by_hand():
    """Three classes, two images; the bins are tenths and no two probabilities of one class share one.

    Class 0: |1 - 0.62| + 0.15; class 1: 0.25 + |1 - 0.55|; class 2: 0.13 + 0.30; each divided by n = 2, then the mean.
    """
    two = from_probabilities([[0.62, 0.25, 0.13], [0.15, 0.55, 0.30]], [0, 1])
    expected = ((0.38 + 0.15) / 2 + (0.25 + 0.45) / 2 + (0.13 + 0.30) / 2) / 3
    assert SCE(n_bins=10).value(two) == pytest.approx(expected, rel=1e-6)


def test_one_image():
    assert SCE().value(units([[0.0, 0.0]], [0])) == pytest.approx(0.5)


def test_probabilities_zero_and_one():
    certain = from_probabilities([[1.0, 0.0], [1.0, 0.0]], [0, 0])
    assert SCE().value(certain) == 0
    wrong = from_probabilities([[1.0, 0.0], [1.0, 0.0]], [1, 1])
    assert SCE().value(wrong) == 1


def test_all_labels_of_one_class():
    logits, _ = random_predictions()
    labels = np.full(200, 3)
    expected = reference.sce(logits.tolist(), labels.tolist())
    assert SCE().value(units(logits, labels)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n_bins", [1, 10, 15])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_literal_formula(n_bins, seed):
    logits, labels = random_predictions(seed=seed)
    expected = reference.sce(logits.tolist(), labels.tolist(), n_bins)
    assert SCE(n_bins=n_bins).value(units(logits, labels)) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_the_other_literal_road_under_weights():
    logits, labels = random_predictions(seed=4)
    weights = np.random.default_rng(4).poisson(1, (3, 200)).astype(float)
    expected = [reference.sce_in_one_pass(logits.tolist(), labels.tolist(), row) for row in weights]
    np.testing.assert_allclose(SCE().reduce(units(logits, labels), weights), expected, rtol=1e-9)


def test_is_the_mean_of_the_binary_calibration_errors_of_netcal():
    logits, labels = random_predictions(seed=5)
    probabilities = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from netcal.metrics import ECE as Netcal

        binary = [Netcal(bins=15).measure(probabilities[:, k], (labels == k).astype(int)) for k in range(5)]
    assert SCE().value(units(logits, labels)) == pytest.approx(np.mean(binary), rel=1e-6)


def test_thousand_classes_in_groups_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    measured = units(rng.normal(size=(60, 1000)) * 8, rng.integers(0, 1000, 60))
    weights = rng.poisson(1, (4, 60)).astype(float)
    whole = SCE().reduce(measured, weights)
    monkeypatch.setattr(module, "_BLOCK", 60 * 33)
    np.testing.assert_allclose(SCE().reduce(measured, weights), whole, rtol=1e-12)
    expected = reference.sce_in_one_pass(measured["logits"].tolist(), measured["label"].tolist(), weights[0])
    assert whole[0] == pytest.approx(expected, rel=1e-9)


def test_details_of_the_classes_average_to_the_value():
    measured = units(*random_predictions())
    classes = SCE().details(measured)["classes"]
    assert len(classes) == 5
    assert np.mean(classes) == pytest.approx(SCE().value(measured))


def test_debiased_is_reported_and_agrees_with_the_literal_formula(monkeypatch):
    logits, labels = random_predictions(n=25, classes=4)
    measured = units(logits, labels)
    probabilities = [reference.softmax(row) for row in logits.tolist()]
    outcomes = [[int(k == y) for k in range(4)] for y in labels]
    expected = reference.debiased_gap(probabilities, outcomes, [1] * 25) / 25 / 4
    assert SCE().details(measured)["debiased"] == pytest.approx(expected, abs=1e-4)
    monkeypatch.setattr(module, "_BLOCK", 25)  # one class at a time
    assert SCE().details(measured)["debiased"] == pytest.approx(expected, abs=1e-4)


def test_interval_of_a_difference_holds_the_truth_far_more_often_than_the_plug_in():
    """The worst case, a calibrated model against one that is twice too sure: 95 % intervals of 100 times 800 images.

    Labels are drawn from the calibrated model's own probabilities, so the true error of both is known. With one error
    in every bin of the one model and none in those of the other, debiasing removes more than half of the bias, not all.
    """
    rng, n = np.random.default_rng(0), 800
    pool = rng.normal(size=(100_000, 10)) * 2.5
    chance = np.exp(pool) / np.exp(pool).sum(axis=1, keepdims=True)
    sure = np.exp(2 * pool) / np.exp(2 * pool).sum(axis=1, keepdims=True)
    truth = -absolute_gap(sure, chance, np.ones(len(pool)), 15) / pool.size
    drawn = resampling_weights({"test": n}, range(200), 0)
    hits = np.zeros(2)
    for _ in range(100):
        rows = rng.integers(0, len(pool), n)
        labels = (rng.random((n, 1)) > chance[rows].cumsum(axis=1)[:, :-1]).sum(axis=1)
        sparse, dense = units(pool[rows], labels), units(2 * pool[rows], labels)
        for way, reduction in enumerate((SCE().debiased, SCE().reduce)):
            value = float(reduction(sparse, np.ones(n)) - reduction(dense, np.ones(n)))
            replicates = reduction(sparse, drawn) - reduction(dense, drawn)
            low, high = interval(value, replicates, 0.95, SCE.interval)
            hits[way] += low <= truth <= high
    assert hits[0] >= 45
    assert hits[1] == 0


def test_extreme_logits_stay_finite():
    huge = np.float32(3e38)
    assert SCE().value(units([[huge, -huge], [-huge, huge]], [0, 1])) == 0


def test_no_weight_is_nan():
    assert np.isnan(SCE().reduce(units([[1.0, 0.0]], [0]), np.zeros(1)))
