import json
from dataclasses import replace

import numpy as np
import pytest
import reference_calibration as calibration
import reference_corruption_error as reference

from sparsescope.measurements.corrupted_predictions import CorruptedPredictions, plan_cells
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.corruption_error import CorruptionError
from sparsescope.units import Units, resampling_weights

TWO = CorruptionError(corruptions=("fog", "snow"), severities=(1, 2), cells_per_image=None)


def units(error, dense_error, observed=None, clean_error=None, dense_clean_error=None, confidence=None):
    error, dense_error = np.asarray(error, bool), np.asarray(dense_error, bool)
    n = len(error)
    observed = np.ones_like(error) if observed is None else np.asarray(observed, bool)
    return Units(
        {"test": n},
        {
            "error": error & observed,
            "dense_error": dense_error & observed,
            "observed": observed,
            "confidence": np.where(observed, 0.8, 0).astype(np.float32) if confidence is None else confidence,
            "nll": np.where(observed, 0.5, 0).astype(np.float32),
            "clean_error": np.zeros(n, bool) if clean_error is None else np.asarray(clean_error, bool),
            "dense_clean_error": np.zeros(n, bool)
            if dense_clean_error is None
            else np.asarray(dense_clean_error, bool),
        },
    )


def random_units(seed=0, n=30, shape=(2, 2), share=0.6):
    rng = np.random.default_rng(seed)
    return units(rng.random((n, *shape)) < 0.5, rng.random((n, *shape)) < 0.4, rng.random((n, *shape)) < share)


def from_rates(own, dense):
    """Four images; each cell has so many errors of the four."""
    rows = np.arange(4)[:, None, None]
    return units(rows < np.array(own), rows < np.array(dense))


def test_by_hand():
    """Fog: (2 + 4) against (1 + 3) errors, 6/4; snow: (1 + 1) against (0 + 4), 2/4; the mean is 1."""
    assert TWO.value(from_rates([[2, 4], [1, 1]], [[1, 3], [0, 4]])) == pytest.approx((6 / 4 + 2 / 4) / 2)


def test_is_a_ratio_of_sums_not_a_mean_of_ratios():
    """Fog alone: (4 + 2) / (1 + 2), not (4/1 + 2/2) / 2."""
    fog = CorruptionError(corruptions=("fog",), severities=(1, 2))
    assert fog.value(from_rates([[4, 2]], [[1, 2]])) == pytest.approx(2)


def test_the_dense_model_is_exactly_one():
    measured = random_units(n=31)
    own = Units(measured.strata, {**measured.arrays, "error": measured["dense_error"]})
    weights = resampling_weights(own.strata, range(50), 0)
    assert TWO.value(own) == 1.0
    assert (TWO.reduce(own, weights) == 1.0).all()


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_literal_rewrite_under_weights(seed):
    measured = random_units(seed, n=8)
    weights = np.random.default_rng(seed).poisson(1, (40, 8)).astype(float)
    arrays = [measured[name].tolist() for name in ("error", "dense_error", "observed")]
    expected = [reference.mce(*arrays, row.tolist()) for row in weights]
    assert any(value is not None for value in expected)
    np.testing.assert_allclose(TWO.reduce(measured, weights), [np.nan if v is None else v for v in expected])


def test_a_corruption_without_dense_errors_is_left_out_and_listed():
    measured = from_rates([[2, 2], [1, 0]], [[1, 3], [0, 0]])
    assert TWO.value(measured) == pytest.approx(4 / 4)
    details = TWO.details(measured)
    assert details["left_out"] == ["snow"]
    assert details["corruptions"]["snow"]["ce"] is None
    assert details["corruptions"]["snow"]["error"] == [0.25, 0.0]
    assert TWO.details(from_rates([[2, 2], [1, 0]], [[1, 3], [0, 1]]))["left_out"] == []


def test_left_out_of_the_replicates_without_dense_errors_only():
    """Snow's only dense error is on image 0: the first replicate has it, the second does not."""
    measured = from_rates([[2, 2], [1, 0]], [[4, 4], [1, 0]])
    values = TWO.reduce(measured, np.array([[1.0, 1, 1, 1], [0.0, 1, 1, 1]]))
    np.testing.assert_allclose(values, [(4 / 8 + 1) / 2, (2 / 3) / 2])


def test_nothing_left_is_nan():
    measured = from_rates([[2, 2], [1, 0]], [[0, 0], [0, 0]])
    assert np.isnan(TWO.value(measured))
    details = TWO.details(measured)
    assert details["left_out"] == ["fog", "snow"]
    assert details["relative_mce"] is None


