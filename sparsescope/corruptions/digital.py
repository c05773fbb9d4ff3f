"""Contrast, elastic transform, pixelation, JPEG and saturation (Hendrycks & Dietterich 2019)."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.pixels import GUARD, Floats, Generators, Images, Parameters, truncated
from sparsescope.corruptions.resampling import smoothed

__all__ = ["contrast", "elastic_transform", "jpeg_compression", "pixelate", "saturate"]


def contrast(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """(x - mean)·c + mean with the mean of each image's channel; parameters: c."""
    (factor,) = parameters
    n, height, width, channels = images.shape
    means = images.sum(axis=(1, 2), dtype=np.int64) / (255.0 * height * width)
    means = means[..., None]
    table = truncated(((np.arange(256) / 255.0 - means) * factor + means) * 255).reshape(-1)  # (N, C, 256) levels
    rows = 256 * np.arange(n * channels, dtype=np.int32).reshape(n, 1, 1, channels)
    return table.take(rows + images)


def saturate(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """HSV saturation s becomes clip(c·s + d); parameters: c, d.

    With v the largest and u the smallest channel, s = (v - u) / v, and hue and v are kept by
    x' = v - s'·v·(v - x) / (v - u). A grey pixel has hue 0 by convention, so that d > 0 tints it red, as published.
    """
    factor, offset = parameters
    levels = images.astype(np.float32)
    red, green, blue = np.moveaxis(levels, 3, 0)
    largest = np.maximum(np.maximum(red, green), blue)
    spread = largest - np.minimum(np.minimum(red, green), blue)
    grey = spread == 0
    saturation = np.clip(factor * spread / np.maximum(largest, 1) + offset, 0, 1)
    slope = saturation * largest / np.where(grey, 1, spread)
    saturated = largest[..., None] - slope[..., None] * (largest[..., None] - levels)
    if offset:
        saturated[..., 1:][grey] = ((1 - saturation) * largest)[grey][:, None]
    return truncated(saturated, GUARD)


def pixelate(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Shrunk to the fraction c of its sides and enlarged again, both with Pillow's box filter; parameters: c."""
    (fraction,) = parameters
    _, height, width, _ = images.shape
    small = _box_resized_rows(images, int(width * fraction)).swapaxes(1, 2)
    small = _box_resized_rows(small, int(height * fraction)).swapaxes(1, 2)
    rows, columns = _nearest(height, small.shape[1]), _nearest(width, small.shape[2])
    return small.take(rows, axis=1).take(columns, axis=2)


def _box_resized_rows(images: Images, width: int) -> Images:
    """Return images (N, H, W, 3) with their rows resized; Pillow does both axes in turn, each to 8 bits."""
    from PIL import Image

    n, height, old_width, channels = images.shape
    stacked = Image.fromarray(np.ascontiguousarray(images).reshape(n * height, old_width, channels))
    resized = stacked.resize((width, n * height), Image.Resampling.BOX)
    return np.asarray(resized).reshape(n, height, width, channels)


def _nearest(size: int, old_size: int) -> NDArray[np.int64]:
    """Return the pixel that each of `size` pixels takes: enlarging, the box filter is one pixel wide."""
    nearest: NDArray[np.int64] = ((np.arange(size) + 0.5) * (old_size / size)).astype(np.int64)
    return nearest


def jpeg_compression(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """JPEG with 4:2:0 chroma, encoded and decoded by Pillow; parameters: quality."""
    from PIL import Image

    (quality,) = parameters
    compressed = np.empty_like(images)
    for image, out in zip(images, compressed, strict=True):
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
        out[...] = Image.open(buffer, formats=("JPEG",))
    return compressed


def elastic_transform(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """A random affine map, then a smooth random displacement field; both resampled bilinearly.

    Parameters: strength, smoothness and affine jitter as fractions of a side, and that side in pixels (0: the shorter
    side of the image).
    """
    import torch
    from torch.nn.functional import grid_sample

    n, height, width, _ = images.shape
    side = parameters[3] or min(height, width)
    strength, sigma, jitter = (side * fraction for fraction in parameters[:3])
    corners: Floats = np.empty((n, 3, 2), dtype=np.float32)
    fields: Floats = np.empty((2, n, height, width), dtype=np.float32)
    for corner, field, rng in zip(corners, fields.swapaxes(0, 1), generators, strict=True):
        corner[...] = rng.uniform(-jitter, jitter, corner.shape)
        rng.random(out=(draws := np.empty(field.shape, dtype=np.float32)), dtype=np.float32)
        np.multiply(draws, 2, out=field)
    fields -= 1
    planes = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
    x, y = _affine_sources(corners, height, width)
    grid = torch.from_numpy(np.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], axis=-1).astype(np.float32))
    warped = grid_sample(planes, grid, "bilinear", "reflection", align_corners=True)
    if strength:
        dx, dy = (smoothed(field, sigma, mode="reflect", truncate=3) * np.float32(strength) for field in fields)
        x, y = np.arange(width, dtype=np.float32) + dx, np.arange(height, dtype=np.float32)[:, None] + dy
        grid = torch.from_numpy(np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], axis=-1))
        warped = grid_sample(warped, grid, "bilinear", "reflection", align_corners=False)
    return truncated(warped.numpy(), GUARD).transpose(0, 2, 3, 1)


def _affine_sources(moves: Floats, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each pixel comes from, x and y (N, H, W), when three points move by `moves` (N, 3, 2)."""
    centre = np.array([height // 2, width // 2], dtype=np.float64)  # the script's order, whatever the image's shape
    reach = min(height, width) // 3
    points = centre + reach * np.array([[1, 1], [1, -1], [-1, -1]])
    moved = np.concatenate([points + moves, np.ones((len(moves), 3, 1))], axis=2)
    maps: NDArray[np.float64] = np.linalg.solve(
        moved, np.broadcast_to(points, (len(moves), 3, 2))
    )  # (N, 3, 2): (x', y', 1) -> (x, y)
    columns, rows = np.arange(float(width)), np.arange(float(height))[:, None]
    by_column, by_row, shift = maps.transpose(1, 2, 0)[..., None, None]  # each (2, N, 1, 1)
    x, y = by_column * columns + by_row * rows + shift
    return x, y
