"""Reliability diagram: how often the model is right, by how sure it is. Source: DeGroot & Fienberg 1983."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, MUTED, PAPER, colours, new_axes, plain_axes, shortened
from sparsescope.results import Evaluation
from sparsescope.results.details import EceDetails
from sparsescope.results.details.ece import Bin

__all__ = ["reliability", "reliability_bins"]


def reliability_bins(evaluation: Evaluation, model: str) -> tuple[Bin, ...]:
    """Return the bins of a model, none where it has no ECE."""
    found = evaluation.details(EceDetails).get(model)
    return found.reliability if found else ()


def reliability(evaluation: Evaluation, model: str, ax: Axes | None = None) -> Axes:
    """Draw accuracy against confidence by bin, the gap to the diagonal, and how many images each bin holds.

    Args:
        evaluation: what to draw.
        model: name of the model.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: the evaluation holds no reliability diagram of this model.
    """
    bins = reliability_bins(evaluation, model)
    if not bins:
        raise InputError(f"Expected the ECE of {model!r} to be measured, but the evaluation has no bins for it.")
    ax = ax if ax is not None else new_axes(3.4, 3.9)
    colour = colours([info.name for info in evaluation.models], evaluation.pairs)[model]
    for row in bins:
        if row.accuracy is None or row.confidence is None:
            continue
        width = row.upper - row.lower
        ax.bar(row.lower, row.accuracy, width, align="edge", color=colour, alpha=0.6, edgecolor=PAPER, linewidth=0.6)
        ax.plot([row.confidence] * 2, [row.accuracy, row.confidence], color=INK, linewidth=1.2, zorder=3)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    ax.set_title(shortened(model, 30), fontsize=10, color=INK, loc="left")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1])
    plain_axes(ax, grid="both")
    _draw_counts(ax, bins, colour)
    return ax


def _draw_counts(ax: Axes, bins: Sequence[Bin], colour: str) -> None:
    """Add a strip below with the share of images in each bin."""
    ax.tick_params(labelbottom=False)
    total = sum(row.count for row in bins)
    strip = ax.inset_axes((0, -0.27, 1, 0.2))
    strip.bar(
        [row.lower for row in bins],
        [row.count / total for row in bins],
        [row.upper - row.lower for row in bins],
        align="edge",
        color=colour,
        alpha=0.5,
        edgecolor=PAPER,
        linewidth=0.6,
    )
    largest = max(row.count for row in bins) / total
    strip.set(xlim=(0, 1), ylim=(0, largest * 1.1), yticks=[largest], xticks=[0, 0.25, 0.5, 0.75, 1])
    strip.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    strip.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    strip.set_xlabel(f"confidence · {total:,} images")
    strip.set_ylabel("images")
    plain_axes(strip)
