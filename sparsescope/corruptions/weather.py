"""Snow, frost, fog, brightness and spatter (Hendrycks & Dietterich 2019)."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.pixels import GUARD, Floats, Generators, Images, Parameters, looked_up, truncated
from sparsescope.corruptions.resampling import clipped_zoom, motion_blurred, zoom_window
from sparsescope.corruptions.spatter import spatter
from sparsescope.corruptions.textures import frost_textures

__all__ = ["brightness", "fog", "frost", "snow", "spatter"]

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def brightness(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """HSV value v becomes min(v + c, 1), which scales all channels by v'/v; parameters: c.

    A channel's new level depends on the pixel's largest channel and its own level alone: one table serves all images.
    """
    (shift,) = parameters
    largest = np.maximum(np.maximum(images[..., :1], images[..., 1:2]), images[..., 2:])
    return looked_up(_brightened_levels(shift), largest, images)


@lru_cache(maxsize=16)
def _brightened_levels(shift: float) -> NDArray[np.uint8]:
    """Return the new level by largest channel and own level, uint8 (256, 256)."""
    levels = np.arange(256.0)
    largest = np.minimum(levels / 255 + shift, 1)[:, None] * 255
    table = truncated(largest * levels / np.maximum(levels, 1)[:, None], 1e-9)
    table[0] = truncated(largest[0])  # black has no hue: it turns grey
    np.fill_diagonal(table, truncated(largest[:, 0]))
    return table


def fog(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """(x + s·plasma)·max(x) / (max(x) + s); parameters: s, and the decay of the plasma's roughness."""
    strength, decay = parameters
    n, height, width, _ = images.shape
    size = 1 << (max(height, width) - 1).bit_length()
    draws: Floats = np.empty((n, size * size - 1), dtype=np.float32)
    for draw, rng in zip(draws, generators, strict=True):
        rng.random(out=draw, dtype=np.float32)
    clouds = _plasma(draws, size, decay)[:, :height, :width, None]
    brightest = images.max(axis=(1, 2, 3), keepdims=True).astype(np.float32)
    levels = images + np.float32(255 * strength) * clouds
    levels *= brightest / (brightest + np.float32(255 * strength))
    return truncated(levels, GUARD)


def _plasma(draws: Floats, size: int, decay: float) -> Floats:
    """Return maps (N, size, size) in [0, 1] by the diamond-square algorithm on a torus.

    Each level sets the middles of squares, then those of their sides, to the mean of four neighbours plus a uniform
    draw; its range starts at ±100² and shrinks by decay² per level. Size is a power of two; draws (N, size² - 1) lie in
    [0, 1) and are used in the script's order.
    """
    maps: Floats = np.zeros((len(draws), size, size), dtype=np.float32)
    wobbles = iter(np.split(draws, np.cumsum([(1 << level) ** 2 for level in _thrice(size)])[:-1], axis=1))
    step, reach = size, 100.0
    while step >= 2:
        half, n = step // 2, size // step
        corners, middles = maps[:, ::step, ::step], maps[:, half::step, half::step]
        tops, sides = maps[:, ::step, half::step], maps[:, half::step, ::step]

        def wobbled(sums: Floats, side: int = n, span: float = reach * reach) -> Floats:
            wobble = next(wobbles).reshape(-1, side, side)
            return sums * np.float32(0.25) + (wobble * np.float32(2 * span) - np.float32(span))

        pairs = corners + np.roll(corners, -1, axis=1)
        middles[...] = wobbled(pairs + np.roll(pairs, -1, axis=2))
        tops[...] = wobbled(middles + np.roll(middles, 1, axis=1) + corners + np.roll(corners, -1, axis=2))
        sides[...] = wobbled(middles + np.roll(middles, 1, axis=2) + pairs)
        step, reach = half, reach / decay
    maps -= maps.min(axis=(1, 2), keepdims=True)
    maps /= maps.max(axis=(1, 2), keepdims=True)
    return maps


def _thrice(size: int) -> list[int]:
    """Return each level of the plasma three times: middles, tops and sides."""
    return [level for level in range(size.bit_length() - 1) for _ in range(3)]


def frost(images: Images, parameters: Parameters, generators: Generators, folder: Path | None = None) -> Images:
    """a·x + b·t with a cut of one of five textures t; parameters: a, b, step (every step-th pixel of t is used)."""
    weight, frost_weight, step = parameters
    height, width = images.shape[1:3]
    textures = frost_textures(folder, int(step), (height, width))
    crops = np.empty_like(images)
    for crop, rng in zip(crops, generators, strict=True):
        texture = textures[rng.integers(5)]
        top, left = (int(rng.integers(max(1, texture.shape[k] - side))) for k, side in enumerate((height, width)))
        crop[...] = texture[top : top + height, left : left + width]
    return looked_up(_frosted_levels(weight, frost_weight), images, crops)


@lru_cache(maxsize=16)
def _frosted_levels(weight: float, frost_weight: float) -> NDArray[np.uint8]:
    """Return the new level by own level and the texture's, uint8 (256, 256)."""
    levels = np.arange(256.0)
    return truncated(weight * levels[:, None] + frost_weight * levels)


def snow(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Flakes with a motion trail, and once more turned by 180°, over a whitened image.

    Parameters: the flakes' mean and standard deviation, their zoom, the threshold below which there are none, radius
    and sigma of their motion (at an angle uniform in [-135, -45] degrees), and the weight of the image's own colours.
    """
    import torch

    mean, deviation, zoom, threshold, radius, sigma, own = parameters
    n, height, width, _ = images.shape
    (_, flakes_high, *_), (_, flakes_wide, *_) = (zoom_window(side, zoom) for side in (height, width))
    flakes: Floats = np.empty((n, 1, flakes_high, flakes_wide), dtype=np.float32)
    angles = np.empty(n)
    for k, rng in enumerate(generators):
        rng.standard_normal(out=flakes[k, 0], dtype=np.float32)
        angles[k] = rng.uniform(-135, -45)
    layer = clipped_zoom(torch.from_numpy(flakes * deviation + mean), (height, width), zoom).numpy()[:, 0, :, :, None]
    layer = truncated(np.where(layer < threshold, 0, layer) * 255)
    layer = motion_blurred(layer, radius, sigma, angles).astype(np.float32)
    levels = images.astype(np.float32)
    white = np.maximum(levels, (levels @ LUMINANCE)[..., None] * 1.5 + 127.5)
    levels *= own
    white *= 1 - own
    levels += white
    levels += layer + layer[:, ::-1, ::-1]
    return truncated(levels, GUARD)
