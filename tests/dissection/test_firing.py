import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sparsescope.dissection import firing as module
from sparsescope.dissection.firing import firing, thresholds
from sparsescope.dissection.packing import words_per_mask


def unpacked(mask, n, shape):
    words = np.zeros((n, words_per_mask(shape[0] * shape[1])), dtype=np.uint64)
    words[mask.images, mask.places] = mask.words
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    return bits[:, : shape[0] * shape[1]].reshape(n, *shape).astype(bool)


def test_a_fraction_of_the_values_exceeds_the_threshold():
    maps = np.random.default_rng(0).permutation(2 * 1000).reshape(10, 2, 10, 10).astype(np.float32)
    found = thresholds(maps, 0.005)
    assert found.dtype == np.float32
    assert [int((maps[:, k] > found[k]).sum()) for k in range(2)] == [5, 5]
    np.testing.assert_array_equal(found, [np.sort(maps[:, k].ravel())[-6] for k in range(2)])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.001, 0.999))
def test_the_threshold_is_the_empirical_quantile(seed, fraction):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, 9, (int(rng.integers(2, 9)), 2, 3, 4)).astype(np.float32)  # many ties
    size = maps[:, 0].size
    above = max(1, np.floor(fraction * size))
    for k, threshold in enumerate(thresholds(maps, fraction)):
        assert threshold in maps[:, k]
        assert (maps[:, k] > threshold).sum() <= above < (maps[:, k] >= threshold).sum()


def test_a_rectified_unit_that_is_rarely_active_fires_where_it_is_active():
    maps = np.zeros((10, 1, 10, 10), dtype=np.float32)
    maps[3, 0, 2, 2] = maps[7, 0, 5, 5] = 0.1
    (threshold,) = thresholds(maps, 0.005)
    assert threshold == 0
    np.testing.assert_array_equal(unpacked(firing(maps[:, 0], 0.0, (10, 10)), 10, (10, 10)), maps[:, 0] > 0)


@pytest.mark.parametrize("constant", [0.0, 0.37, -1.3, 1e-30])
def test_a_constant_unit_never_fires(constant):
    maps = np.full((4, 1, 7, 7), constant, dtype=np.float32)
    (threshold,) = thresholds(maps, 0.005)
    assert len(firing(maps[:, 0], float(threshold), (112, 112)).words) == 0


def test_a_plateau_at_the_threshold_does_not_fire():
    """Interpolation of equal numbers may round up; the threshold is subtracted before."""
    maps = np.full((1, 6, 6), 0.37, dtype=np.float32)
    maps[0, 0, 0] = 1
    fires = unpacked(firing(maps, float(np.float32(0.37)), (97, 97)), 1, (97, 97))[0]
    assert fires[0, 0]
    assert not fires[30:].any() and not fires[:, 30:].any()


@pytest.mark.parametrize("label_shape", [(112, 112), (9, 31), (7, 7), (5, 3), (3, 20)])
def test_is_pillows_bilinear_resampling(label_shape):
    """Up, down, and one of each. Pillow takes (width, height)."""
    maps = np.random.default_rng(1).random((6, 7, 7)).astype(np.float32)
    fires = unpacked(firing(maps, 0.6, label_shape), 6, label_shape)
    for image, mask in zip(maps, fires, strict=True):
        resized = np.asarray(Image.fromarray(image).resize(label_shape[::-1], Image.Resampling.BILINEAR))
        certain = np.abs(resized - 0.6) > 1e-6
        np.testing.assert_array_equal(mask[certain], (resized > 0.6)[certain])
        assert certain.mean() > 0.99


def test_a_map_of_one_position_covers_the_image():
    maps = np.array([0.1, 0.9], dtype=np.float32).reshape(2, 1, 1)
    np.testing.assert_array_equal(unpacked(firing(maps, 0.5, (5, 6)), 2, (5, 6)).all(axis=(1, 2)), [False, True])


def test_chunks_change_nothing(monkeypatch):
    maps = np.random.default_rng(2).random((9, 4, 4)).astype(np.float32)
    whole = firing(maps, 0.7, (20, 20))
    monkeypatch.setattr(module, "CHUNK_PIXELS", 1)
    single = firing(maps, 0.7, (20, 20))
    for name in ("images", "places", "words"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(single, name))


def test_thresholds_leave_the_activations_alone():
    for width in (1, 3):
        maps = np.random.default_rng(3).random((5, width, 2, 2)).astype(np.float32)
        before = maps.copy()
        thresholds(maps, 0.2)
        np.testing.assert_array_equal(maps, before)
