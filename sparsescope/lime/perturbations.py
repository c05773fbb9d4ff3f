"""Perturbations: which superpixels each image keeps, how far apart two of them are, and what fills the rest."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sparsescope.errors import OptionError
from sparsescope.lime.settings import Distance, Fill
from sparsescope.randomness import generator
from sparsescope.units import FloatArray

__all__ = ["distances", "draw_neighbourhood", "draw_pivots", "filling", "kernel"]

BLUR = 1 / 16
"""Standard deviation of the blur, as a share of the image's longer side."""


def draw_neighbourhood(samples: int, superpixels: int, seed: int, image_id: int) -> NDArray[np.bool_]:
    """Return Z bool (samples, superpixels), True = kept: row 0 keeps all, the rest are Bernoulli(1/2).

    Keyed by (seed, "lime", image id) alone, so every model sees the same rows in any batch.
    """
    kept = generator(seed, "lime", image_id).integers(0, 2, (samples, superpixels), dtype=np.bool_)
    kept[0] = True
    return kept


def draw_pivots(samples: int, pivots: int, seed: int, image_id: int) -> NDArray[np.int64]:
    """Return the row indices (pivots,) of the x' that the stability refits around: different ones, never row 0.

    Row 0 is x itself and would add a distance of 0 that says nothing.
    """
    rng = generator(seed, "lime/pivots", image_id)
    return 1 + rng.choice(samples - 1, size=pivots, replace=False)


def distances(kept: NDArray[np.bool_], rows: NDArray[np.int64], kind: Distance) -> FloatArray:
    """Return the distances (len(rows), n) of every row of Z (n, d) to the given rows.

    `hamming` is the share of superpixels that differ. `cosine` is 1 - cos of the angle; a row of zeros has no direction
    and is at distance 1 from everything, itself included (as in scikit-learn).
    """
    z = kept.astype(np.float64)
    sizes = z.sum(axis=1)
    common = z[rows] @ z.T
    if kind == "hamming":
        distance: FloatArray = (sizes[rows, None] + sizes - 2 * common) / kept.shape[1]
    else:
        distance = 1 - common / np.sqrt(np.maximum(sizes[rows, None] * sizes, 1))
    return distance


def kernel(distance: FloatArray, width: float) -> FloatArray:
    """Return the weights sqrt(exp(-D^2 / width^2)). Source: Ribeiro et al. 2016, as in the lime package."""
    return np.exp(-(distance**2) / (2 * width**2))


def filling(image: NDArray[np.float32], segments: NDArray[np.int64], fill: Fill) -> NDArray[np.float32]:
    """Return the image (C, H, W) that shows where superpixels are removed.

    Args:
        image: (C, H, W) in [0, 1].
        segments: labels 0 … d-1 (H, W).
        fill: see `LimeSettings`.

    Raises:
        OptionError: a colour whose length is not the number of channels.
    """
    channels, height, width = image.shape
    if fill == "blur":
        sigma = BLUR * max(height, width)
        return np.stack([gaussian_filter(channel, sigma) for channel in image])
    if fill == "mean":
        flat = segments.reshape(-1)
        sums = np.stack([np.bincount(flat, channel.reshape(-1)) for channel in image])
        means: NDArray[np.float32] = (sums / np.bincount(flat))[:, segments].astype(np.float32)
        return means
    colour = np.atleast_1d(np.asarray(fill, dtype=np.float32))
    if len(colour) not in (1, channels):
        raise OptionError(
            f"Expected fill to be one color level or {channels} (one per channel), but got {len(colour)}: {fill!r}."
        )
    return np.broadcast_to(colour[:, None, None], image.shape)
