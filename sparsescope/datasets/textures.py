"""`textures`: stripes, checks, clouds and other patterns, drawn; far out-of-distribution images with structure."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import ArrayImages
from sparsescope.datasets.resizing import Resizing
from sparsescope.datasets.source import DEFAULT_SHAPE, Shape, Source, drawn_source
from sparsescope.randomness import generator

__all__ = ["PATTERNS", "Field", "coordinates", "open_textures", "rotated", "textures"]

Field = NDArray[np.float64]
"""A picture (H, W) of one number per pixel."""

_IMAGES = 300


def open_textures(argument: str, resizing: Resizing) -> Source:
    """Return the textures, a source of one set without labels, of any image shape."""
    return drawn_source("textures", "textures", textures, resizing)


@cache
def textures(shape: Shape = DEFAULT_SHAPE) -> ArrayImages:
    """Return 300 images of textures without labels, 30 of each of ten patterns, which follow one another in turn.

    A pattern is drawn in units of the image's shorter side, so that a texture looks alike at every size: a field in
    [0, 1], 0 showing one random colour and 1 another. The two differ by at least 0.2 in every channel. The random draws
    are fixed: image i depends on i and the shape alone.

    Args:
        shape: (C, H, W) of every image.
    """
    return ArrayImages(np.stack([_image(shape, index) for index in range(_IMAGES)]), source="textures")


def _image(shape: Shape, index: int) -> NDArray[np.uint8]:
    rng = generator(0, "datasets/textures", index)
    channels, height, width = shape
    draw = PATTERNS[index % len(PATTERNS)]
    field = np.clip(draw(rng, *rotated(rng, *coordinates(height, width))), 0, 1)[..., None]
    ends = np.stack([rng.uniform(0, 0.4, channels), rng.uniform(0.6, 1, channels)])
    swapped = rng.random(channels) < 0.5
    first, second = np.where(swapped, ends[::-1], ends)
    levels: NDArray[np.uint8] = np.rint((first + field * (second - first)) * 255).astype(np.uint8)
    return levels


def coordinates(height: int, width: int) -> tuple[Field, Field]:
    """Return x and y of every pixel's centre, 0 in the middle of the image and 1 per shorter side; y goes downwards."""
    side = min(height, width)
    y, x = np.meshgrid(
        (np.arange(height) + 0.5 - height / 2) / side, (np.arange(width) + 0.5 - width / 2) / side, indexing="ij"
    )
    return x, y


def rotated(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """Return the coordinates, turned about the origin by a random angle."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y


def _stripes(rng: np.random.Generator, x: Field, y: Field) -> Field:
    return _soft(rng, np.sin(2 * np.pi * (rng.uniform(2, 7) * x + rng.random())))


def _checks(rng: np.random.Generator, x: Field, y: Field) -> Field:
    frequency = rng.uniform(1, 4)
    return _soft(rng, 2 * np.sin(2 * np.pi * frequency * x) * np.sin(2 * np.pi * frequency * y))


def _dots(rng: np.random.Generator, x: Field, y: Field) -> Field:
    frequency = rng.uniform(2, 5)
    u, v = (np.mod(frequency * axis + rng.random(), 1) - 0.5 for axis in (x, y))
    return _soft(rng, 4 * (rng.uniform(0.2, 0.4) - np.hypot(u, v)))


def _rings(rng: np.random.Generator, x: Field, y: Field) -> Field:
    radius = np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5))
    return _soft(rng, np.sin(2 * np.pi * (rng.uniform(2, 6) * radius + rng.random())))


def _gradient(rng: np.random.Generator, x: Field, y: Field) -> Field:
    curved = x + rng.uniform(-1, 1) * y**2
    field: Field = (curved - curved.min()) / max(float(np.ptp(curved)), 1e-9)
    return field


def _blobs(rng: np.random.Generator, x: Field, y: Field) -> Field:
    count, width = rng.integers(4, 12), rng.uniform(0.06, 0.16)
    squares = ((x - u) ** 2 + (y - v) ** 2 for u, v in rng.uniform(-0.6, 0.6, (count, 2)))
    field: Field = 1.5 * np.sum([np.exp(-square / (2 * width**2)) for square in squares], axis=0)
    return field


def _cells(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Return the cells of random points, each of one level."""
    count = rng.integers(8, 30)
    points, levels = rng.uniform(-0.8, 0.8, (count, 2)), rng.random(count)
    nearest = np.argmin([(x - u) ** 2 + (y - v) ** 2 for u, v in points], axis=0)
    field: Field = levels[nearest]
    return field


def _bricks(rng: np.random.Generator, x: Field, y: Field) -> Field:
    rows = rng.uniform(3, 7) * y
    columns = rng.uniform(1, 3) * x + 0.5 * np.mod(np.floor(rows), 2)
    edge = np.minimum(0.5 - np.abs(np.mod(rows, 1) - 0.5), 1.5 * (0.5 - np.abs(np.mod(columns, 1) - 0.5)))
    return 8 * (edge - rng.uniform(0.02, 0.1))


def _grain(rng: np.random.Generator, x: Field, y: Field) -> Field:
    bend = rng.uniform(0.05, 0.2) * np.sin(2 * np.pi * (rng.uniform(0.5, 2) * y + rng.random()))
    return _soft(rng, np.sin(2 * np.pi * rng.uniform(3, 7) * (x + bend)))


def _clouds(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Return waves in random directions with amplitudes of 1/frequency."""
    total = np.zeros_like(x)
    for frequency in rng.uniform(0.5, 8, 24):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        total += np.sin(2 * np.pi * frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase) / frequency
    return 0.5 + 0.25 * total / max(float(total.std()), 1e-9)


def _soft(rng: np.random.Generator, wave: Field) -> Field:
    """Return a wave in [-1, 1] as a field with edges that are soft or hard."""
    return 0.5 + rng.uniform(0.5, 3) * wave


PATTERNS: tuple[Callable[[np.random.Generator, Field, Field], Field], ...] = (
    *(_stripes, _checks, _dots, _rings, _gradient),
    *(_blobs, _cells, _bricks, _grain, _clouds),
)
