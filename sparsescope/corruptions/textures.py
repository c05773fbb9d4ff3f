"""Frost textures: read from a folder, or drawn."""

from functools import lru_cache
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparsescope.errors import DataError
from sparsescope.randomness import generator

__all__ = ["frost_textures"]

TEXTURES = 5  # the published scripts pick one of the first five of their six
CANVAS = 512

# Per drawn texture: mean colour, contrast (levels), number of crystals per canvas, their length (pixels).
_LOOKS: tuple[tuple[tuple[int, int, int], float, int, float], ...] = (
    ((88, 148, 166), 24, 60, 150),
    ((200, 205, 214), 24, 260, 90),
    ((196, 203, 212), 24, 200, 120),
    ((138, 152, 165), 30, 320, 60),
    ((112, 123, 135), 44, 170, 80),
)


def frost_textures(folder: Path | None, step: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], ...]:
    """Return the five textures, uint8 (h, w, 3) each, thinned to every step-th pixel.

    Args:
        folder: where frost1 to frost5 lie; None draws textures.
        step: 1 or 5; the published reduction to a fifth is bilinear, which at a factor of 5 is every fifth pixel.
        size: height and width of the images; every texture is at least as large.

    Raises:
        DataError: the folder lacks a texture, or one cannot be read or is smaller than the images.
    """
    if folder is None:
        textures = _drawn(CANVAS * ceil(1.25 * step * max(size) / CANVAS), step)
    else:
        textures = _read(folder.resolve(), step)
    for texture in textures:
        if texture.shape[0] < size[0] or texture.shape[1] < size[1]:
            raise DataError(
                f"Expected frost textures of at least {size[0]} x {size[1]} pixels, but {folder} has one of "
                f"{texture.shape[0]} x {texture.shape[1]}. Leave the folder out: drawn frost has any size."
            )
    return textures


@lru_cache(maxsize=4)
def _read(folder: Path, step: int) -> tuple[NDArray[np.uint8], ...]:
    from sparsescope.datasets.decoding import decode

    textures = []
    for number in range(1, TEXTURES + 1):
        paths = [folder / f"frost{number}{suffix}" for suffix in (".png", ".jpg", ".jpeg")]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise DataError(
                f"Expected the frost textures frost1 to frost{TEXTURES} (.png or .jpg) in {folder}, but "
                f"frost{number} is not there. They are part of github.com/hendrycks/robustness (ImageNet-C/create_c)."
            )
        try:
            texture = np.asarray(decode(path))
        except Exception as error:  # decoders raise what they like
            raise DataError(f"The frost texture {path} cannot be read ({error}). Replace the file.") from error
        textures.append(_thinned(texture, step))
    return tuple(textures)


def _thinned(texture: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return the pixels at (k + 1/2)·step - 1/2, which is where a bilinear reduction by an odd step samples."""
    height, width = (round(side / step) for side in texture.shape[:2])
    rows, columns = (step // 2 + step * np.arange(side) for side in (height, width))
    return texture.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")


@lru_cache(maxsize=4)
def _drawn(side: int, step: int) -> tuple[NDArray[np.uint8], ...]:
    """Return five textures of our own; they do not depend on the user's seed, as the published ones do not."""
    from scipy.ndimage import gaussian_filter

    textures = []
    for number, (colour, contrast, crystals, length) in enumerate(_LOOKS):
        rng = generator(0, "corruption/frost/texture", number)
        soft = gaussian_filter(_crystals(rng, side, round(crystals * (side / CANVAS) ** 2), length), 0.7)
        relief = soft - np.pad(soft, ((2, 0), (2, 0)), mode="edge")[:-2, :-2]  # lit from above left
        parts = ((1.0, soft - soft.mean()), (0.7, relief), (0.8, _haze(rng, side)))
        field = sum(weight * part / part.std() for weight, part in parts)
        levels = np.array(colour) + contrast * (field / np.std(field))[..., None]
        textures.append(_thinned(np.clip(levels, 0, 255).astype(np.uint8), step))
    return tuple(textures)


def _haze(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """Return a smooth random field (side, side)."""
    from PIL import Image

    coarse = Image.fromarray(rng.standard_normal((side // 64, side // 64), dtype=np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)


def _crystals(rng: np.random.Generator, side: int, count: int, length: float) -> NDArray[np.float64]:
    """Return a picture (side, side) of fern-like crystals: stems whose branches bear branches of their own.

    A segment is a row (x, y, angle, length).
    """
    segments = np.empty((count, 4))
    segments[:, :2] = rng.random((count, 2)) * side
    segments[:, 2] = rng.normal(rng.uniform(0, 2 * np.pi), 1.2, count)
    segments[:, 3] = length * rng.uniform(0.4, 1.3, count)
    generations = [segments, first := _branches(rng, segments), _branches(rng, first)]
    picture = np.zeros((side, side))
    for brightness, grown in zip((120, 190, 255), reversed(generations), strict=True):
        _draw(picture, grown, brightness)
    return picture


def _branches(rng: np.random.Generator, segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the branches of segments: on both sides, at about 55°, shorter towards the tip."""
    per_segment = 2 * np.maximum(2, segments[:, 3] / 4.5).astype(int)
    parents = segments.repeat(per_segment, axis=0)
    n = len(parents)
    places = rng.uniform(0.08, 1, n)
    branches = parents.copy()
    branches[:, :2] += (places * parents[:, 3])[:, None] * _direction(parents[:, 2])
    branches[:, 2] += rng.choice([-1, 1], n) * rng.normal(np.pi / 3.3, 0.08, n)
    branches[:, 3] *= 0.36 * (1 - places) * rng.uniform(0.6, 1.2, n)
    return branches[branches[:, 3] > 3]


def _draw(picture: NDArray[np.float64], segments: NDArray[np.float64], brightness: float) -> None:
    """Set the pixels under the segments; pixels outside the picture are left out."""
    steps = np.ceil(segments[:, 3] * 1.5).astype(int)
    along = np.arange(steps.sum()) - (np.cumsum(steps) - steps).repeat(steps)
    points = segments.repeat(steps, axis=0)
    places = (points[:, :2] + (along / 1.5)[:, None] * _direction(points[:, 2])).astype(int)
    inside = ((places >= 0) & (places < len(picture))).all(axis=1)
    picture[places[inside, 1], places[inside, 0]] = brightness


def _direction(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)
