"""Error, ECE, SCE and NLL by severity of the corruption: how a model ages under shift. After Ovadia et al. 2019."""

import numpy as np
from matplotlib.axes import Axes

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, colours, new_axes, plain_axes, shortened
from sparsescope.results import Evaluation
from sparsescope.results.details import CorruptionDetails

__all__ = ["SHIFTED", "shift_table", "under_shift"]

SHIFTED = {"error": "Error", "ece": "ECE", "sce": "SCE", "nll": "NLL (nats)"}
"""What is known of every corruption × severity, by its key in the details of `corruption_error`, with its label."""


def shift_table(evaluation: Evaluation, quantity: str) -> dict[str, dict[int, list[float]]]:
    """Return model -> severity (0: the clean test images) -> one value per corruption; maybe empty.

    Args:
        evaluation: what to read.
        quantity: a key of `SHIFTED`.
    """
    found = {}
    for model, details in evaluation.details(CorruptionDetails).items():
        rows = [row.values(quantity) for row in details.corruptions.values()]
        known = [row for row in rows if row is not None]
        if not known or len(known) < len(rows):
            continue
        columns = {
            severity: [value for row in known if (value := row[place]) is not None]
            for place, severity in enumerate(details.severities)
        }
        clean = _clean(evaluation, model, quantity, details)
        columns = {0: [clean] if clean is not None else [], **columns}
        found[model] = {severity: values for severity, values in columns.items() if values}
    return {model: by_severity for model, by_severity in found.items() if by_severity}


def under_shift(evaluation: Evaluation, quantity: str, ax: Axes | None = None) -> Axes:
    """Draw the mean over the corruptions against the severity, one line per model; bars span the middle half of them.

    Args:
        evaluation: what to draw.
        quantity: `error`, `ece`, `sce` or `nll`.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: the evaluation holds no such table.
    """
    table = shift_table(evaluation, quantity)
    if not table:
        raise InputError(
            f"Expected {quantity!r} under corruption to be measured, but the evaluation has no table of it."
        )
    ax = ax if ax is not None else new_axes(3.6, 3.0)
    colour = colours([model.name for model in evaluation.models], evaluation.pairs)
    for number, (model, by_severity) in enumerate(table.items()):
        x = np.array(list(by_severity)) + 0.08 * (number - (len(table) - 1) / 2)
        values = list(by_severity.values())
        ax.plot(
            x,
            [np.mean(column) for column in values],
            "o-",
            color=colour[model],
            markersize=4,
            label=shortened(model, 24),
        )
        low, high = (np.array([np.percentile(column, q) for column in values]) for q in (25, 75))
        ax.vlines(x, low, high, color=colour[model], alpha=0.35, linewidth=3)
    severities = sorted({severity for by_severity in table.values() for severity in by_severity})
    ax.set_xticks(severities, [str(severity) if severity else "clean" for severity in severities])
    ax.set(xlabel="severity", ylim=(0, 1.1 * ax.get_ylim()[1]))
    ax.set_title(f"{SHIFTED[quantity]} under corruption", fontsize=10, color=INK, loc="left")
    plain_axes(ax, grid="y")
    ax.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")  # lines rise: there is room
    return ax


def _clean(evaluation: Evaluation, model: str, quantity: str, details: CorruptionDetails) -> float | None:
    if quantity == "error":
        return details.clean_error
    metric = next((metric for metric in evaluation.metrics if metric.name == quantity), None)
    return metric.values[model].value if metric is not None and model in metric.values else None