def test_a_cell_nobody_was_seen_under_drops_out_of_both_sums():
    observed = np.ones((4, 2, 2), bool)
    observed[:, 0, 1] = False
    rows = np.arange(4)[:, None, None]
    measured = units(rows < np.array([[2, 4], [1, 1]]), rows < np.array([[1, 3], [2, 2]]), observed)
    assert TWO.value(measured) == pytest.approx((2 / 1 + 2 / 4) / 2)
    fog = TWO.details(measured)["corruptions"]["fog"]
    assert fog["ece"] == [pytest.approx(0.3), None]
    assert fog["nll"] == [0.5, None]
    del fog["ece"]
    assert fog.pop("sce") is None  # no probabilities
    assert fog == {
        "images": [4, 0], "error": [0.5, None], "dense_error": [0.25, None], "nll": [0.5, None], "ce": 2.0
    }  # fmt: skip
    # One cell of four drops out: snow has 1 error of 4 (gap 0.05) at both severities.
    assert TWO.details(measured)["mean_ece"] == pytest.approx((0.3 + 0.05 + 0.05) / 3)
    assert TWO.details(measured)["mean_nll"] == pytest.approx(0.5)


def test_no_weight_is_nan():
    assert np.isnan(TWO.reduce(random_units(), np.zeros(30)))


def test_details_by_hand():
    """Clean errors 1/4 and 0; rises: fog (6/4 - 2/4) against 4/4, snow (2/4 - 2/4) against 4/4."""
    rows = np.arange(4)[:, None, None]
    measured = units(rows < np.array([[2, 4], [1, 1]]), rows < np.array([[1, 3], [0, 4]]), clean_error=[1, 0, 0, 0])
    details = TWO.details(measured)
    assert details["severities"] == [1, 2]
    fog = details["corruptions"]["fog"]
    assert {name: fog[name] for name in ("images", "error", "dense_error", "ce")} == {
        "images": [4, 4], "error": [0.5, 1.0], "dense_error": [0.25, 0.75], "ce": 1.5
    }  # fmt: skip
    assert details["mean_error"] == pytest.approx(8 / 16)
    assert details["dense_mean_error"] == pytest.approx(8 / 16)
    assert (details["clean_error"], details["dense_clean_error"]) == (0.25, 0.0)
    assert details["relative_mce"] == pytest.approx((1 + 0) / 2)
    assert json.loads(json.dumps(details)) == details


@pytest.mark.parametrize("seed", range(3))
def test_calibration_in_every_cell_agrees_with_the_literal_rewrite(seed):
    rng = np.random.default_rng(seed)
    observed = rng.random((60, 2, 2)) < 0.6
    error = (rng.random((60, 2, 2)) < 0.4) & observed
    confidence = np.where(observed, rng.beta(4, 1, (60, 2, 2)), 0).astype(np.float32)
    confidence[0][observed[0]] = 1.0
    details = TWO.details(units(error, error, observed, confidence=confidence))
    for c, name in enumerate(("fog", "snow")):
        for s in (0, 1):
            seen = observed[:, c, s]
            expected = calibration.ece(confidence[seen, c, s].tolist(), (~error[seen, c, s]).tolist())
            assert details["corruptions"][name]["ece"][s] == pytest.approx(expected, abs=1e-12)


def test_sce_in_every_cell_agrees_with_the_literal_rewrite():
    """Each of 50 images is seen under 2 of the 4 cells; its probabilities lie in the order of these."""
    rng = np.random.default_rng(7)
    observed = np.zeros((50, 4), bool)
    for row in observed:
        row[rng.permutation(4)[:2]] = True
    logits, labels = rng.normal(size=(50, 2, 3)) * 3, rng.integers(0, 3, 50)
    logits[0] = [50, 0, 0]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    measured = units(np.zeros((50, 2, 2)), np.zeros((50, 2, 2)), observed.reshape(50, 2, 2))
    arrays = {**measured.arrays, "probabilities": probabilities, "label": labels}
    details = TWO.details(Units(measured.strata, arrays))
    found = np.array([details["corruptions"][name]["sce"] for name in ("fog", "snow")]).ravel()
    for cell in range(4):
        members = np.flatnonzero(observed[:, cell])
        shown = [logits[i, int(observed[i, :cell].sum())] for i in members]
        assert found[cell] == pytest.approx(calibration.sce(shown, labels[members].tolist()), abs=1e-12)
    assert details["mean_sce"] == pytest.approx(found.mean())


