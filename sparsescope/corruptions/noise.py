"""Gaussian, shot, impulse and speckle noise (Hendrycks & Dietterich 2019)."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.pixels import Floats, Generators, Images, Parameters, truncated

__all__ = ["gaussian_noise", "impulse_noise", "shot_noise", "speckle_noise"]


def gaussian_noise(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """x + s·n with n standard normal per value; parameters: s, of the full range."""
    (scale,) = parameters
    levels = _standard_normal(images.shape, generators)
    levels *= 255 * scale
    levels += images
    return truncated(levels)


def speckle_noise(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """x + x·s·n with n standard normal per value; parameters: s."""
    (scale,) = parameters
    levels = _standard_normal(images.shape, generators)
    levels *= scale
    levels += 1
    levels *= images
    return truncated(levels)


def shot_noise(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Poisson(x·c) / c with x in [0, 1]; parameters: c, photons at white."""
    (photons,) = parameters
    rates = np.arange(256) / 255.0 * photons
    counts = np.empty(images.shape, dtype=np.int64)
    for image, count, rng in zip(images, counts, generators, strict=True):
        count[...] = rng.poisson(rates[image])
    return _level_of_count(photons)[np.minimum(counts, int(photons), out=counts)]


def impulse_noise(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """A fraction a of all values becomes 0 or 255, each with probability a/2; parameters: a."""
    (amount,) = parameters
    draws: Floats = np.empty(images.shape, dtype=np.float32)
    for draw, rng in zip(draws, generators, strict=True):
        rng.random(out=draw, dtype=np.float32)
    noisy = images.copy()
    noisy[draws < amount] = 255
    noisy[draws < amount / 2] = 0
    return noisy


def _standard_normal(shape: tuple[int, ...], generators: Generators) -> Floats:
    normal: Floats = np.empty(shape, dtype=np.float32)
    for image, rng in zip(normal, generators, strict=True):
        rng.standard_normal(out=image, dtype=np.float32)
    return normal


@lru_cache(maxsize=16)
def _level_of_count(photons: float) -> NDArray[Any]:
    """Return the level uint8 of each photon count from 0 to white."""
    return truncated(np.arange(int(photons) + 1) / photons * 255)
