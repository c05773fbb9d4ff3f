"""`noise:uniform` and `noise:gaussian`: far out-of-distribution images without any structure."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import ArrayImages
from sparsescope.datasets.resizing import Resizing
from sparsescope.datasets.source import DEFAULT_SHAPE, Shape, Source, drawn_source
from sparsescope.errors import OptionError
from sparsescope.randomness import generator

__all__ = ["KINDS", "noise", "open_noise"]

KINDS = ("uniform", "gaussian")
_IMAGES = 300


def open_noise(argument: str, resizing: Resizing) -> Source:
    """Return the noise of one kind, a source of one set without labels, of any image shape."""
    if argument not in KINDS:
        raise OptionError(f"Expected {' or '.join(f'noise:{kind}' for kind in KINDS)}, but got 'noise:{argument}'.")
    return drawn_source(f"noise:{argument}", f"{argument}_noise", lambda shape: noise(argument, shape), resizing)


@cache
def noise(kind: str, shape: Shape = DEFAULT_SHAPE) -> ArrayImages:
    """Return 300 images of noise without labels; every pixel and channel is independent of the others.

    `uniform`: each of the 256 levels is as likely as any other. `gaussian`: normal with mean 0.5 and standard deviation
    1 in [0, 1] units, clipped to [0, 1], so that about 62 % of the values are 0 or 1. The random draws are fixed: image
    i depends on kind, i and shape alone. Source: Liang, Li & Srikant 2018, appendix (both sets, of 10,000 images).

    Args:
        kind: `"uniform"` or `"gaussian"`.
        shape: (C, H, W) of every image.
    """
    return ArrayImages(np.stack([_image(kind, shape, index) for index in range(_IMAGES)]), source=f"noise:{kind}")


def _image(kind: str, shape: Shape, index: int) -> NDArray[np.uint8]:
    rng = generator(0, f"datasets/noise/{kind}", index)
    channels, height, width = shape
    if kind == "uniform":
        return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    values = np.clip(rng.normal(0.5, 1, (height, width, channels)), 0, 1)
    levels: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
    return levels
