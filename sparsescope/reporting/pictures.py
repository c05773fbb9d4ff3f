"""Pictures of units as data URIs: the probe image as it is, and under the outlines of neuron and formula."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from sparsescope import plots
from sparsescope.plots.portrait import SMALL
from sparsescope.plots.style import jpeg

__all__ = ["Picture", "embedded", "outlined"]

SIDE = 2.0
"""Longer side of a picture with outlines, inches at 100 dots."""


@dataclass(frozen=True)
class Picture:
    """One probe image with the masks of one unit; see `sparsescope.dissection.Portrait`.

    Args:
        image: index in the probe set.
        pixels: the image (C, H, W) in [0, 1].
        fires: where the unit fires, bool (h, w).
        holds: where its formula holds, bool (h, w).
        iou: of the two in this image.
    """

    image: int
    pixels: NDArray[np.float32]
    fires: NDArray[np.bool_]
    holds: NDArray[np.bool_]
    iou: float


def embedded(pixels: NDArray[Any]) -> Markup:
    """Return an image (C, H, W) in [0, 1] as a data URI: PNG up to 64 px a side, above JPEG of at most 200 px."""
    levels = np.rint(np.moveaxis(np.asarray(pixels), 0, -1) * 255).astype(np.uint8)
    image = Image.fromarray(levels.squeeze(-1) if levels.shape[2] == 1 else levels)
    buffer = io.BytesIO()
    if max(image.size) <= SMALL:
        image.save(buffer, "png", optimize=True)
        return _uri("png", buffer.getvalue())
    image.thumbnail((round(100 * SIDE), round(100 * SIDE)))
    image.save(buffer, "jpeg", quality=82)
    return _uri("jpeg", buffer.getvalue())


def outlined(picture: Picture) -> Markup:
    """Return the picture with the neuron's and the formula's outlines as a data URI."""
    height, width = picture.pixels.shape[1:]
    scale = SIDE / max(height, width)
    figure = Figure(figsize=(max(width * scale, 0.2), max(height * scale, 0.2)))
    plots.portrait(picture.pixels, picture.fires, picture.holds, figure.add_axes((0, 0, 1, 1)))
    return _uri("jpeg", jpeg(figure))


def _uri(kind: str, content: bytes) -> Markup:
    return Markup("data:image/{};base64,{}").format(kind, base64.b64encode(content).decode())
