"""`noise:uniform`, `noise:gaussian` and `noise:gaussian-0.25`: far out-of-distribution images without any structure."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import ArrayImages
from sparsescope.datasets.resizing import Resizing
from sparsescope.datasets.source import DEFAULT_SHAPE, Shape, Source, drawn_source
from sparsescope.errors import OptionError
from sparsescope.randomness import generator

__all__ = ["KINDS", "noise", "open_noise"]

KINDS: dict[str, float | None] = {"uniform": None, "gaussian": 1.0, "gaussian-0.25": 0.25}
"""Kind -> standard deviation in [0, 1] units; None: uniform."""

_IMAGES = 300


def open_noise(argument: str, resizing: Resizing) -> Source:
    """Return the noise of one kind, a source of one set without labels, of any image shape."""
    if argument not in KINDS:
        raise OptionError(f"Expected {', '.join(f'noise:{kind}' for kind in KINDS)}, but got 'noise:{argument}'.")
    return drawn_source(f"noise:{argument}", f"{argument}_noise", lambda shape: noise(argument, shape), resizing)


@cache
def noise(kind: str, shape: Shape = DEFAULT_SHAPE) -> ArrayImages:
    """Return 300 images of noise without labels; every pixel and channel is independent of the others.

    `uniform`: each of the 256 levels is as likely as any other. `gaussian`: normal with mean 0.5 and standard deviation
    1 in [0, 1] units, clipped to [0, 1], so that about 62 % of the values are 0 or 1. `gaussian-0.25`: likewise with
    0.25, as the code of Chen et al. 2022 draws it; about 5 % are 0 or 1. The random draws are fixed: image i depends on
    kind, i and shape alone. Source: Liang et al. 2018, appendix (the first two, of 10,000 images).

    Args:
        kind: one of `KINDS`.
        shape: (C, H, W) of every image.
    """
    return ArrayImages(np.stack([_image(kind, shape, index) for index in range(_IMAGES)]), source=f"noise:{kind}")


def _image(kind: str, shape: Shape, index: int) -> NDArray[np.uint8]:
    rng = generator(0, f"datasets/noise/{kind}", index)
    channels, height, width = shape
    deviation = KINDS[kind]
    if deviation is None:
        return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    values = np.clip(rng.normal(0.5, deviation, (height, width, channels)), 0, 1)
    levels: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
    return levels
