"""The extreme sparsity of every metric and method as a table in colour. Source: Chen et al. 2022, Table A3."""

from matplotlib import colormaps
from matplotlib.axes import Axes

from sparsescope.curves.records import Extreme, Reading, SweepSummary
from sparsescope.errors import InputError
from sparsescope.plots.style import DIMENSION_COLOURS, GRID, INK, MUTED, PAPER, legible, new_axes, plain_axes, shortened
from sparsescope.plots.sweep_style import method_label, percent_removed

__all__ = ["extreme_sparsities", "extreme_text"]

COLOURS = "YlGnBu"


def extreme_text(extreme: Extreme, lowest: float) -> str:
    """Return an extreme sparsity in percent: `48.8` where the next sparsity fails, `≥ 48.8` where that is not known.

    Where not even the lowest sparsity passes: `< 20` if it fails, `?` if it is not decided, `–` if not evaluated.
    """
    if extreme.sparsity is not None:
        return f"{'' if extreme.stop == 'fail' else '≥ '}{percent_removed(extreme.sparsity)}"
    return {"fail": f"< {percent_removed(lowest)}", "inconclusive": "?"}.get(extreme.stop or "", "–")


def extreme_sparsities(summary: SweepSummary, ax: Axes | None = None, *, reading: Reading = "margins") -> Axes:
    """Draw a row for every method and a column for every metric: the largest sparsity, in %, up to which all pass.

    The darker, the sparser; the best of a column is bold. The last column is of all metrics of the verdict together.

    Args:
        summary: what to draw.
        ax: Axes to draw on; default: those of a new figure.
        reading: by margins, or as the paper.

    Raises:
        InputError: the sweep has no method, or no evaluated metric of the verdict.
    """
    metrics = summary.judged
    if not metrics or not summary.methods:
        raise InputError("Expected a pruning method and an evaluated metric of the verdict, but the sweep has none.")
    ax = ax if ax is not None else new_axes(2.2 + 0.72 * (len(metrics) + 1), 1.9 + 0.36 * len(summary.methods))
    columns = [[summary.curves[method][name].extremes[reading] for method in summary.methods] for name in metrics]
    columns.append([summary.ranges[method][reading].extreme for method in summary.methods])
    lowest = min(point.sparsity for row in summary.curves.values() for point in row[metrics[0]].points)
    for x, column in enumerate(columns):
        place = x + (0.18 if x == len(metrics) else 0.0)
        for y, extreme in enumerate(column):
            _cell(ax, place, y, extreme, column, lowest)
    labels = [shortened(summary.metrics[name].result.label, 24) for name in metrics] + ["all metrics"]
    places = [x + 0.5 for x in range(len(metrics))] + [len(metrics) + 0.68]
    ax.set_xticks(places, labels, rotation=38, ha="left", rotation_mode="anchor")
    ax.xaxis.tick_top()
    ax.set_yticks([y + 0.5 for y in range(len(summary.methods))], [method_label(name) for name in summary.methods])
    ax.set(xlim=(0, len(columns) + 0.18), ylim=(len(summary.methods), 0))
    plain_axes(ax)
    for label, name in zip(ax.get_xticklabels(), metrics, strict=False):
        label.set_color(DIMENSION_COLOURS[summary.metrics[name].result.dimension])
    ax.get_xticklabels()[-1].set_color(INK)
    ax.tick_params(axis="y", labelsize=9.5, labelcolor=INK)
    return ax


def _cell(ax: Axes, x: float, y: int, extreme: Extreme, column: list[Extreme], lowest: float) -> None:
    value = extreme.sparsity
    best = max((each.sparsity for each in column if each.sparsity is not None), default=None)
    red, green, blue, _ = colormaps[COLOURS](0.05 + 0.75 * value) if value is not None else (1.0, 1.0, 1.0, 0.0)
    text_colour = legible(red, green, blue) if value is not None else MUTED
    face = (red, green, blue) if value is not None else GRID
    ax.fill(
        [x, x + 1, x + 1, x], [y, y, y + 1, y + 1], facecolor=face, alpha=1 if value is not None else 0.35,
        linewidth=1.5, edgecolor=PAPER,
    )  # fmt: skip
    ax.text(
        x + 0.5, y + 0.5, extreme_text(extreme, lowest), ha="center", va="center", fontsize=8.5, color=text_colour,
        fontweight="bold" if value is not None and value == best else "normal",
    )  # fmt: skip
