"""The images within ε of an image in every pixel, and in [0, 1]: where an attack may go and where it may start."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.errors import OptionError
from sparsescope.randomness import generator

__all__ = ["check_sizes", "image_ids", "project", "uniform_start"]


def project(moved: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """Return the images (N, C, H, W) nearest to `moved` that are within ε of `images` in every pixel and in [0, 1]."""
    return torch.minimum(torch.maximum(moved, images - epsilon), images + epsilon).clamp(0, 1)


def uniform_start(images: Tensor, epsilon: float, ids: NDArray[np.int64], seed: int, stream: str) -> Tensor:
    """Return clip(x + ε u, 0, 1) with u uniform in [-1, 1) in every pixel; the u of an image depends on its id alone.

    Args:
        images: (N, C, H, W) in [0, 1].
        epsilon: half the side of the cube, in pixel units.
        ids: ids (N,) of the images.
        seed: key of the draws.
        stream: what the draws are for; see `randomness.generator`.
    """
    shape = tuple(images.shape[1:])
    draws = np.empty((len(ids), *shape), dtype=np.float32)
    for row, unit in enumerate(ids):
        draws[row] = generator(seed, stream, int(unit)).random(shape, dtype=np.float32)
    directions = torch.from_numpy(draws).to(images) * 2 - 1
    return project(images + epsilon * directions, images, epsilon)


def image_ids(ids: NDArray[np.int64] | None, n: int) -> NDArray[np.int64]:
    """Return the ids (n,) that key the random draws, by default the row numbers; OptionError if they are not n."""
    found = np.arange(n) if ids is None else np.asarray(ids)
    if found.shape != (n,):
        raise OptionError(f"Expected one id for each of the {n} images, but got shape {found.shape}.")
    return found


def check_sizes(epsilon: float, step_size: float | None = None) -> None:
    """Raise OptionError where ε or the step is negative or no finite number."""
    if not 0 <= epsilon < float("inf"):
        raise OptionError(f"Expected epsilon >= 0, in pixel units such as 8/255, but got {epsilon:g}.")
    if step_size is not None and not 0 <= step_size < float("inf"):
        raise OptionError(f"Expected step_size >= 0, in pixel units such as 2/255, but got {step_size:g}.")
