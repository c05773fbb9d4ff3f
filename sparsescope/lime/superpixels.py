"""Superpixels: the parts of an image that an explanation switches on and off."""

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb, quickshift, slic

from sparsescope.lime.settings import Superpixels

__all__ = ["segment"]

SMALL = 64
"""Longest side in pixels up to which `auto` takes felzenszwalb."""

GRID = 8
"""Cells per side of the grid."""


def segment(image: NDArray[np.float32], method: Superpixels = "auto") -> NDArray[np.int64]:
    """Return the superpixel of every pixel: labels 0 … d-1 (H, W), the same on every call.

    Segmentation sees what the paper's code shows it: the image at 8 bits, grey images as RGB. So float noise below half
    a grey level changes nothing.

    Args:
        image: (C, H, W) in [0, 1], 1 or 3 channels.
        method: `felzenszwalb` (scale 10, sigma 0.4, minimum size 20; Felzenszwalb & Huttenlocher 2004); `quickshift`
            (kernel 4, distance 200, ratio 0.2; Vedaldi & Soatto 2008); `slic` (about 50 segments; Achanta et al. 2012);
            `grid` (8 x 8 cells); `auto`: felzenszwalb up to 64 px, quickshift above.

    Source: settings of Chen et al. 2022. Small images need their own: quickshift finds one or two segments there.
    """
    _, height, width = image.shape
    if method == "auto":
        method = "felzenszwalb" if max(height, width) <= SMALL else "quickshift"
    if method == "grid":
        labels = _grid(height, width)
    else:
        pixels = np.rint(image.astype(np.float64) * 255).astype(np.uint8).transpose(1, 2, 0)
        if pixels.shape[2] == 1:
            pixels = pixels.repeat(3, axis=2)
        if method == "felzenszwalb":
            labels = felzenszwalb(pixels, scale=10, sigma=0.4, min_size=20)
        elif method == "quickshift":
            labels = quickshift(pixels, kernel_size=4, max_dist=200, ratio=0.2, rng=0)  # type: ignore[no-untyped-call]
        else:
            labels = slic(pixels, n_segments=50, start_label=0)
    _, contiguous = np.unique(labels, return_inverse=True)
    return contiguous.reshape(height, width).astype(np.int64)


def _grid(height: int, width: int) -> NDArray[np.int64]:
    rows = np.arange(height) * GRID // height
    columns = np.arange(width) * GRID // width
    return rows[:, None] * GRID + columns
