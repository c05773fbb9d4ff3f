"""How well formulas describe the units of a layer: the share of units above every IoU, dense against sparse."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, MUTED, colours, new_axes, plain_axes, shortened
from sparsescope.results.details.composition import DETECTOR

__all__ = ["iou_distribution"]


def iou_distribution(
    ious: Mapping[str, Sequence[float]], nulls: Mapping[str, Sequence[float]] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw, for every IoU, the share of each model's live units that reach it; dotted, the same on shuffled images.

    Args:
        ious: model -> IoU of its live units, dense first.
        nulls: model -> IoU of the best formulas for the same units on shuffled images; none where not computed.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: no model has live units.
    """
    if not any(len(values) for values in ious.values()):
        raise InputError("Expected the IoUs of at least one live unit, but got none.")
    ax = ax if ax is not None else new_axes(5.0, 3.2)
    colour = colours(list(ious))
    for model, values in ious.items():
        if len(values):
            ax.ecdf(values, complementary=True, color=colour[model], linewidth=2, label=shortened(model, 28))
    for model, values in (nulls or {}).items():
        if len(values):
            label = f"{shortened(model, 28)}, shuffled images"
            ax.ecdf(values, complementary=True, color=colour[model], linewidth=1.2, linestyle=":", label=label)
    ax.axvline(DETECTOR, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ax.text(DETECTOR, 1.02, f" {DETECTOR:g}", fontsize=8.5, color=MUTED, ha="left", va="bottom")
    most = max(max(values) for values in (*ious.values(), *(nulls or {}).values()) if len(values))
    ax.set(xlim=(0, max(1.05 * most, 1.5 * DETECTOR)), ylim=(0, 1), xlabel="IoU", ylabel="units with at least this IoU")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plain_axes(ax, grid="y")
    ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper right")  # the curves fall: there is room
    return ax
