"""Error rates under corruption as a heat map, corruption × severity."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, PAPER, legible, new_axes, plain_axes, shortened
from sparsescope.results import Evaluation

__all__ = ["corruption_errors", "corruption_table", "corruption_table_height"]


def corruption_errors(evaluation: Evaluation, model: str) -> dict[str, list[float | None]]:
    """Return a model's error rates by corruption (one for each severity, None where not measured); maybe empty."""
    corruptions = _details(evaluation, model).get("corruptions", {})
    return {name: entry["error"] for name, entry in corruptions.items()}


def corruption_table_height(corruptions: int) -> float:
    """Return how high the plot of so many corruptions should be, in inches."""
    return 0.9 + 0.27 * max(corruptions, 2)


def corruption_table(evaluation: Evaluation, model: str, ax: Axes | None = None) -> Axes:
    """Draw error rates in percent; all models of an evaluation share one colour scale, dark is worse.

    Args:
        evaluation: what to draw.
        model: name of the model.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: the evaluation holds no corruption table of this model.
    """
    errors = corruption_errors(evaluation, model)
    if not errors:
        raise InputError(f"Expected the mCE of {model!r} to be measured, but the evaluation has no table for it.")
    ax = ax if ax is not None else new_axes(4.2, corruption_table_height(len(errors)))
    table = np.array(list(errors.values()), dtype=float)
    ax.pcolormesh(
        np.ma.masked_invalid(table),
        cmap="YlOrBr",
        vmin=0,
        vmax=1.15 * _worst(evaluation),
        edgecolors=PAPER,
        linewidth=1.2,
    )
    for (row, column), error in np.ndenumerate(table):
        measured = np.isfinite(error)
        colour = legible(*colormaps["YlOrBr"](error / (1.15 * _worst(evaluation)))[:3]) if measured else INK
        text = f"{100 * error:.1f}" if measured else "–"
        ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    severities = _details(evaluation, model).get("severities", range(1, table.shape[1] + 1))
    ax.set_xticks(np.arange(table.shape[1]) + 0.5, [str(severity) for severity in severities])
    ax.set_yticks(np.arange(len(errors)) + 0.5, [shortened(name.replace("_", " ")) for name in errors])
    ax.set(xlabel="severity", ylim=(len(errors), 0))
    ax.set_title(f"{shortened(model, 26)}: error, %", fontsize=10, color=INK, loc="left")
    plain_axes(ax)
    ax.tick_params(axis="y", labelsize=8.5)
    return ax


def _details(evaluation: Evaluation, model: str) -> dict[str, Any]:
    details = next((metric.details for metric in evaluation.metrics if metric.name == "corruption_error"), {})
    found: dict[str, Any] = details.get(model, {})
    return found


def _worst(evaluation: Evaluation) -> float:
    tables = [corruption_errors(evaluation, info.name) for info in evaluation.models]
    found = [error for table in tables for row in table.values() for error in row if error is not None]
    return max(found, default=1.0) or 1.0
