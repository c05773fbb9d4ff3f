import time

import numpy as np
import pytest

from sparsescope.datasets import open_images
from sparsescope.datasets.textures import PATTERNS, textures


def read(shape):
    return textures(shape).read(np.arange(300)).numpy()


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 24, 40), (1, 1, 1)])
def test_size_shape_and_source(shape):
    images = textures(shape)
    assert (len(images), images.shape, images.labels, images.source) == (300, shape, None, "textures")


@pytest.mark.parametrize("channels", [1, 3])
def test_every_texture_has_contrast_in_every_channel(channels):
    values = read((channels, 32, 32))
    assert np.ptp(values, axis=(2, 3)).min() > 0.1
    assert len(np.unique(values.reshape(300, -1), axis=0)) == 300


def test_neighbouring_pixels_are_alike():
    """Textures have structure, unlike noise: pixels next to one another are correlated, in every pattern."""
    values = read((3, 32, 32))
    values = values - values.mean(axis=(2, 3), keepdims=True)
    products = (values[..., 1:] * values[..., :-1]).mean(axis=(1, 2, 3)) / (values**2).mean(axis=(1, 2, 3))
    by_pattern = products.reshape(-1, len(PATTERNS)).mean(axis=0)
    assert by_pattern.min() > 0.5


def test_a_texture_looks_alike_at_every_size():
    small, large = read((3, 32, 32)), read((3, 96, 96))
    reduced = large.reshape(300, 3, 32, 3, 32, 3).mean(axis=(3, 5))
    assert np.abs(reduced - small).mean() < 0.03


def test_patterns_follow_one_another():
    """Of all patterns, gradients change least from pixel to pixel."""
    steps = np.abs(np.diff(read((1, 64, 64)), axis=3)).max(axis=(1, 2, 3))
    gradients = [pattern.__name__ for pattern in PATTERNS].index("_gradient")
    assert steps.reshape(-1, len(PATTERNS)).max(axis=0).argmin() == gradients


def test_twice_drawn_is_the_same_and_fast():
    first = textures((3, 32, 32))
    textures.cache_clear()
    begin = time.process_time()
    again = textures((3, 32, 32))
    seconds = time.process_time() - begin
    assert again.fingerprint == first.fingerprint
    assert seconds < 1  # about 0.05 s


def test_alone_they_are_drawn_at_32_pixels_in_colour_and_resized():
    assert open_images("textures").shape == (3, 32, 32)
    assert open_images("textures", resize=20, crop=16).shape == (3, 16, 16)