def test_relative_mce_leaves_out_what_does_not_hurt_the_dense_model():
    """Snow lowers the dense model's error from 3/4 to 1/4: no rise to compare with."""
    rows = np.arange(4)[:, None, None]
    measured = units(
        rows < np.array([[4, 4], [1, 1]]), rows < np.array([[4, 4], [1, 1]]),
        clean_error=[1, 1, 0, 0], dense_clean_error=[1, 1, 1, 0],
    )  # fmt: skip
    assert TWO.details(measured)["relative_mce"] == pytest.approx((2 - 1) / (2 - 1.5))


def test_units_take_dense_errors_and_the_clean_errors_of_the_sampled_images():
    sampled = replace(TWO, images=2)
    corrupted, clean = sampled.measurements(None)
    assert corrupted == CorruptedPredictions(("fog", "snow"), (1, 2), 2, None)
    assert clean == Predictions("test")
    rng = np.random.default_rng(0)
    observed = rng.random((2, 2, 2)) < 0.5

    def model(predicted):
        error = (rng.random((2, 2, 2)) < 0.5) & observed
        logits = np.eye(2, dtype=np.float32)[predicted]
        return {
            corrupted: {
                "error": error,
                "observed": observed,
                "confidence": observed * np.float32(0.9),
                "nll": observed * np.float32(rng.random()),
                "image": np.array([1, 3]),
            },
            clean: {"logits": logits, "label": np.array([0, 0, 0, 0])},
        }

    own, dense = model([0, 1, 0, 0]), model([0, 0, 0, 1])
    measured = sampled.units(own, dense, None)
    assert dict(measured.strata) == {corrupted.population: 2}
    np.testing.assert_array_equal(measured["error"], own[corrupted]["error"])
    np.testing.assert_array_equal(measured["dense_error"], dense[corrupted]["error"])
    np.testing.assert_array_equal(measured["nll"], own[corrupted]["nll"])
    assert measured["clean_error"].tolist() == [True, False]
    assert measured["dense_clean_error"].tolist() == [False, True]


def test_standard_defaults():
    metric = CorruptionError()
    assert len(metric.corruptions) == 15
    assert metric.severities == (1, 2, 3, 4, 5)
    assert metric.cells_per_image == 15


def test_a_sample_of_images_is_a_population_of_its_own():
    metric = CorruptionError(corruptions=("fog", "snow"), severities=(1, 2), images=2)
    (corrupted, clean) = metric.measurements(None)
    table = np.zeros((2, 2, 2), np.float32)
    arrays = {"error": table > 0, "observed": table == 0, "confidence": table, "nll": table, "image": np.array([0, 2])}
    own = {corrupted: arrays, clean: {"logits": np.eye(3, dtype=np.float32), "label": np.arange(3)}}
    assert dict(metric.units(own, own, None).strata) == {"test/2": 2}


class Population:
    """Images of one hidden difficulty each, under 4 corruptions × 3 severities; sparse errs less."""

    metric = CorruptionError(corruptions=("fog", "snow", "frost", "contrast"), severities=(1, 2, 3), cells_per_image=3)
    level = np.linspace(0.1, 0.5, 12).reshape(4, 3)

    def draw(self, seed, n):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 3, n)
        difficulty = 0.7 * rng.random((n, 1, 1)) + 0.3 * rng.random((n, 4, 3))
        return labels, difficulty < 0.8 * self.level, difficulty < self.level

    def sampled(self, seed, n):
        labels, own, dense = self.draw(seed, n)
        return units(own, dense, plan_cells(labels, 12, 3, seed).reshape(n, 4, 3))

    def truth(self):
        _, own, dense = self.draw(10**6, 200_000)
        return float(np.mean(own.mean(0).sum(1) / dense.mean(0).sum(1)))


def test_sampled_error_rates_are_unbiased():
    """Over many plans for the same 70 images, each cell's estimated rate averages to the rate over all 70."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 70)
    error = rng.random((70, 4, 3)) < np.array([0.1, 0.4, 0.7])[labels][:, None, None]
    estimates = []
    for seed in range(600):
        observed = plan_cells(labels, 12, 3, seed).reshape(70, 4, 3)
        estimates.append((error & observed).sum(0) / observed.sum(0))
    spread = np.std(estimates, axis=0)
    assert (spread > 0).all()
    assert (np.abs(np.mean(estimates, axis=0) - error.mean(0)) < 3.5 * spread / np.sqrt(600)).all()


def test_interval_of_the_sampled_mce_covers():
    population, n, simulations = Population(), 300, 200
    truth = population.truth()
    weights = [resampling_weights({"test": n}, range(300), seed) for seed in range(4)]
    hits = 0
    for simulation in range(simulations):
        measured = population.sampled(simulation, n)
        low, high = np.quantile(population.metric.reduce(measured, weights[simulation % 4]), [0.025, 0.975])
        hits += low <= truth <= high
    assert 0.89 <= hits / simulations <= 0.99
