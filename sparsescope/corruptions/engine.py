"""`corrupt`: checks, keys, chunks; the formulas live in one module per family."""

import difflib
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsescope.corruptions.pixels import Images
from sparsescope.corruptions.tables import CIFAR, EXTRA, IMAGENET, SEVERITIES, STANDARD
from sparsescope.errors import DataError, OptionError
from sparsescope.randomness import generator

__all__ = ["SMALL", "Table", "corrupt"]

Table = Literal["auto", "cifar", "imagenet"]

SMALL = 64
"""Largest side, in pixels, that gets the CIFAR-C table under `parameters="auto"`."""

VERSION = 1
"""Raised whenever the pixels of a corruption change, so that stored sets of two versions are not mixed."""

SMALLEST = 8
CHUNK_VALUES = 1 << 19  # pixel values worked on at once: few enough to stay in the cache, many to share a matrix

_FAMILIES = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"),
    "weather": ("snow", "frost", "fog", "brightness", "spatter"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression", "saturate"),
}
_FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names}


def corrupt(
    images: NDArray[np.uint8],
    name: str,
    severity: int,
    seed: int = 0,
    *,
    ids: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    parameters: Table = "auto",
    frost: str | Path | None = None,
) -> NDArray[np.uint8]:
    """Return the images under one corruption.

    The random numbers of image i depend on (seed, name, severity, ids[i]) alone, so any batching gives the same bits.
    Grey images are corrupted as RGB with equal channels; the result is the mean of the three channels, rounded.

    Args:
        images: uint8 (N, H, W, C) with C = 1 or 3 (RGB), at least 8 pixels high and wide; N may be 0.
        name: one of `STANDARD` or `EXTRA`.
        severity: 1 to 5.
        seed: non-negative key of all random numbers.
        ids: N non-negative integers that name the images; 0 to N - 1 if not given.
        parameters: severity table; "auto" takes "cifar" up to 64 pixels (the larger side) and "imagenet" above.
        frost: folder with the published textures frost1 to frost5 (.png or .jpg); without it frost is drawn by us.
            Only the corruption "frost" reads it.

    Returns:
        uint8, the shape of `images`.

    Raises:
        DataError: images of another type or shape, ids that do not fit, a frost folder that cannot be used.
        OptionError: an unknown name, severity or table, a negative seed.

    Source: Hendrycks & Dietterich 2019. ImageNet-C is stored as JPEG of quality 85 on top of this; we leave that out.

    Example:
        >>> import numpy as np
        >>> from sparsescope.corruptions import corrupt
        >>> corrupt(np.zeros((2, 32, 32, 3), np.uint8), "brightness", 2)[0, 0, 0].tolist()
        [25, 25, 25]
    """
    images = _checked_images(images)
    _check_options(name, severity, seed, parameters)
    keys = _checked_ids(ids, len(images))
    if images.shape[3] == 1:
        grey = corrupt(np.repeat(images, 3, axis=3), name, severity, seed, ids=keys, parameters=parameters, frost=frost)
        total: NDArray[np.uint16] = grey.sum(axis=3, keepdims=True, dtype=np.uint16)
        return ((total + 1) // 3).astype(np.uint8)
    if parameters == "auto":
        parameters = "cifar" if max(images.shape[1:3]) <= SMALL else "imagenet"
    values = (CIFAR if parameters == "cifar" else IMAGENET)[name][severity - 1]
    function = _function(name, frost)
    stream = f"corruption/{name}/{severity}"
    corrupted = np.empty_like(images)
    size = max(1, CHUNK_VALUES // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), size):
        chunk = slice(start, start + size)
        generators = (generator(seed, stream, int(key)) for key in keys[chunk])
        corrupted[chunk] = function(images[chunk], values, generators)
    return corrupted


def _function(name: str, frost: str | Path | None) -> Callable[..., Images]:
    """Return the formula of one corruption; its module, and what that needs, is imported only now."""
    module = import_module(f"sparsescope.corruptions.{_FAMILY_OF[name]}")
    function: Callable[..., Images] = getattr(module, name)
    return partial(function, folder=None if frost is None else Path(frost)) if name == "frost" else function


def _checked_images(images: NDArray[np.uint8]) -> Images:
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise DataError(
            f"Expected images of type uint8, levels 0 to 255, but got {images.dtype}. Corruptions are defined on 8-bit "
            "images: convert float images in [0, 1] by (images * 255).round().astype('uint8')."
        )
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise DataError(f"Expected images of shape (N, H, W, C) with C = 1 or 3 channels, but got {images.shape}.")
    if min(images.shape[1:3]) < SMALLEST:
        raise DataError(
            f"Expected images of at least {SMALLEST} x {SMALLEST} pixels, but got "
            f"{images.shape[1]} x {images.shape[2]}: too small for the corruptions to mean anything. Enlarge them."
        )
    return np.ascontiguousarray(images)


def _check_options(name: str, severity: int, seed: int, parameters: str) -> None:
    if name not in _FAMILY_OF:
        close = difflib.get_close_matches(str(name), [*STANDARD, *EXTRA], n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Choose from {', '.join([*STANDARD, *EXTRA])}."
        raise OptionError(f"Expected the name of a corruption, but got {name!r}. {hint}")
    if isinstance(severity, bool) or not isinstance(severity, int | np.integer) or severity not in SEVERITIES:
        raise OptionError(f"Expected a severity of 1, 2, 3, 4 or 5, but got {severity!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OptionError(f"Expected a seed that is a non-negative integer, but got {seed!r}.")
    if parameters not in ("auto", "cifar", "imagenet"):
        raise OptionError(f"Expected parameters to be 'auto', 'cifar' or 'imagenet', but got {parameters!r}.")


def _checked_ids(ids: Sequence[int] | NDArray[np.integer[Any]] | None, n: int) -> NDArray[np.integer[Any]]:
    if ids is None:
        return np.arange(n)
    keys = np.asarray(ids)
    if keys.shape == (0,):
        keys = keys.astype(np.int64)
    if keys.shape != (n,) or not np.issubdtype(keys.dtype, np.integer):
        raise DataError(f"Expected {n} integer ids, one per image, but got {keys.dtype} of shape {keys.shape}.")
    if n and keys.min() < 0:
        raise DataError(f"Expected ids >= 0, but image {int(keys.argmin())} has {int(keys.min())}.")
    return keys
