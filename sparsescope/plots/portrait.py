"""An image with where a unit fires and where its formula holds: hits, false alarms and misses by colour."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from sparsescope.errors import InputError
from sparsescope.plots.style import new_axes

__all__ = ["BOTH", "FORMULA", "NEURON", "portrait"]

BOTH, NEURON, FORMULA = "#10c48c", "#ff8a1f", "#56b4ff"
"""Both; the neuron alone; the formula alone. Told apart with every common colour blindness."""
TINT = 0.5
SMALL = 64
"""Up to this many pixels a side, images are shown with their pixels; above, smoothed."""


def portrait(image: NDArray[Any], fires: NDArray[np.bool_], holds: NDArray[np.bool_], ax: Axes | None = None) -> Axes:
    """Draw an image's grey levels with two outlines: solid where the neuron fires, dashed where its formula holds.

    Green: both; orange: the neuron fires where the formula does not hold; blue: the formula holds and it does not fire.
    The image's own colours would be taken for these.

    Args:
        image: (C, H, W) in [0, 1], 1 or 3 channels.
        fires: where the neuron fires, bool (h, w); any size, it is laid over the whole image.
        holds: where the formula holds, bool (h, w).
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: the two masks differ in size.
    """
    if fires.shape != holds.shape:
        raise InputError(f"Expected two masks of one size, but got {fires.shape} and {holds.shape}.")
    ax = ax if ax is not None else new_axes(2.4, 2.4)
    pixels = np.asarray(image).mean(axis=0)
    frame = (0.0, 1.0, 1.0, 0.0)
    smooth = "nearest" if max(pixels.shape) <= SMALL else "antialiased"
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=frame, interpolation=smooth, aspect="auto")
    tints = np.zeros((*fires.shape, 4))
    for colour, where in ((BOTH, fires & holds), (NEURON, fires & ~holds), (FORMULA, holds & ~fires)):
        tints[where] = to_rgba(colour, TINT)
    ax.imshow(tints, extent=frame, interpolation="nearest", aspect="auto")
    _outline(ax, holds, FORMULA, "dashed", 1.5)
    _outline(ax, fires, NEURON, "solid", 2.0)
    ax.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


def _outline(ax: Axes, mask: NDArray[np.bool_], colour: str, style: str, width: float) -> None:
    """Draw the border of a mask along its pixels' edges; at the frame too, so that every outline is closed."""
    if not mask.any():
        return
    height, length = mask.shape
    fine = max(1, round(400 / max(mask.shape)))
    padded = np.pad(mask.repeat(fine, axis=0).repeat(fine, axis=1).astype(float), 1)
    inset = 0.006  # the frame would cut a line that lies on it in half
    x = ((np.arange(-1, length * fine + 1) + 0.5) / (length * fine)).clip(inset, 1 - inset)
    y = ((np.arange(-1, height * fine + 1) + 0.5) / (height * fine)).clip(inset, 1 - inset)
    lines = ax.contour(x, y, padded, levels=[0.5], colors=[colour], linestyles=[style], linewidths=width)
    lines.set_path_effects([withStroke(linewidth=width + 1.4, foreground="#10151c")])
