"""Error rates under corruption as a heat map, corruption × severity."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, PAPER, legible, new_axes, plain_axes, shortened
from sparsescope.results import Evaluation
from sparsescope.results.details import CorruptionDetails

__all__ = ["corruption_errors", "corruption_table", "corruption_table_height"]


def corruption_errors(evaluation: Evaluation, model: str) -> dict[str, tuple[float | None, ...]]:
    """Return a model's error rates by corruption (one for each severity, None where not measured); maybe empty."""
    return _errors(evaluation.details(CorruptionDetails).get(model))


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
    tables = evaluation.details(CorruptionDetails)
    errors = _errors(tables.get(model))
    if not errors:
        raise InputError(f"Expected the mCE of {model!r} to be measured, but the evaluation has no table for it.")
    ax = ax if ax is not None else new_axes(4.2, corruption_table_height(len(errors)))
    table = np.array(list(errors.values()), dtype=float)
    worst = 1.15 * (max((_worst(found) for found in tables.values()), default=1.0) or 1.0)
    ax.pcolormesh(
        np.ma.masked_invalid(table),
        cmap="YlOrBr",
        vmin=0,
        vmax=worst,
        edgecolors=PAPER,
        linewidth=1.2,
    )
    for (row, column), error in np.ndenumerate(table):
        measured = np.isfinite(error)
        colour = legible(*colormaps["YlOrBr"](error / worst)[:3]) if measured else INK
        text = f"{100 * error:.1f}" if measured else "–"
        ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    ax.set_xticks(np.arange(table.shape[1]) + 0.5, [str(severity) for severity in tables[model].severities])
    ax.set_yticks(np.arange(len(errors)) + 0.5, [shortened(name.replace("_", " ")) for name in errors])
    ax.set(xlabel="severity", ylim=(len(errors), 0))
    ax.set_title(f"{shortened(model, 26)}: error, %", fontsize=10, color=INK, loc="left")
    plain_axes(ax)
    ax.tick_params(axis="y", labelsize=8.5)
    return ax


def _errors(details: CorruptionDetails | None) -> dict[str, tuple[float | None, ...]]:
    return {name: row.error for name, row in details.corruptions.items()} if details else {}


def _worst(details: CorruptionDetails) -> float:
    found = [error for row in _errors(details).values() for error in row if error is not None]
    return max(found, default=0.0)
