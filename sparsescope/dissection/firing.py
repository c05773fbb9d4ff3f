"""Where units fire: thresholds over the probe set, and masks at the resolution of the labels."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sparsescope.dissection.activations import Maps
from sparsescope.dissection.packing import pack, words_per_mask
from sparsescope.dissection.unit_mask import UnitMask

__all__ = ["above", "firing", "thresholds"]

CHUNK_PIXELS = 1 << 21
"""Upsampled pixels held at once."""


def thresholds(maps: Maps, fraction: float) -> NDArray[np.float32]:
    """Return T_k (K,): the smallest activation of unit k that at most `fraction` of its values exceed.

    With N values in all images and positions and m = floor(fraction N), at least 1, T_k is the (m + 1)-th largest:
    exactly m values exceed it, or fewer where values are tied. Source: Bau et al. 2017, whose code estimates this
    quantile from a random sample.

    Args:
        maps: activations (n, K, h, w).
        fraction: between 0 and 1.
    """
    values = maps.transpose(1, 0, 2, 3).copy().reshape(maps.shape[1], -1)
    size = values.shape[1]
    above = min(max(1, math.floor(fraction * size * (1 + 1e-12))), size - 1)  # 0.005 * 1000 is 5 in any rounding
    values.partition(size - 1 - above, axis=1)
    return values[:, size - 1 - above]


def firing(maps: Maps, threshold: float, label_shape: tuple[int, int]) -> UnitMask:
    """Return where one unit fires: its map, brought to the labels' size, is above the threshold.

    Bilinear with pixel centres at half-integers (`align_corners=False`) and clamped borders; where the map is larger
    than the label map, the triangle is widened to its pixels (antialiasing): Pillow's resampling, as Mu & Andreas 2020.
    Images whose map nowhere exceeds the threshold are passed over: interpolation cannot exceed it either.

    Args:
        maps: one unit's activations (n, h, w).
        threshold: T_k.
        label_shape: size of the mask.
    """
    images = np.flatnonzero(maps.max(axis=(1, 2)) > threshold)
    pixels = math.prod(label_shape)
    words = np.empty((len(images), words_per_mask(pixels)), dtype=np.uint64)
    size = max(1, CHUNK_PIXELS // pixels)
    for start in range(0, len(images), size):
        words[start : start + size] = pack(above(maps[images[start : start + size]], threshold, label_shape))
    return UnitMask.from_images(images, words)


def above(maps: Maps, threshold: float, label_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where one unit's maps (n, h, w) exceed the threshold at the labels' size; see `firing`."""
    shrinks = maps.shape[1] > label_shape[0] or maps.shape[2] > label_shape[1]
    # Above the threshold is above 0 after subtracting it, and plateaus at the threshold stay exactly 0.
    excess = torch.from_numpy(maps - np.float32(threshold))
    upsampled = functional.interpolate(excess[None], label_shape, mode="bilinear", antialias=shrinks)[0]
    mask: NDArray[np.bool_] = (upsampled > 0).numpy()
    return mask
