import warnings

import numpy as np
import pytest
import reference_calibration as reference
import torch
from torchmetrics.classification import MulticlassCalibrationError

from sparsescope.evaluation.bootstrap import interval
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.ece import ECE
from sparsescope.units import Units, resampling_weights


def units(logits, labels):
    own = {Predictions("test"): {"logits": np.asarray(logits, np.float32), "label": np.asarray(labels)}}
    return ECE().units(own, own, None)


def from_confidences(confidence, correct):
    confidence = np.asarray(confidence, np.float64)
    return Units(
        {"test": len(confidence)},
        {"confidence": confidence, "correct": np.asarray(correct, bool), "brier": np.zeros(len(confidence))},
    )


def random_predictions(n=300, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, classes)) * 2).astype(np.float32), rng.integers(0, classes, n)


def test_by_hand():
    """Bins of a tenth: {0.92, 0.98}, half of them right, and {0.55}, right: (2/3)(0.95 - 0.5) + (1/3)(1 - 0.55)."""
    three = from_confidences([0.92, 0.98, 0.55], [1, 0, 1])
    assert ECE(n_bins=10).value(three) == pytest.approx(2 / 3 * 0.45 + 1 / 3 * 0.45)


def test_gaps_of_one_bin_cancel_and_of_two_bins_do_not():
    assert ECE().value(from_confidences([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 0])) == pytest.approx(0)
    assert ECE().value(from_confidences([0.6, 0.95], [1, 1])) == pytest.approx((0.4 + 0.05) / 2)


@pytest.mark.parametrize("n_bins", [10, 14, 15, 20])
def test_confidences_at_every_edge(n_bins):
    """Pairs (m/M, just above): the two fall into different bins, so their gaps add up instead of cancelling."""
    for m in range(1, n_bins):
        confidence = [m / n_bins, np.nextafter(m / n_bins, 1)]
        expected = ((1 - confidence[0]) + confidence[1]) / 2
        assert ECE(n_bins=n_bins).value(from_confidences(confidence, [1, 0])) == pytest.approx(expected)


@pytest.mark.parametrize(("confidence", "correct", "expected"), [(0.0, 0, 0), (0.0, 1, 1), (1.0, 1, 0), (1.0, 0, 1)])
def test_confidence_zero_and_one(confidence, correct, expected):
    assert ECE().value(from_confidences([confidence] * 3, [correct] * 3)) == expected


def test_one_image():
    one = units([[0.0, 0.0]], [0])
    assert ECE().value(one) == pytest.approx(0.5)
    assert ECE().details(one)["maximum_calibration_error"] == pytest.approx(0.5)


@pytest.mark.parametrize("n_bins", [1, 10, 14, 15])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_literal_formula(n_bins, seed):
    logits, labels = random_predictions(seed=seed)
    expected = reference.ece_of_logits(logits.tolist(), labels.tolist(), n_bins)
    assert ECE(n_bins=n_bins).value(units(logits, labels)) == pytest.approx(expected, rel=1e-9)


def test_agrees_with_netcal():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from netcal.metrics import ECE as Netcal

        logits, labels = random_predictions()
        probabilities = torch.softmax(torch.from_numpy(logits).double(), 1).numpy()
        expected = Netcal(bins=15).measure(probabilities, labels)
    assert ECE().value(units(logits, labels)) == pytest.approx(expected, rel=1e-6)


def test_agrees_with_torchmetrics():
    logits, labels = random_predictions(seed=1)
    other = MulticlassCalibrationError(num_classes=5, n_bins=15, norm="l1")
    expected = other(torch.softmax(torch.from_numpy(logits).double(), 1), torch.from_numpy(labels))
    assert ECE().value(units(logits, labels)) == pytest.approx(float(expected), rel=1e-5)


def test_softmax_is_taken_in_float64():
    """With a margin of 20 the confidence differs from 1, though not in float32."""
    assert ECE().value(units([[20.0, 0.0]], [0])) == pytest.approx(np.exp(-20), rel=1e-6)


def test_no_weight_is_nan():
    assert np.isnan(ECE().reduce(from_confidences([0.5], [1]), np.zeros(1)))


def test_reliability_diagram_by_hand():
    table = ECE(n_bins=2).details(from_confidences([0.5, 0.6, 0.8], [1, 0, 1]))["reliability"]
    assert table[0] == {"lower": 0.0, "upper": 0.5, "count": 1, "confidence": 0.5, "accuracy": 1.0}
    assert table[1] == {"lower": 0.5, "upper": 1.0, "count": 2, "confidence": pytest.approx(0.7), "accuracy": 0.5}


