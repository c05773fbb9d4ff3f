"""The format that `digits` and `letters` share: 8 x 8 grey levels 0-16, shown as 1 x 32 x 32 images."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["GREY_LEVELS", "SIDE", "upsample"]

SIDE = 8
GREY_LEVELS = 16
_FACTOR = 4


def upsample(levels: NDArray[np.integer | np.floating]) -> NDArray[np.float32]:
    """Return images (N, 1, 32, 32) in [0, 1] of grey levels (N, 8, 8) in 0-16, by bilinear interpolation.

    Pixel centres at half-integers and edges repeated, as `torch.nn.functional.interpolate` with
    `align_corners=False`. All weights are multiples of 1/8, so every value is a multiple of 1/1024 and exact in
    float32: the same bits with any library and on any machine.
    """
    rows = _interpolation_matrix()
    images = rows @ (levels.astype(np.float64) / GREY_LEVELS) @ rows.T
    return images[:, None].astype(np.float32)


def _interpolation_matrix() -> NDArray[np.float64]:
    """Return the weights (32, 8) of the 8 source pixels in each of the 32 target pixels."""
    centres = (np.arange(SIDE * _FACTOR) + 0.5) / _FACTOR - 0.5
    centres = centres.clip(0, SIDE - 1)
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(SIDE)))
    return weights
