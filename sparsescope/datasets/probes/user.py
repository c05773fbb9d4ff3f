"""`FILE.py:function` and `package.module:function`: a probe set from the user's own code."""

import inspect

import numpy as np
import torch
from torch import Tensor

from sparsescope.benchmark import ProbeSet
from sparsescope.datasets.source import Shape
from sparsescope.errors import DataError
from sparsescope.userfiles import load_object

__all__ = ["open_user_probe"]


def open_user_probe(spec: str, shape: Shape) -> ProbeSet:
    """Call the user's function and return its ProbeSet, after a look at the first image.

    A function that needs an argument is given `shape`, the (C, H, W) of the model's input.

    Raises:
        DataError: the function raised, or returned something else than a ProbeSet of that shape; the text says what.
    """
    function = load_object(spec)
    if not callable(function):
        raise DataError(f"{spec}: expected a function, but it is a {type(function).__name__}.")
    try:
        parameters = inspect.signature(function).parameters.values()
        probe = function(shape) if any(item.default is item.empty for item in parameters) else function()
    except Exception as error:
        raise DataError(f"{spec} raised {type(error).__name__}: {error}") from error
    if not isinstance(probe, ProbeSet):
        raise DataError(f"{spec}: expected it to return a ProbeSet, but got a {type(probe).__name__}.")
    missing = [name for name in ("source", "shape", "label_shape", "concepts") if not hasattr(probe, name)]
    if missing:
        raise DataError(f"{spec}: expected a ProbeSet with the attributes source, shape …, but it lacks {missing}.")
    if len(probe) == 0 or not probe.concepts:
        raise DataError(f"{spec}: expected images and concepts, but got {len(probe)} and {len(probe.concepts)}.")
    names = [concept.name for concept in probe.concepts]
    if len(set(names)) < len(names):
        again = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{spec}: expected concepts with names of their own, but {again!r} comes again.")
    if tuple(probe.shape) != tuple(shape):
        raise DataError(
            f"{spec}: expected images of the model's input shape {tuple(shape)} (C, H, W), but got "
            f"{tuple(probe.shape)}. A function that needs an argument is given that shape."
        )
    _check_first(probe, spec)
    return probe


def _check_first(probe: ProbeSet, spec: str) -> None:
    """Check what a ProbeSet promises on its first image: a foreign set is looked at only here."""
    try:
        image = probe.read([0])
        indices, masks = (np.asarray(part) for part in probe.labels(0))
    except Exception as error:
        raise DataError(f"{spec}: its first image cannot be read: {type(error).__name__}: {error}") from error
    wanted = (1, *probe.shape)
    if not isinstance(image, Tensor) or image.dtype != torch.float32 or tuple(image.shape) != wanted:
        got = f"{image.dtype} {tuple(image.shape)}" if isinstance(image, Tensor) else f"a {type(image).__name__}"
        raise DataError(f"{spec}: expected read([0]) to return float32 {wanted}, but got {got}.")
    if not (float(image.min()) >= 0 and float(image.max()) <= 1):
        raise DataError(
            f"{spec}: expected images in [0, 1], but the first reaches from {float(image.min()):g} to "
            f"{float(image.max()):g}. Give pixels, not normalized values: the model normalizes."
        )
    ascending = indices.ndim == 1 and indices.dtype.kind in "iu" and bool((np.diff(indices) > 0).all())
    inside = ascending and (not len(indices) or 0 <= indices[0] <= indices[-1] < len(probe.concepts))
    if not inside or masks.dtype != bool or masks.shape != (len(indices), *probe.label_shape):
        raise DataError(
            f"{spec}: expected labels(0) to return ascending indices (p,) of its {len(probe.concepts)} concepts and "
            f"bool masks (p, {probe.label_shape[0]}, {probe.label_shape[1]}), but got {indices.dtype} {indices.shape} "
            f"and {masks.dtype} {masks.shape}."
        )