def test_reliability_diagram_adds_up_to_the_ece():
    logits, labels = random_predictions()
    measured = units(logits, labels)
    table = ECE().details(measured)["reliability"]
    filled = [row for row in table if row["count"]]
    assert len(table) == 15 and len(filled) < 15
    assert all(row["confidence"] is None and row["accuracy"] is None for row in table if not row["count"])
    total = sum(row["count"] / 300 * abs(row["accuracy"] - row["confidence"]) for row in filled)
    assert total == pytest.approx(ECE().value(measured))


def test_extras_by_hand():
    """Largest gap of a filled bin; with two bins of equal mass, {0.1, 0.2} and {0.8, 0.9} of the four images."""
    details = ECE(n_bins=2).details(from_confidences([0.9, 0.1, 0.8, 0.2], [1, 0, 0, 1]))
    assert details["maximum_calibration_error"] == pytest.approx(0.35)
    assert details["adaptive_ece"] == pytest.approx((abs(1 - 0.3) + abs(1 - 1.7)) / 4)


def test_adaptive_bins_have_equal_mass_and_keep_equal_confidences_together():
    confidence = np.concatenate([np.linspace(0.90, 0.99, 10), [0.5] * 6])
    correct = np.arange(16) % 3 == 0
    forward = ECE(n_bins=4).details(from_confidences(confidence, correct))["adaptive_ece"]
    backward = ECE(n_bins=4).details(from_confidences(confidence[::-1], correct[::-1]))["adaptive_ece"]
    groups = [range(10, 16), range(2), range(2, 6), range(6, 10)]
    expected = sum(abs(sum(correct[i] - confidence[i] for i in group)) for group in groups) / 16
    assert forward == pytest.approx(expected)
    assert backward == pytest.approx(expected)


def test_brier_score_is_the_mean_over_images():
    logits, labels = random_predictions()
    details = ECE().details(units(logits, labels))
    assert details["brier_score"] == pytest.approx(reference.brier(logits.tolist(), labels.tolist()))


def test_debiased_is_reported_and_agrees_with_the_literal_formula():
    logits, labels = random_predictions(n=40)
    measured = units(logits, labels)
    columns = [[[c] for c in measured[name].tolist()] for name in ("confidence", "correct")]
    expected = reference.debiased_gap(*columns, [1] * 40) / 40
    assert ECE().details(measured)["debiased"] == pytest.approx(expected, abs=1e-4)


def simulated_coverage(gap_dense, gap_sparse, simulations=200, n=500):
    """Share of 95 % intervals that contain the true ECE difference of two paired models: ours, and the percentiles.

    An image is right with probability a (dense) or b (sparse), from one uniform number for both; a model with gap g
    says logit(confidence) = g logit(probability of being right): g = 1 is calibrated, g > 1 overconfident.
    """
    metric = ECE()

    def pair(rng, size):
        a = np.clip(rng.beta(5, 0.7, size), 0.1, 1 - 1e-9)
        b = np.clip(a - 0.05 * rng.random(size), 0.05, 1)
        luck = rng.random(size)
        return [from_confidences(1 / (1 + ((1 - p) / p) ** g), luck < p) for p, g in ((a, gap_dense), (b, gap_sparse))]

    def difference(reduction, models, weights):
        dense, sparse = models
        return reduction(sparse, weights) - reduction(dense, weights)

    truth = difference(metric.reduce, pair(np.random.default_rng(10**6), 1_000_000), np.ones(1_000_000))
    weights = [resampling_weights({"test": n}, range(300), seed) for seed in range(4)]
    hits = np.zeros(2)
    for simulation in range(simulations):
        models = pair(np.random.default_rng(simulation), n)
        drawn = weights[simulation % 4]
        value = float(difference(metric.debiased, models, np.ones(n)))
        low, high = interval(value, difference(metric.debiased, models, drawn), 0.95, metric.interval)
        lower, upper = interval(value, difference(metric.reduce, models, drawn), 0.95, "percentile")
        hits += [low <= truth <= high, lower <= truth <= upper]
    return hits / simulations


@pytest.mark.parametrize("gaps", [(1.8, 1.8), (1.0, 1.4), (1.0, 1.8), (1.8, 1.0)])
def test_interval_of_a_difference_covers(gaps):
    """True ECEs from 0.00 (g = 1) to 0.08: at least 91 % of a nominal 95 %, where plug-in percentiles miss."""
    ours, percentile = simulated_coverage(*gaps)
    assert ours >= 0.91
    assert gaps == (1.8, 1.8) or ours > percentile + 0.1
