"""Sparsity by layer."""

import math

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from sparsescope.errors import OptionError
from sparsescope.plots.style import GRID, INK, MUTED, colours, new_axes, plain_axes, shortened
from sparsescope.results import Evaluation

__all__ = ["sparsity", "sparsity_height"]


def sparsity_height(layers: int) -> float:
    """Return how high the plot of so many layers should be, in inches: from 60 on they get thinner."""
    return 1.0 + 0.2 * min(max(layers, 3), 60)


def sparsity(evaluation: Evaluation, model: str, ax: Axes | None = None) -> Axes:
    """Draw the fraction of weights removed in each layer as horizontal bars, input at the top, total as a line.

    Args:
        evaluation: what to draw.
        model: name of the model.
        ax: Axes to draw on; default: those of a new figure.
    """
    info = next((info for info in evaluation.models if info.name == model), None)
    if info is None:
        raise OptionError(f"Expected one of {[info.name for info in evaluation.models]}, but got {model!r}.")
    layers = info.sparsity.layers
    ax = ax if ax is not None else new_axes(4.6, sparsity_height(len(layers)))
    rows = range(len(layers))
    colour = colours([info.name for info in evaluation.models], evaluation.pairs)[model]
    ax.barh(rows, [1.0] * len(layers), height=0.72, color=GRID, alpha=0.45)
    ax.barh(rows, [layer.sparsity for layer in layers], height=0.72, color=colour)
    every = math.ceil(len(layers) / 60)
    for row, layer in list(enumerate(layers))[::every]:
        ax.text(1.015, row, f"{100 * layer.sparsity:.1f}", va="center", fontsize=7.5, color=INK)
    ax.axvline(info.sparsity.prunable, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.set_yticks(list(rows)[::every], [shortened(layer.name.removesuffix(".weight")) for layer in layers[::every]])
    ax.set(xlim=(0, 1), ylim=(len(layers) - 0.4, -0.6), xlabel="% of weights removed (line: all prunable weights)")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    ax.set_title(f"{shortened(model, 30)}: {100 * info.sparsity.prunable:.1f} %", fontsize=10, color=INK, loc="left")
    plain_axes(ax)
    ax.tick_params(axis="y", labelsize=7.5, labelcolor=MUTED)
    return ax
