import time

import numpy as np
import pytest

from sparsescope.datasets import open_images
from sparsescope.datasets.noise import KINDS, noise
from sparsescope.errors import OptionError


def read(kind, shape):
    return noise(kind, shape).read(np.arange(300)).numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 12)])
def test_size_shape_and_source(kind, shape):
    images = noise(kind, shape)
    assert (len(images), images.shape, images.labels, images.source) == (300, shape, None, f"noise:{kind}")


def test_uniform_noise_is_uniform_on_256_levels():
    levels = np.rint(read("uniform", (3, 32, 32)) * 255).astype(int)
    counts = np.bincount(levels.ravel(), minlength=256)
    expected = levels.size / 256
    assert len(counts) == 256
    # chi-squared with 255 degrees of freedom: mean 255, standard deviation 22.6
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 5 * 22.6


def test_gaussian_noise_has_mean_a_half_and_deviation_one_before_it_is_clipped():
    values = read("gaussian", (3, 32, 32))
    n = values.size
    # P(x < 0) = P(x > 1) = Phi(-1/2) = 0.30854; half a level is rounded to each end: density 0.35 x 1/510
    for end in (0, 1):
        share = (values == end).mean()
        assert abs(share - 0.30854 - 0.3521 / 510) < 5 * np.sqrt(0.31 * 0.69 / n)
    assert abs(values.mean() - 0.5) < 5 * values.std() / np.sqrt(n)
    # P(x < 1/4) = Phi(-1/4)
    assert abs((values < 0.25).mean() - 0.40129) < 0.003


def test_narrow_gaussian_noise_is_that_of_the_released_code():
    """clip(N(0, 0.5), -1, 1) * 0.5 + 0.5, literally, by its shares below every tenth."""
    values = read("gaussian-0.25", (3, 32, 32)).ravel()
    theirs = np.clip(np.random.default_rng(0).normal(size=values.size, scale=0.5), -1, 1) * 0.5 + 0.5
    theirs = np.rint(theirs * 255) / 255  # images of 8 bits
    for level in np.arange(0.05, 1, 0.1):
        share, expected = (values < level).mean(), (theirs < level).mean()
        assert abs(share - expected) < 5 * np.sqrt(2 * expected * (1 - expected) / values.size)
    for end in (0, 1):
        assert abs((values == end).mean() - (theirs == end).mean()) < 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_channels_and_images_are_independent(kind):
    values = read(kind, (3, 16, 16)) - 0.5
    variance = (values**2).mean()
    for product in (
        values[:, :, :, 1:] * values[:, :, :, :-1],
        values[:, :, 1:] * values[:, :, :-1],
        values[:, 1:] * values[:, :-1],
        values[1:] * values[:-1],
    ):
        assert abs(product.mean() / variance) < 5 / np.sqrt(product.size)


@pytest.mark.parametrize("kind", KINDS)
def test_twice_drawn_is_the_same(kind):
    first = noise(kind, (1, 8, 8))
    noise.cache_clear()
    assert noise(kind, (1, 8, 8)).fingerprint == first.fingerprint


def test_is_fast():
    noise.cache_clear()
    begin = time.process_time()
    noise("gaussian", (3, 32, 32))
    assert time.process_time() - begin < 1  # about 0.02 s


def test_alone_it_is_drawn_at_32_pixels_in_colour_and_resized():
    assert open_images("noise:uniform").shape == (3, 32, 32)
    assert open_images("noise:gaussian", resize=16).shape == (3, 16, 16)


@pytest.mark.parametrize("spec", ["noise:salt", "noise", "noise:"])
def test_another_kind(spec):
    with pytest.raises(
        OptionError,
        match=r"^Expected noise:(KIND|uniform, noise:gaussian, noise:gaussian-0\.25), but got '" + spec + "'",
    ):
        open_images(spec)
