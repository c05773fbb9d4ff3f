"""What an image processor of transformers does to images, measured: each kind of them reads its settings otherwise."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sparsescope.preprocessing import Preprocessing

__all__ = ["Prepared", "prepared_by"]

_HEIGHT, _WIDTH = 768, 1024
_ERROR = 1e-5
_INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # as Pillow numbers them


@dataclass(frozen=True)
class Prepared:
    """How images are prepared.

    Args:
        preprocessing: normalization and sizes; None where they are unknown.
        order: for each channel that the network takes, that of the image; None where it is the same.
        warnings: what cannot be done in the same way.
    """

    preprocessing: Preprocessing | None = None
    order: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = ()


def prepared_by(processor: Any, channels: int) -> Prepared:
    """Return what a processor does, seen from single colors and from ramps along both axes.

    Args:
        processor: takes images (C, H, W) with values from 0 to 255.
        channels: of the images, C.
    """
    colors = [torch.zeros(channels, _HEIGHT, _WIDTH) for _ in range(channels + 1)]
    for channel, image in enumerate(colors[1:]):
        image[channel] = 255
    ramps = [torch.linspace(0, 255, size).view(shape) for size, shape in ((_HEIGHT, (1, -1, 1)), (_WIDTH, (1, 1, -1)))]
    images = [*colors, *(ramp.expand(channels, _HEIGHT, _WIDTH).clone() for ramp in ramps)]
    values: Tensor = processor(images, return_tensors="pt", input_data_format="channels_first")["pixel_values"]
    if not isinstance(values, Tensor) or values.ndim != 4 or values.shape[1] != channels:
        return Prepared(warnings=(f"the image processor ({type(processor).__name__}) does not make images: ignored",))
    rows, columns = values.shape[2] // 2, values.shape[3] // 2
    black, *single = values[: channels + 1, :, rows, columns].double()
    slopes = torch.stack(single) - black  # from channel of the image to channel of the network
    order = slopes.abs().argmax(0)
    scale = slopes.gather(0, order[None])[0]
    others = slopes.abs().sum(0) - scale.abs()
    if sorted(order.tolist()) != list(range(channels)) or bool((scale <= 0).any()) or float(others.max()) > 1e-3:
        return Prepared(warnings=(f"the image processor ({type(processor).__name__}) mixes channels: ignored",))
    back = order.argsort()
    std, mean = (1 / scale)[back], (-black / scale)[back]
    size, resize, squeezed = _sizes((values[-2:, 0].double() - black[0]) / scale[0])
    preprocessing = Preprocessing(
        _rounded(mean, getattr(processor, "image_mean", None)),
        _rounded(std, getattr(processor, "image_std", None)),
        size,
        resize,
        _interpolation(processor),
    )
    in_order = order.tolist() == list(range(channels))
    return Prepared(preprocessing, None if in_order else tuple(order.tolist()), squeezed)


def _sizes(ramps: Tensor) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Return the crop, the shorter side before it, and a warning where shapes change; None for what is not known.

    Args:
        ramps: along the height and along the width, from 0 to 1, as they come out: (2, H, W).
    """
    size, width = ramps.shape[1:]
    tall = _resized(ramps[0, :, width // 2], _HEIGHT)
    wide = _resized(ramps[1, size // 2], _WIDTH)
    if size != width:
        unchanged = (size, width) == (_HEIGHT, _WIDTH)
        return None, None, () if unchanged else (f"its publisher makes images of {size} × {width} px of them: ignored",)
    if (tall, wide) == (_HEIGHT, _WIDTH):
        return size, None, ()
    if tall < size:
        return None, None, (f"its publisher pads images of {tall} × {wide} px to {size} px: ignored",)
    squeezed = (
        f"its publisher squeezes whole images to {tall} × {wide} px, whatever their shape; here the shorter side is "
        f"resized to {tall} px, and the center cropped: only square images are the same",
    )
    return size, tall, () if abs(wide * _HEIGHT - tall * _WIDTH) <= 2 * _WIDTH else squeezed


def _resized(line: Tensor, size: int) -> int:
    """Return to how many pixels a ramp of `size` pixels was resized, of which `line` is the middle."""
    first, last = len(line) // 4, 3 * len(line) // 4
    slope = float(line[last] - line[first]) / (last - first)
    return round(size / (size - 1) / slope) if slope > 0 else 0


def _interpolation(processor: Any) -> str | None:
    stated = getattr(processor, "resample", None)
    known = getattr(stated, "value", stated)  # an enumeration of Pillow's numbers, or of torchvision's names
    return known if known is None or isinstance(known, str) else _INTERPOLATIONS[int(known)]


def _rounded(measured: Tensor, stated: Any) -> tuple[float, ...]:
    """Return what was measured, in the digits of the settings where these are what was measured."""
    known = stated if isinstance(stated, list | tuple) and len(stated) == len(measured) else [math.nan] * len(measured)
    return tuple(
        float(exact) if abs(exact - value) < _ERROR else float(f"{value:.5g}") + 0.0  # no -0.0
        for exact, value in zip(known, measured.tolist(), strict=True)
    )
