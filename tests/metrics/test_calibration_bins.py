import numpy as np
import pytest
import reference_calibration as reference
from hypothesis import given
from hypothesis import strategies as st

from sparsescope.metrics.calibration_bins import absolute_gap, bin_edges, bin_index, debiased_gap


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


def test_debiased_gap_by_hand():
    """One bin. 0.75 four times, three right: S = 0, V = 0.75, E abs(N(0, V)) = sqrt(2 V / pi).

    0.5 four times, all right: S = 2, V = 4 x 0.25 - 4/4 = 0, so nothing is corrected.
    """
    ones = np.ones(4)
    calibrated = debiased_gap(np.full((4, 1), 0.75), np.array([[1], [1], [1], [0]]), ones, 1)
    assert calibrated == pytest.approx(-np.sqrt(2 * 0.75 / np.pi) / (np.sqrt(2) - 1))
    assert debiased_gap(np.full((4, 1), 0.5), np.ones((4, 1)), ones, 1) == pytest.approx(2)


@pytest.mark.parametrize("n_bins", [1, 4, 15])
def test_debiased_gap_agrees_with_the_literal_formula(n_bins):
    rng = np.random.default_rng(n_bins)
    probabilities, outcomes = rng.random((12, 2)), rng.integers(0, 2, (12, 2))
    weights = rng.multinomial(12, np.full(12, 1 / 12), size=2).astype(float)
    expected = [reference.debiased_gap(probabilities.tolist(), outcomes.tolist(), row, n_bins) for row in weights]
    np.testing.assert_allclose(debiased_gap(probabilities, outcomes, weights, n_bins), expected, rtol=1e-4, atol=1e-4)


def test_the_correction_is_what_random_halves_of_the_images_add():
    """The generalised jackknife by real halves, each image counted twice, instead of the normal distribution."""
    rng = np.random.default_rng(0)
    probabilities = rng.random((200, 3))
    outcomes = rng.random((200, 3)) < probabilities * 0.9
    whole = absolute_gap(probabilities, outcomes, np.ones(200), 5)
    halves = 2.0 * rng.permuted(np.tile(np.arange(200) < 100, (4000, 1)), axis=1)
    half = absolute_gap(probabilities, outcomes, halves, 5)
    assert half.mean() > 1.1 * whole
    added = (whole - debiased_gap(probabilities, outcomes, np.ones(200), 5)) * (np.sqrt(2) - 1)
    assert added == pytest.approx(half.mean() - whole, rel=0.05)


def test_debiased_gap_of_a_calibrated_model_is_zero_on_average():
    """400 times 300 images: the plug-in gap is 17 on average, the debiased one 0 within three standard errors."""
    rng = np.random.default_rng(1)
    plain, debiased = [], []
    for _ in range(400):
        probabilities = rng.random((300, 1))
        outcomes = rng.random((300, 1)) < probabilities
        plain.append(absolute_gap(probabilities, outcomes, np.ones(300), 10))
        debiased.append(debiased_gap(probabilities, outcomes, np.ones(300), 10))
    assert np.mean(plain) > 15
    assert abs(np.mean(debiased)) < 3 * np.std(debiased) / 20


def test_empty_bins_add_no_rounding():
    """A first bin is what remains of a column: without the threshold its rounded variance of 1e-14 moves the sum."""
    rng = np.random.default_rng(0)
    probabilities, order = rng.uniform(0.2, 0.9, (300, 3)), rng.permutation(300)
    outcomes = rng.random((300, 3)) < probabilities
    shuffled = debiased_gap(probabilities[order], outcomes[order], np.ones(300), 15)
    assert debiased_gap(probabilities, outcomes, np.ones(300), 15) == pytest.approx(shuffled, abs=1e-11)
