import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsescope.units import Units, resampling_weights, weighted_mean


def test_rows_of_each_stratum():
    units = Units({"test": 3, "ood:x": 2}, {"a": np.arange(5), "b": np.zeros((5, 4))})

    assert len(units) == 5
    assert units["a"][units.rows("test")].tolist() == [0, 1, 2]
    assert units["a"][units.rows("ood:x")].tolist() == [3, 4]
    assert units.uniform_weights().tolist() == [1.0] * 5
    with pytest.raises(KeyError, match="train"):
        units.rows("train")


def test_arrays_must_have_one_row_per_unit():
    with pytest.raises(ValueError, match=r"Expected array 'b' to have 5 rows \(one per unit\), got 4"):
        Units({"test": 5}, {"a": np.zeros(5), "b": np.zeros(4)})


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    start=st.integers(0, 5),
    length=st.integers(0, 8),
    seed=st.integers(0, 3),
)
def test_weights_are_counts_of_draws_within_each_stratum(sizes, start, length, seed):
    strata = {f"s{i}": size for i, size in enumerate(sizes)}
    weights = resampling_weights(strata, range(start, start + length), seed)

    assert weights.shape == (length, sum(sizes))
    assert np.array_equal(weights, np.rint(weights))
    assert (weights >= 0).all()
    begin = 0
    for size in sizes:
        assert (weights[:, begin : begin + size].sum(axis=1) == size).all()
        begin += size


def test_chunks_of_replicates_give_the_same_weights():
    strata = {"test": 20, "train": 7}
    whole = resampling_weights(strata, range(30), 1)

    chunks = [resampling_weights(strata, replicates, 1) for replicates in (range(11), range(11, 12), range(12, 30))]
    assert np.array_equal(np.concatenate(chunks), whole)


def test_a_stratum_has_the_same_weights_in_any_company():
    alone = resampling_weights({"test": 20}, range(10), 0)

    assert np.array_equal(resampling_weights({"ood:x": 5, "test": 20}, range(10), 0)[:, 5:], alone)
    assert not np.array_equal(resampling_weights({"train": 20}, range(10), 0), alone)
    assert not np.array_equal(resampling_weights({"test": 20}, range(10), 1), alone)


def test_weights_have_multinomial_moments():
    n, replicates = 25, 4000
    weights = resampling_weights({"test": n}, range(replicates), 0)

    # Mean 1, variance 1 - 1/n, covariance -1/n between two units.
    assert np.abs(weights.mean(axis=0) - 1).max() < 5 / np.sqrt(replicates)
    covariance = np.cov(weights.T)
    assert np.diag(covariance).mean() == pytest.approx(1 - 1 / n, rel=0.03)
    assert covariance[~np.eye(n, dtype=bool)].mean() == pytest.approx(-1 / n, rel=0.05)


def test_the_bootstrap_standard_error_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(0).normal(size=200)
    means = weighted_mean(values, resampling_weights({"test": 200}, range(4000), 0))

    assert means.std() == pytest.approx(values.std() / np.sqrt(200), rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(200 * 4000))


def test_weighted_mean_worked_by_hand():
    values = np.array([1, 2, 6], dtype=np.int8)
    weights = np.array([[1.0, 1, 1], [0, 0, 2], [1, 2, 1], [0, 0, 0]])

    means = weighted_mean(values, weights)

    assert means[:3].tolist() == [3.0, 6.0, 2.75]
    assert np.isnan(means[3])
    assert weighted_mean(values, np.ones(3)).shape == ()


def test_weighted_mean_sums_in_float64():
    values = np.full(100_000, 0.1, dtype=np.float32)

    assert weighted_mean(values, np.ones(len(values))) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_common_arrays_belong_to_no_unit():
    units = Units({"test": 2}, {"a": np.arange(2)}, {"name": np.array("layer3"), "formula": np.array(["x", "y", "z"])})
    assert len(units) == 2
    assert str(units.common["name"]) == "layer3"
    with pytest.raises(KeyError):
        units["formula"]
