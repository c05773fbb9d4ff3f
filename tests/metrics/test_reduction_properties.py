"""What holds for the reduction of every metric of predictions."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics import create
from sparsescope.metrics.corruption_error import CorruptionError
from sparsescope.units import Units

IMAGES = ArrayImages(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, int))
BENCHMARK = Benchmark("b", IMAGES, IMAGES, {"near": IMAGES, "far": IMAGES})
METRICS = ["accuracy", "generalization_gap", "corruption_error", "ood_auroc", "ece", "sce", "nll"]
SEEDS = st.integers(0, 2**32 - 1)


def make(name):
    if name == "corruption_error":
        return CorruptionError(corruptions=("fog", "snow"), severities=(1, 2, 3))
    return create(name)


def random_units(metric, seed):
    rng = np.random.default_rng(seed)
    if isinstance(metric, CorruptionError):
        n = 12
        table = (n, 2, 3)
        observed = rng.random(table) < 0.7
        arrays = {name: (rng.random(table) < 0.5) & observed for name in ("error", "dense_error")}
        clean = {name: rng.random(n) < 0.5 for name in ("clean_error", "dense_clean_error")}
        floats = {name: rng.random(table, dtype=np.float32) * observed for name in ("confidence", "nll")}
        return Units({"test": n}, {**arrays, **floats, **clean, "observed": observed})
    own = {}
    for measurement in (*metric.measurements(BENCHMARK), Predictions("test")):
        n = 8 + len(measurement.image_set)
        # coarse logits, so that scores tie
        logits = rng.integers(-3, 4, (n, 4)).astype(np.float32)
        own[measurement] = {"logits": logits, "label": rng.integers(0, 4, n)}
    return metric.units(own, own, BENCHMARK)


def take(units, rows_of):
    """Units with the rows of every stratum picked by `rows_of(start, size)`."""
    picked = {name: rows_of(units.rows(name).start, size) for name, size in units.strata.items()}
    rows = np.concatenate(list(picked.values()))
    strata = {name: len(chosen) for name, chosen in picked.items()}
    return Units(strata, {name: array[rows] for name, array in units.arrays.items()}), rows


@pytest.mark.parametrize("name", METRICS)
@given(seed=SEEDS)
def test_the_order_of_units_changes_nothing(name, seed):
    metric = make(name)
    units = random_units(metric, seed)
    rng = np.random.default_rng(seed)
    shuffled, rows = take(units, lambda start, size: start + rng.permutation(size))
    weights = rng.integers(1, 4, (3, len(units))).astype(float)
    np.testing.assert_allclose(metric.reduce(shuffled, weights[:, rows]), metric.reduce(units, weights), atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@given(seed=SEEDS)
def test_weights_are_counts_of_repetitions(name, seed):
    metric = make(name)
    units = random_units(metric, seed)
    weights = np.random.default_rng(seed).integers(0, 3, len(units)).astype(float)
    for stratum in units.strata:
        weights[units.rows(stratum).start] = 1
    repeated, _ = take(
        units, lambda start, size: start + np.repeat(np.arange(size), weights[start : start + size].astype(int))
    )
    np.testing.assert_allclose(metric.value(repeated), metric.reduce(units, weights), atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@given(seed=SEEDS)
def test_many_rows_of_weights_are_reduced_one_by_one(name, seed):
    metric = make(name)
    units = random_units(metric, seed)
    weights = np.random.default_rng(seed).integers(0, 3, (5, len(units))).astype(float)
    one_by_one = [metric.reduce(units, row) for row in weights]
    assert np.shape(one_by_one) == (5,)
    np.testing.assert_allclose(metric.reduce(units, weights), one_by_one, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@given(seed=SEEDS)
def test_values_stay_in_bounds_and_their_scale_does_not_depend_on_the_weights(name, seed):
    metric = make(name)
    units = random_units(metric, seed)
    value = metric.value(units)
    low, high = metric.bounds
    assert low is None or value >= low - 1e-12
    assert high is None or value <= high + 1e-12
    np.testing.assert_allclose(metric.reduce(units, 7.5 * units.uniform_weights()), value, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@given(seed=SEEDS)
def test_debiased_estimates_depend_on_neither_order_nor_chunks(name, seed):
    metric = make(name)
    units = random_units(metric, seed)
    rng = np.random.default_rng(seed)
    shuffled, rows = take(units, lambda start, size: start + rng.permutation(size))
    weights = rng.integers(1, 4, (3, len(units))).astype(float)
    together = metric.debiased(units, weights)
    np.testing.assert_allclose(metric.debiased(shuffled, weights[:, rows]), together, atol=1e-12)
    np.testing.assert_allclose([metric.debiased(units, row) for row in weights], together, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_details_are_plain_json(name):
    metric = make(name)
    details = metric.details(random_units(metric, 0))
    assert json.loads(json.dumps(details, allow_nan=False)) == details
