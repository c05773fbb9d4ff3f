"""Intervals: pairing, both kinds by hand, coverage by simulation, and the edges."""

from typing import Any, ClassVar

import numpy as np
import pytest

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation import bootstrap as module
from sparsescope.evaluation.bootstrap import bootstrap, estimate, interval
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.base import Dimension, Metric
from sparsescope.units import FloatArray, Units, weighted_mean


class Mean(Metric):
    name: ClassVar[str] = "mean"
    label: ClassVar[str] = "Mean"
    sentence: ClassVar[str] = "Mean of x."
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "x"
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
    source: ClassVar[str] = "none"
    dimension: ClassVar[Dimension] = "generalization"

    def measurements(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        return ()

    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["x"], weights)


def sample(values: Any, stratum: str = "test") -> Units:
    return Units({stratum: len(values)}, {"x": np.asarray(values, dtype=float)})


def test_models_and_metrics_of_one_population_share_their_weights() -> None:
    x = np.random.default_rng(0).normal(size=50)
    one, other = bootstrap([(Mean(), {"a": sample(x), "b": sample(x + 3)}), (Mean(), {"c": sample(2 * x)})], 300, 0)
    np.testing.assert_allclose(one["b"] - one["a"], 3, rtol=1e-12)
    np.testing.assert_allclose(other["c"], 2 * one["a"])


def test_other_populations_and_seeds_have_other_weights() -> None:
    x = np.random.default_rng(0).normal(size=50)
    (rows,) = bootstrap([(Mean(), {"a": sample(x), "b": sample(x, "train")})], 100, 0)
    (again,) = bootstrap([(Mean(), {"a": sample(x)})], 100, 1)
    assert not np.allclose(rows["a"], rows["b"])
    assert not np.allclose(rows["a"], again["a"])


def test_the_chunk_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=30)
    (whole,) = bootstrap([(Mean(), {"a": sample(x)})], 101, 0)
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 7 * 30)
    (pieces,) = bootstrap([(Mean(), {"a": sample(x)})], 101, 0)
    np.testing.assert_allclose(whole["a"], pieces["a"], rtol=1e-12)


def test_percentile_and_normal_by_hand() -> None:
    replicates = np.arange(101) / 100  # quantiles of 0, 0.01 … 1 are the probabilities themselves
    assert interval(0.4, replicates, 0.9, "percentile") == pytest.approx((0.05, 0.95))
    reach = 1.6448536 * (101 * 102 / 12) ** 0.5 / 100  # the variance of 0 … N-1, ddof 1, is N (N + 1) / 12
    assert interval(0.4, replicates, 0.9, "normal") == pytest.approx((0.4 - reach, 0.4 + reach))


def test_bounds_clip_the_interval_but_not_the_value() -> None:
    replicates = np.arange(101) / 100
    found = estimate(0.4, replicates, sample(np.zeros(9)), confidence=0.9, kind="normal", bounds=(0.0, 0.5))
    assert found.interval == pytest.approx((0.0, 0.5))
    assert found.standard_error == pytest.approx(np.std(replicates, ddof=1))
    assert (found.value, found.n, found.replicates) == (0.4, 9, 101)


def test_few_units_widen_the_interval_and_it_holds_the_value() -> None:
    replicates = np.arange(101) / 100
    few = estimate(0.4, replicates, sample(np.zeros(5)), confidence=0.9, kind="percentile").interval
    factor = 2.131847 / 1.644854 * (5 / 4) ** 0.5  # t and normal quantiles at 95 %, 4 degrees of freedom
    assert few == pytest.approx((0.4 - 0.35 * factor, 0.4 + 0.55 * factor), rel=1e-5)
    assert estimate(0.99, replicates, sample(np.zeros(9)), confidence=0.9, kind="percentile").interval[1] == 0.99  # type: ignore[index]


@pytest.mark.parametrize(("debiased", "expected"), [(0.3, (-0.35, 0.95)), (-0.5, (-1.15, 0.4)), (1.2, (0.4, 1.85))])
def test_the_interval_lies_around_the_debiased_estimate_and_holds_the_value(
    debiased: float, expected: tuple[float, float]
) -> None:
    replicates = np.array([-0.65, 0.65]).repeat(5000) / 1.6448536 + 7  # only their spread counts
    found = estimate(0.4, replicates, sample(np.zeros(10**6)), confidence=0.9, kind="normal", debiased=debiased)
    assert found.value == 0.4
    assert found.interval == pytest.approx(expected, abs=1e-3)


def test_replicates_are_those_of_the_debiased_estimate() -> None:
    class Shifted(Mean):
        def debiased(self, units: Units, weights: FloatArray) -> FloatArray:
            return self.reduce(units, weights) - 5

    x = sample(np.random.default_rng(0).normal(size=50))
    shifted, plain = bootstrap([(Shifted(), {"a": x}), (Mean(), {"a": x})], 100, 0)
    np.testing.assert_allclose(shifted["a"], plain["a"] - 5)


def test_one_unit_has_no_interval() -> None:
    found = estimate(1.0, np.ones(200), sample([1.0]), confidence=0.95, kind="percentile")
    assert (found.interval, found.standard_error) == (None, None)


def test_undefined_replicates() -> None:
    replicates = np.arange(200.0)
    replicates[:9] = np.nan  # 4.5 %
    low, high = interval(0, replicates, 0.9, "percentile") or (0, 0)
    assert 9 < low < high < 200
    replicates[:20] = np.nan
    assert interval(0, replicates, 0.9, "percentile") is None


def test_intervals_of_a_paired_difference_cover_at_the_stated_level() -> None:
    """400 samples of 60 correlated pairs: coverage 95 % within three standard errors (1.1 points each)."""
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(400):
        shared = rng.normal(size=60)
        a, b = shared + 0.5 * rng.normal(size=60), shared + 0.5 * rng.normal(size=60) + 0.3
        (rows,) = bootstrap([(Mean(), {"a": sample(a), "b": sample(b)})], 400, seed)
        low, high = interval(float(np.mean(b - a)), rows["b"] - rows["a"], 0.95, "percentile") or (0, 0)
        hits += low <= 0.3 <= high
    assert 0.915 <= hits / 400 <= 0.985
