"""`FILE.py:function` and `package.module:function`: data from the user's own code."""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.benchmark import ArrayImages, Benchmark, ImageSet
from sparsescope.datasets.resizing import Resizing, resized
from sparsescope.datasets.source import WHOLE, Source
from sparsescope.errors import DataError
from sparsescope.userfiles import load_object

__all__ = ["open_user"]


def open_user(spec: str, resizing: Resizing) -> Source:
    """Call the user's function, without arguments, and return what it returned as a source.

    A Benchmark stays all that it is, but for the resizing; an ImageSet or a pair (images, labels) gives one set. Arrays
    and tensors are those of `ArrayImages`; labels may be None.

    Raises:
        DataError: the function raised, or returned something else; the text names it and the cause.
    """
    function = load_object(spec)
    if not callable(function):
        raise DataError(f"{spec}: expected a function without arguments, but it is a {type(function).__name__}.")
    try:
        returned = function()
    except Exception as error:
        raise DataError(f"{spec} raised {type(error).__name__}: {error}") from error
    if isinstance(returned, Benchmark):
        return _from_benchmark(returned, spec, resizing)
    images = _checked(_as_image_set(returned, spec), spec)
    return Source(spec, spec.rpartition(":")[2], {WHOLE: lambda: resized(images, resizing)})


def _from_benchmark(benchmark: Benchmark, spec: str, resizing: Resizing) -> Source:
    readers = {name: partial(resized, _checked(images, spec), resizing) for name, images in benchmark.sets.items()}
    return Source(
        spec=spec,
        name=benchmark.name,
        splits={name: read for name, read in readers.items() if name in ("test", "train")},
        classes=benchmark.classes,
        ood={name: readers[f"ood:{name}"] for name in benchmark.ood},
        ood_groups=benchmark.ood_groups,
        benchmark=benchmark,
    )


def _as_image_set(returned: object, spec: str) -> ImageSet:
    if isinstance(returned, ImageSet):
        return returned
    if isinstance(returned, tuple) and len(returned) == 2:
        images, labels = returned
        return ArrayImages(_array(images), None if labels is None else _array(labels), spec)
    got = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
    raise DataError(f"{spec}: expected it to return a Benchmark, an ImageSet or (images, labels), but got {got}.")


def _array(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _checked(images: ImageSet, spec: str) -> ImageSet:
    """Return `images` if its first image is what an ImageSet promises: a foreign set is checked only here."""
    if len(images) == 0:
        raise DataError(f"{spec}: expected at least one image, but the set {images.source!r} is empty.")
    first = images.read([0])
    if not isinstance(first, Tensor) or first.dtype != torch.float32 or tuple(first.shape) != (1, *images.shape):
        got = f"{first.dtype} {tuple(first.shape)}" if isinstance(first, Tensor) else f"a {type(first).__name__}"
        raise DataError(f"{spec}: expected read([0]) to return float32 (1, *{tuple(images.shape)}), but got {got}.")
    low, high = float(first.min()), float(first.max())
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"{spec}: expected images in [0, 1], but the first of {images.source!r} reaches from {low:g} to {high:g}. "
            "Give pixels, not normalized values: the model normalizes."
        )
    return images
