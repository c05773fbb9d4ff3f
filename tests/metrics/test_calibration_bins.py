import numpy as np
import pytest
import reference_calibration as reference
from hypothesis import given
from hypothesis import strategies as st

from sparsescope.metrics.calibration_bins import absolute_gap, bin_edges, bin_index


@pytest.mark.parametrize("n_bins", [1, 2, 10, 14, 15, 20])
def test_every_edge_closes_its_bin_on_the_right(n_bins):
    for m in range(1, n_bins + 1):
        edge = np.array([m / n_bins])
        assert bin_index(edge, n_bins) == m - 1
        assert bin_index(np.nextafter(edge, 0), n_bins) == m - 1
        if m < n_bins:
            assert bin_index(np.nextafter(edge, 1), n_bins) == m


@pytest.mark.parametrize("n_bins", [1, 10, 15])
def test_zero_belongs_to_the_first_bin_and_one_to_the_last(n_bins):
    tiny = np.nextafter(0, 1)
    assert bin_index(np.array([0.0, tiny, 1.0]), n_bins).tolist() == [0, 0, n_bins - 1]


def test_the_rounded_product_would_miss_some_neighbours_of_edges():
    """The short cut ceil(p M) - 1 is wrong just above an edge; this is why edges are compared."""
    above = np.nextafter(np.arange(1, 15) / 15, 1)
    assert (np.ceil(above * 15) - 1 != bin_index(above, 15)).any()


def test_edges_are_the_fractions_themselves():
    assert bin_edges(10).tolist() == [m / 10 for m in range(11)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 30))
def test_bins_agree_with_the_definition(probabilities, n_bins):
    for p, index in zip(probabilities, bin_index(np.array(probabilities), n_bins), strict=True):
        assert [m for m in range(1, n_bins + 1) if reference.in_bin(p, m, n_bins)] == [index + 1]


def test_gap_by_hand():
    """Two bins of one column: (1 - 0.2) w0 in the first, -0.9 w1 + 0.3 w2 in the second."""
    probabilities = np.array([[0.2], [0.9], [0.7]])
    outcomes = np.array([[1], [0], [1]])
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
    expected = [0.8 + 0.6, 1.6 + 0.0, 0.0]
    np.testing.assert_allclose(absolute_gap(probabilities, outcomes, weights, 2), expected, atol=1e-12)
    np.testing.assert_allclose(absolute_gap(probabilities, outcomes, weights[0], 2), 1.4)


def test_gap_in_a_single_bin_is_the_gap_of_the_means():
    rng = np.random.default_rng(0)
    probabilities, outcomes = rng.random((20, 1)), rng.integers(0, 2, (20, 1))
    gap = absolute_gap(probabilities, outcomes, np.ones(20), 1)
    assert gap == pytest.approx(abs(outcomes.sum() - probabilities.sum()))
