"""Superpixels: the parts of an image that an explanation switches on and off."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AUTO", "SUPERPIXELS", "segment", "superpixel_names"]

AUTO, SMALL = "auto", 64
"""The method that goes by size: felzenszwalb up to `SMALL` pixels on the longest side, quickshift above."""

GRID = 8
"""Cells per side of the grid."""

Pixels = NDArray[np.uint8]
"""An image (H, W, 3)."""

Labels = NDArray[Any]
"""The part that each pixel belongs to: integers (H, W), not necessarily contiguous."""


def _felzenszwalb(pixels: Pixels) -> Labels:
    """Scale 10, sigma 0.4, minimum size 20. Source: Felzenszwalb & Huttenlocher 2004; settings of Chen et al. 2022."""
    from skimage.segmentation import felzenszwalb

    labels: Labels = felzenszwalb(pixels, scale=10, sigma=0.4, min_size=20)
    return labels


def _quickshift(pixels: Pixels) -> Labels:
    """Kernel 4, distance 200, ratio 0.2. Source: Vedaldi & Soatto 2008; settings of Chen et al. 2022."""
    from skimage.segmentation import quickshift

    labels: Labels = quickshift(pixels, kernel_size=4, max_dist=200, ratio=0.2, rng=0)  # type: ignore[no-untyped-call]
    return labels


def _slic(pixels: Pixels) -> Labels:
    """About 50 segments. Source: Achanta et al. 2012."""
    from skimage.segmentation import slic

    labels: Labels = slic(pixels, n_segments=50, start_label=0)
    return labels


def _grid(pixels: Pixels) -> Labels:
    """8 x 8 cells."""
    height, width = pixels.shape[:2]
    rows = np.arange(height) * GRID // height
    columns = np.arange(width) * GRID // width
    labels: Labels = rows[:, None] * GRID + columns
    return labels


SUPERPIXELS: dict[str, Callable[[Pixels], Labels]] = {
    "felzenszwalb": _felzenszwalb,
    "quickshift": _quickshift,
    "slic": _slic,
    "grid": _grid,
}
"""Name -> segmentation; it must give the same parts on every call."""


def superpixel_names() -> tuple[str, ...]:
    """Return what can be asked for: `auto` and the names of `SUPERPIXELS`."""
    return AUTO, *SUPERPIXELS


def segment(image: NDArray[np.float32], method: str = AUTO) -> NDArray[np.int64]:
    """Return the superpixel of every pixel: labels 0 … d-1 (H, W), the same on every call.

    Segmentation sees what the paper's code shows it: the image at 8 bits, grey images as RGB. So float noise below half
    a grey level changes nothing. Small images need settings of their own: quickshift finds one or two segments there.

    Args:
        image: (C, H, W) in [0, 1], 1 or 3 channels.
        method: one of `superpixel_names()`.
    """
    if method == AUTO:
        method = "felzenszwalb" if max(image.shape[1:]) <= SMALL else "quickshift"
    pixels = np.rint(image.astype(np.float64) * 255).astype(np.uint8).transpose(1, 2, 0)
    if pixels.shape[2] == 1:
        pixels = pixels.repeat(3, axis=2)
    labels = SUPERPIXELS[method](pixels)
    _, contiguous = np.unique(labels, return_inverse=True)
    return contiguous.reshape(labels.shape).astype(np.int64)
