"""Gaussian, shot, impulse and speckle noise (Hendrycks & Dietterich 2019)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.pixels import Floats, Generators, Images, Parameters, truncated

__all__ = ["gaussian_noise", "impulse_noise", "shot_noise", "speckle_noise"]

BINS = 512  # of the uniform draws that become photon counts


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
    """Poisson(x·c) / c with x in [0, 1]; parameters: c, photons at white.

    A count is the smallest k with P(count <= k) >= u, u uniform: looked up for u's bin, then stepped up where needed.
    """
    (photons,) = parameters
    chances, first, levels = _photon_tables(photons)
    draws = _uniform(images.shape, generators).reshape(-1)
    bins = (draws * np.float32(BINS)).astype(np.intp)
    bins += images.reshape(-1).astype(np.intp) * BINS
    places = first.take(bins)
    late = np.flatnonzero(chances.take(places) < draws)
    while len(late):
        places[late] += 1
        late = late[chances.take(places[late]) < draws[late]]
    return levels.take(places).reshape(images.shape)


def impulse_noise(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """A fraction a of all values becomes 0 or 255, each with probability a/2; parameters: a."""
    (amount,) = parameters
    draws = _uniform(images.shape, generators)
    noisy = images.copy()
    noisy[draws < amount] = 255
    noisy[draws < amount / 2] = 0
    return noisy


def _standard_normal(shape: tuple[int, ...], generators: Generators) -> Floats:
    normal: Floats = np.empty(shape, dtype=np.float32)
    for image, rng in zip(normal, generators, strict=True):
        rng.standard_normal(out=image, dtype=np.float32)
    return normal


def _uniform(shape: tuple[int, ...], generators: Generators) -> Floats:
    uniform: Floats = np.empty(shape, dtype=np.float32)
    for image, rng in zip(uniform, generators, strict=True):
        rng.random(out=image, dtype=np.float32)
    return uniform


@lru_cache(maxsize=16)
def _photon_tables(photons: float) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.uint8]]:
    """Return, for every level before noise, P(count <= k), where to start in each bin of u, and the level after noise.

    The first and the last are indexed by (level, k), flattened, with k from 0 to white: all counts above are white too.
    """
    from scipy.special import pdtr

    counts = np.arange(int(photons) + 1)
    chances: NDArray[np.float64] = pdtr(counts, np.arange(256)[:, None] / 255.0 * photons)
    chances[:, -1] = np.inf
    edges = np.arange(BINS) / BINS
    first = np.stack([row.searchsorted(edges) + k * len(counts) for k, row in enumerate(chances)])
    levels = np.tile(truncated(counts / photons * 255), 256)
    return chances.reshape(-1), first.astype(np.intp).reshape(-1), levels
