"""What a radar of one or two axes becomes: horizontal bars."""

from matplotlib.axes import Axes

from sparsescope.plots.radar_scale import Scale
from sparsescope.plots.style import (
    DIMENSION_COLOURS,
    INK,
    MUTED,
    colours,
    new_axes,
    plain_axes,
    short_number,
    shortened,
)
from sparsescope.results import Evaluation

__all__ = ["radar_bars"]


def radar_bars(evaluation: Evaluation, scale: Scale, ax: Axes | None) -> Axes:
    """Draw the radar's values as groups of bars, one group for each metric."""
    models = list(scale.values)
    ax = ax if ax is not None else new_axes(7.2, 1.3 + 0.34 * len(models) * len(scale.axes))
    height = 0.8 / len(models)
    palette = colours(models, evaluation.pairs)
    for row, name in enumerate(models):
        values = scale.values[name]
        places = [axis + (row - (len(models) - 1) / 2) * height for axis in range(len(scale.axes))]
        widths = [min(value or 0.0, scale.limit) for value in values]
        ax.barh(places, widths, height=height * 0.88, color=palette[name], label=shortened(name))
        for place, width, value in zip(places, widths, values, strict=True):
            ax.text(
                width,
                place,
                "  undefined" if value is None else f"  {short_number(value, '.2f')}",
                va="center",
                fontsize=9,
                color=INK,
            )
    ax.set_yticks(range(len(scale.axes)), [shortened(evaluation[axis].label) for axis in scale.axes])
    plain_axes(ax, grid="x")
    for label, axis in zip(ax.get_yticklabels(), scale.axes, strict=True):
        label.set(color=DIMENSION_COLOURS[evaluation[axis].dimension], fontsize=10, fontweight="bold")
    ax.set_xlim(0, scale.limit * 1.12)
    ax.invert_yaxis()
    if scale.normalisation == "ratio":
        ax.axvline(1, color=MUTED, linewidth=0.8)
        ax.set_xlabel("ratio to dense, higher is better")
    else:
        ax.set_xlabel("0 = worst, 1 = best of these models")
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.24),
        ncols=min(len(models), 3),
        frameon=False,
        labelcolor=INK,
        fontsize=9,
    )
    return ax
