"""Defocus, glass, motion, zoom and Gaussian blur (Hendrycks & Dietterich 2019)."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.pixels import GUARD, Floats, Generators, Images, Parameters, truncated
from sparsescope.corruptions.resampling import motion_blurred, smoothed, zoom_window

__all__ = ["defocus_blur", "gaussian_blur", "glass_blur", "motion_blur", "zoom_blur"]


def gaussian_blur(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """A Gaussian of standard deviation s pixels, cut at 4 s, the border repeated; parameters: s."""
    (sigma,) = parameters
    return truncated(smoothed(images.astype(np.float32), sigma), GUARD)


def motion_blur(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Motion along a line at an angle uniform in [-45, 45] degrees; parameters: radius, sigma."""
    radius, sigma = parameters
    angles = np.array([rng.uniform(-45, 45) for rng in generators])
    return motion_blurred(images, radius, sigma, angles)


def zoom_blur(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """The mean of the image and its central zooms by 1, 1 + step, … below stop; parameters: stop, step."""
    n, height, width, channels = images.shape
    matrix = _zoom_matrix(height, width, *parameters)
    columns = np.ascontiguousarray(images.reshape(n, -1, channels).swapaxes(0, 1), dtype=np.float32)
    levels = matrix @ columns.reshape(height * width, -1)  # a column per image and channel: none depends on another
    return truncated(levels, GUARD).reshape(-1, n, channels).swapaxes(0, 1).reshape(images.shape)


@lru_cache(maxsize=5)
def _zoom_matrix(height: int, width: int, stop: float, step: float) -> Any:
    """Return zoom blur as one sparse matrix over the pixels of an image, about 250 bytes per pixel."""
    from scipy.sparse import csr_array

    factors = np.arange(1, stop, step)
    size = height * width
    targets = np.arange(size, dtype=np.int32)
    rows, columns, weights = [targets], [targets], [np.full(size, 2.0)]  # the image itself, and its zoom by 1
    for factor in factors[1:].tolist():
        (y, y_weight), (x, x_weight) = (_bilinear_taps(side, factor) for side in (height, width))
        columns.append((y[:, None, :, None] * width + x[:, None]).ravel())
        weights.append((y_weight[:, None, :, None] * x_weight[:, None]).ravel())
        rows.append(np.repeat(targets, 4))
    entries = np.concatenate(weights) / (len(factors) + 1)
    places = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((entries.astype(np.float32), places), shape=(size, size))


def _bilinear_taps(size: int, factor: float) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return, for each position along one axis after a central zoom, its two source positions and their weights."""
    start, length, enlarged, cut = zoom_window(size, factor)
    places = (np.arange(size) + cut) * ((length - 1) / (enlarged - 1))
    lower = np.minimum(places.astype(np.int32), max(0, length - 2))
    share = places - lower
    sources = np.stack([lower, np.minimum(lower + 1, length - 1)], axis=1) + start
    return sources.astype(np.int32), np.stack([1 - share, share], axis=1)


def defocus_blur(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Correlation with a disk, mirrored at the border; parameters: radius, and sigma of the disk's own blur."""
    radius, alias_blur = parameters
    groups, reach = _disk_taps(radius, alias_blur)
    n, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    padded = padded.reshape(n, height + 2 * reach, -1).astype(np.uint16)
    folded = [padded[:, reach : reach + height]]  # the disk is symmetric: rows y above and y below count alike
    folded += [
        padded[:, reach - y : reach - y + height] + padded[:, reach + y :][:, :height] for y in range(1, reach + 1)
    ]
    levels: Floats = np.zeros((n, height, width * channels), dtype=np.float32)
    for weight, offsets in groups:
        total = np.zeros(levels.shape, dtype=np.uint16 if len(offsets) <= 128 else np.uint32)  # 2 * 128 * 255 < 2**16
        for y, x in offsets:
            total += folded[y][..., x * channels : (x + width) * channels]
        levels += np.multiply(total, np.float32(weight), dtype=np.float32)
    return truncated(levels, GUARD).reshape(images.shape)


@lru_cache(maxsize=16)
def _disk_taps(radius: float, alias_blur: float) -> tuple[list[tuple[float, list[tuple[int, int]]]], int]:
    """Return the offsets (y, x) of the disk's lower half, x from its left end, grouped by weight; and its reach.

    Groups are summed as integers, and multiplied once.
    """
    from scipy.ndimage import correlate1d

    half = 8 if radius <= 8 else int(radius)
    taps = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    grid = np.arange(-half, half + 1)
    disk = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(np.float64)
    smoothing = np.exp(-(taps**2) / (2 * alias_blur**2))
    disk /= disk.sum()
    for axis in (0, 1):  # no normalisation after it: where the disk touches the grid's border, as published, it gains
        disk = correlate1d(disk, smoothing / smoothing.sum(), axis=axis, mode="mirror")
    disk[disk < 1e-9] = 0
    reach = int(np.abs(grid[disk.any(axis=0)]).max())
    disk = disk[half : half + reach + 1, half - reach : half + reach + 1].round(9)
    groups = [(float(w), [(int(y), int(x)) for y, x in np.argwhere(disk == w)]) for w in np.unique(disk[disk > 0])]
    return groups, reach


def glass_blur(images: Images, parameters: Parameters, generators: Generators) -> Images:
    """Gaussian blur, pixels displaced at random, Gaussian blur; parameters: sigma, largest displacement, iterations.

    The published scripts mean to swap each pixel with a neighbour, but through two views of one array, so the
    neighbour is only copied. CIFAR-C and ImageNet-C have it so, and so have we.
    """
    from scipy.ndimage import gaussian_filter

    sigma, reach, iterations = parameters[0], int(parameters[1]), int(parameters[2])
    n, height, width, channels = images.shape

    def blurred(pixels: Images) -> Images:
        levels: NDArray[np.float64] = gaussian_filter(
            pixels / 255.0, (0, sigma, sigma, 0), mode="nearest", truncate=4.0
        )
        np.clip(levels, 0, 1, out=levels)
        levels *= 255
        return levels.astype(np.uint8)  # in float64, step by step as published: the copies below spread a lost level

    moved = blurred(images).reshape(n * height * width, channels)
    inner = (iterations, max(0, height - 2 * reach), max(0, width - 2 * reach), 2)
    offsets = np.stack([rng.integers(-reach, reach, inner, dtype=np.int8) for rng in generators])
    for iteration in range(iterations):
        moved = moved[_copied_from(offsets[:, iteration], height, width, reach)]
    return blurred(moved.reshape(images.shape))


def _copied_from(offsets: NDArray[np.int8], height: int, width: int, reach: int) -> NDArray[np.int64]:
    """Return, for each pixel of all images, the flat index of the pixel whose value it ends up with.

    The script walks from the last inner pixel back to the first and sets x[p] = x[p + o_p]. A source q > p among the
    inner pixels was itself set before, so p gets what q got: a chain, followed to its end by doubling.

    Args:
        offsets: (N, h, w, 2), the offsets (x, y) of the inner pixels in the order in which they are visited.
        height: of the images.
        width: of the images.
        reach: the border's width, and the largest offset.
    """
    n, inner_height, inner_width, _ = offsets.shape
    size = height * width
    pixels = np.arange(n * size).reshape(n, height, width)
    source = pixels.copy()
    inner = (slice(None), slice(reach + 1, reach + 1 + inner_height), slice(reach + 1, reach + 1 + inner_width))
    backwards = offsets[:, ::-1, ::-1].astype(np.int64)
    source[inner] += backwards[..., 1] * width + backwards[..., 0]
    was_set = np.zeros((height, width), dtype=bool)
    was_set[inner[1:]] = True
    sources = source.reshape(-1)
    chained = was_set.reshape(-1)[sources % size] & (sources > pixels.reshape(-1))
    open_ends = np.flatnonzero(chained)
    while len(open_ends):
        targets = sources[open_ends]
        sources[open_ends] = sources[targets]
        chained[open_ends] = chained[targets]
        open_ends = open_ends[chained[open_ends]]
    return sources
