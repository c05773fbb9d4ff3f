"""Spatter: drops of water or mud on the lens (Hendrycks & Dietterich 2019), without OpenCV."""

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.edges import canny_edges, chamfer_distances, neighbourhoods
from sparsescope.corruptions.pixels import GUARD, Floats, Generators, Images, Parameters, truncated
from sparsescope.corruptions.resampling import smoothed

__all__ = ["spatter"]

WATER = (175, 238, 238)  # pale turquoise
MUD = (63, 42, 20)  # brown
RELIEF = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))


def spatter(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Water added to the image, or mud laid over it, where a smooth noise field is above a threshold.

    Parameters: the field's mean, standard deviation and smoothing, the threshold, the liquid's strength (water) or own
    smoothing (mud), and 0 for water or 1 for mud. An image on which no drop falls stays as it is (the script divides by
    zero there and gives black).
    """
    mean, deviation, sigma, threshold, amount, mud = parameters
    liquid: Floats = np.empty(images.shape[:3], dtype=np.float32)
    for field, rng in zip(liquid, generators, strict=True):
        rng.standard_normal(out=field, dtype=np.float32)
    liquid *= deviation
    liquid += mean
    liquid = smoothed(liquid, sigma)
    liquid[liquid < threshold] = 0
    if not mud:
        cover = (_water_cover(liquid) * np.float32(amount))[..., None]
        return truncated(images + cover * np.array(WATER, dtype=np.float32), GUARD)
    cover = smoothed((liquid > threshold).astype(np.float32), amount)
    cover[cover < 0.8] = 0
    cover = cover[..., None]
    return truncated(images * (1 - cover) + cover * np.array(MUD, dtype=np.float32), GUARD)


def _water_cover(liquid: Floats) -> Floats:
    """Return how much water covers each pixel, 0 to 1: the field, lit by the relief of the distance to its edges."""
    levels = (liquid * 255).astype(np.int32).astype(np.uint8)
    edges = canny_edges(levels, 50, 150)
    distances = np.minimum(chamfer_distances(edges, 20), 20 << 16)  # 16 binary places
    relief = _equalised((_sum_3x3(distances) // (9 << 16)).astype(np.uint8))
    lit = sum(
        weight * shifted.astype(np.int32)
        for weight, shifted in zip(np.ravel(RELIEF).tolist(), neighbourhoods(relief, "reflect"), strict=True)
    )
    light = (2 * _sum_3x3(np.clip(lit, 0, 255)) + 9) // 18  # the mean of nine, rounded
    cover: Floats = (levels * light).astype(np.float32)
    brightest: Floats = cover.max(axis=(1, 2), keepdims=True)
    cover /= np.maximum(brightest, 1)  # a product of levels: 0, or at least 1
    return cover


def _sum_3x3(values: NDArray[np.int32]) -> NDArray[np.int32]:
    total = np.zeros_like(values)
    for shifted in neighbourhoods(values, "reflect"):
        total += shifted
    return total


def _equalised(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each image (N, H, W) with its histogram equalised; an image of a single level stays as it is."""
    n, size = len(levels), levels[0].size
    rows = 256 * np.arange(n)[:, None, None]
    counts = np.bincount((rows + levels).ravel(), minlength=256 * n).reshape(n, 256)
    lowest = (counts > 0).argmax(axis=1)
    rest = size - counts[np.arange(n), lowest]
    above = np.cumsum(counts, axis=1) - (size - rest)[:, None]
    table = np.rint(above * (np.float32(255) / np.maximum(rest, 1)[:, None])).clip(0, 255)
    table[rest == 0] = np.arange(256)
    levels_of: NDArray[np.uint8] = table.astype(np.uint8)
    return levels_of.reshape(-1).take(rows + levels)
