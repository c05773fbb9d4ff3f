"""Which superpixels are kept, distances, weights and fills."""

import numpy as np
import pytest
import reference_lime
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances

from sparsescope.errors import OptionError
from sparsescope.lime.perturbations import distances, draw_neighbourhood, draw_pivots, filling, kernel


def test_row_0_keeps_everything_and_the_rest_are_fair_coins():
    kept = draw_neighbourhood(4000, 25, seed=0, image_id=7)
    assert kept.dtype == bool and kept.shape == (4000, 25)
    assert kept[0].all()
    n = kept[1:].size
    assert abs(kept[1:].mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
    assert np.abs(np.corrcoef(kept[1:].T) - np.eye(25)).max() < 5 / np.sqrt(4000)


def test_draws_depend_on_seed_and_image_alone():
    first = draw_neighbourhood(100, 10, 0, 3)
    np.testing.assert_array_equal(first, draw_neighbourhood(100, 10, 0, 3))
    assert not np.array_equal(first, draw_neighbourhood(100, 10, 0, 4))
    assert not np.array_equal(first, draw_neighbourhood(100, 10, 1, 3))
    assert not np.array_equal(draw_pivots(100, 5, 0, 3), draw_pivots(100, 5, 0, 4))


@given(samples=st.integers(2, 40), seed=st.integers(0, 5), data=st.data())
def test_pivots_are_different_rows_and_never_the_image_itself(samples, seed, data):
    pivots = draw_pivots(samples, data.draw(st.integers(1, samples - 1)), seed, 0)
    assert len(set(pivots.tolist())) == len(pivots)
    assert pivots.min() >= 1 and pivots.max() < samples


def test_distances_by_hand():
    kept = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)
    rows = np.array([0, 1, 3])
    np.testing.assert_allclose(
        distances(kept, rows, "hamming"), [[0, 0.5, 0.75, 1], [0.5, 0, 0.75, 0.5], [1, 0.5, 0.25, 0]], atol=1e-15
    )
    np.testing.assert_allclose(
        distances(kept, rows, "cosine"),
        [[0, 1 - np.sqrt(0.5), 0.5, 1], [1 - np.sqrt(0.5), 0, 1, 1], [1, 1, 1, 1]],
        atol=1e-15,
    )


@given(seed=st.integers(0, 1000), d=st.integers(1, 12), kind=st.sampled_from(["hamming", "cosine"]))
def test_distances_equal_the_literal_ones_and_scikit_learn(seed, d, kind):
    kept = np.random.default_rng(seed).integers(0, 2, (15, d), dtype=bool)
    rows = np.array([0, 3, 14])
    ours = distances(kept, rows, kind)
    z = kept.astype(float)
    literal = [[reference_lime.distance(z[row], other, kind) for other in z] for row in rows]
    np.testing.assert_allclose(ours, literal, atol=1e-12)
    theirs = cdist(z[rows], z, "hamming") if kind == "hamming" else pairwise_distances(z[rows], z, metric="cosine")
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_kernel_is_the_root_of_the_exponential():
    np.testing.assert_allclose(kernel(np.array([0, 0.5, 1]), 0.25), [1, np.exp(-2), np.exp(-8)], rtol=1e-15)
    np.testing.assert_allclose(kernel(np.array([0.3]), 0.7), np.sqrt(np.exp(-(0.3**2) / 0.7**2)), rtol=1e-15)


IMAGE = np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2) / 12
SEGMENTS = np.array([[0, 0], [1, 0]])


def test_fill_with_a_level_and_with_a_colour():
    assert (filling(IMAGE, SEGMENTS, 0.25) == np.float32(0.25)).all()
    coloured = filling(IMAGE, SEGMENTS, (0.0, 0.5, 1.0))
    assert coloured.shape == IMAGE.shape and coloured[:, 0, 1].tolist() == [0, 0.5, 1]


def test_fill_with_each_superpixels_mean_colour():
    filled = filling(IMAGE, SEGMENTS, "mean")
    np.testing.assert_allclose(filled[0] * 12, [[4 / 3, 4 / 3], [2, 4 / 3]], rtol=1e-6)
    np.testing.assert_allclose(filled[2] * 12, [[28 / 3, 28 / 3], [10, 28 / 3]], rtol=1e-6)


def test_blur_removes_detail_and_keeps_the_level():
    checks = np.indices((32, 32)).sum(axis=0) % 2
    blurred = filling(checks[None].astype(np.float32), np.zeros((32, 32), int), "blur")
    assert np.ptp(blurred[:, 8:-8, 8:-8]) < 0.001 and blurred.mean() == pytest.approx(0.5, abs=1e-3)
    assert blurred.dtype == np.float32


def test_a_colour_of_the_wrong_length_is_refused():
    with pytest.raises(OptionError, match=r"Expected fill to be one color level or 3 \(one per channel\), but got 2"):
        filling(IMAGE, SEGMENTS, (0.1, 0.2))
