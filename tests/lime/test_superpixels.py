"""Superpixels: contiguous labels, the paper's settings, every size and number of channels."""

from pathlib import Path

import numpy as np
import pytest
from lime.wrappers.scikit_image import SegmentationAlgorithm

from sparsescope.lime import segment


def scene(channels: int, size: int) -> np.ndarray:
    """Coloured blocks with a little texture, so that every algorithm finds several parts."""
    rng = np.random.default_rng(3)
    blocks = rng.random((channels, 4, 4)).repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    return np.clip(blocks + rng.normal(0, 0.01, blocks.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("method", ["felzenszwalb", "quickshift", "slic", "grid"])
@pytest.mark.parametrize("channels", [1, 3])
def test_labels_are_contiguous_and_several(method, channels):
    segments = segment(scene(channels, 96), method)
    assert segments.shape == (96, 96) and segments.dtype == np.int64
    count = segments.max() + 1
    assert sorted(set(segments.flat)) == list(range(count)) and count >= 2
    np.testing.assert_array_equal(segments, segment(scene(channels, 96), method))


def test_auto_goes_by_size():
    for size, method in ((32, "felzenszwalb"), (64, "felzenszwalb"), (68, "quickshift")):
        image = scene(3, size)
        np.testing.assert_array_equal(segment(image), segment(image, method))
        assert not np.array_equal(segment(image, "felzenszwalb"), segment(image, "quickshift"))


def test_an_image_of_one_colour_is_one_superpixel():
    assert segment(np.full((3, 32, 32), 0.5, np.float32)).max() == 0


def test_grid_has_64_cells_or_one_per_pixel():
    assert segment(np.zeros((1, 32, 32), np.float32), "grid").max() + 1 == 64
    assert np.bincount(segment(np.zeros((1, 32, 16), np.float32), "grid").ravel()).tolist() == [8] * 64
    np.testing.assert_array_equal(segment(np.zeros((1, 4, 4), np.float32), "grid"), np.arange(16).reshape(4, 4))


def test_noise_below_half_a_grey_level_changes_nothing():
    image = np.rint(scene(3, 32) * 255) / 255
    noisy = np.clip(image + np.random.default_rng(0).uniform(-0.001, 0.001, image.shape), 0, 1).astype(np.float32)
    np.testing.assert_array_equal(segment(image.astype(np.float32)), segment(noisy))


def test_equals_the_lime_package_on_real_images(shared_data: Path):
    algorithm = SegmentationAlgorithm("felzenszwalb", scale=10, sigma=0.4, min_size=20)
    with np.load(shared_data / "cifar10" / "test1000.npz") as file:
        images = file["images"][:20]
    for image in images:
        ours = segment((image.astype(np.float32) / 255).transpose(2, 0, 1))
        theirs = algorithm(image)
        pairs = set(zip(ours.flat, theirs.flat, strict=True))
        assert len(pairs) == len(set(ours.flat)) == len(set(theirs.flat))  # a renaming of labels and nothing else
