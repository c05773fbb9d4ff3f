"""Random changes of training images, keyed by (seed, epoch, image): the same in any batch, order or process."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sparsescope.randomness import generator
from sparsescope.training.recipe import Recipe

__all__ = ["augment"]

_ATTEMPTS = 10  # to find a part of the image of the drawn area and shape, as in torchvision


def augment(
    images: Tensor, indices: Sequence[int] | NDArray[np.int64], recipe: Recipe, *, seed: int, epoch: int
) -> Tensor:
    """Return the images as one epoch shows them: resized crop, shift and flip, each where the recipe has it.

    Args:
        images: float32 (N, C, H, W) on the CPU.
        indices: index (N,) of every image in its set: it keys the draws.
        recipe: which changes.
        seed: key of the draws.
        epoch: epoch, from 0; likewise.
    """
    if not (recipe.shift or recipe.flip or recipe.resized_crop):
        return images
    n, _, height, width = images.shape
    moves = np.zeros((n, 2), dtype=np.int64)
    flipped = np.zeros(n, dtype=bool)
    if recipe.resized_crop:
        images = images.clone()
    for row, index in enumerate(indices):
        rng = generator(seed, f"augmentation/{epoch}", int(index))
        moves[row] = rng.integers(-recipe.shift, recipe.shift + 1, 2)
        flipped[row] = rng.random() < 0.5 and recipe.flip
        if recipe.resized_crop:
            images[row] = _resized(images[row], *_part(height, width, rng))
    rows = np.arange(height) + moves[:, :1]
    columns = np.where(flipped[:, None], np.arange(width)[::-1], np.arange(width)) + moves[:, 1:]
    return _gathered(images, rows, columns, zeros=recipe.shift_fill == "zeros")


def _gathered(images: Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64], *, zeros: bool) -> Tensor:
    """Return pixel (rows[n, y], columns[n, x]) of every image; beyond the edge the edge, or zero."""
    n, _, height, width = images.shape
    inside_rows, inside_columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    picked = images.numpy()[np.arange(n)[:, None, None], :, inside_rows[:, :, None], inside_columns[:, None, :]]
    if zeros:
        outside = (rows != inside_rows)[:, :, None] | (columns != inside_columns)[:, None, :]
        picked[outside] = 0
    return torch.from_numpy(np.ascontiguousarray(picked.transpose(0, 3, 1, 2)))


def _part(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return top, left, height and width of a random part: 8 to 100 % of the area, log-uniform shape 3/4 to 4/3."""
    for _ in range(_ATTEMPTS):
        area = height * width * rng.uniform(0.08, 1)
        shape = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < wide <= width and 0 < high <= height:
            return int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1)), high, wide
    return 0, 0, height, width


def _resized(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    part = image[None, :, top : top + height, left : left + width]
    size = (image.shape[1], image.shape[2])
    return functional.interpolate(part, size, mode="bilinear", align_corners=False, antialias=True)[0]
