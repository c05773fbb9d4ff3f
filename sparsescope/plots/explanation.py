"""An image under the heat map that explains it: what speaks for a class, and what against it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, new_axes, plain_axes

__all__ = ["explanation"]

COLOURS = "RdBu_r"  # red speaks for the class, blue against it; told apart with every common colour blindness
FAINT = 0.35
"""How much of the image's own grey levels shows through."""


def explanation(
    image: NDArray[Any],
    heat_map: NDArray[Any] | None = None,
    ax: Axes | None = None,
    *,
    limit: float | None = None,
    title: str = "",
) -> Axes:
    """Draw an image, and over its grey levels the coefficient of every pixel: red for the class, blue against it.

    Args:
        image: (C, H, W) in [0, 1], 1 or 3 channels.
        heat_map: (H, W), such as `lime.Explanation.heat_map`; None draws the image alone, in its colours.
        ax: Axes to draw on; default: those of a new figure.
        limit: the coefficient at the ends of the colour scale, > 0: the same one for heat maps to be compared;
            default: the largest.
        title: above the picture.

    Raises:
        InputError: image and heat map do not fit.
    """
    pixels = np.moveaxis(np.asarray(image), 0, -1)
    if heat_map is not None and heat_map.shape != pixels.shape[:2]:
        raise InputError(f"Expected a heat map of the image's {pixels.shape[:2]} pixels, but got {heat_map.shape}.")
    ax = ax if ax is not None else new_axes(2.6, 2.9)
    if heat_map is None:
        ax.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=1)
    else:
        limit = limit or float(np.abs(heat_map).max()) or 1.0
        ax.imshow(pixels.mean(axis=-1), cmap="gray", vmin=0, vmax=1)
        ax.imshow(heat_map, cmap=COLOURS, vmin=-limit, vmax=limit, alpha=1 - FAINT, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=8.5, color=INK, loc="left")
    plain_axes(ax)
    return ax
