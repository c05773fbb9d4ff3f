"""Tickets beside a small dense network with as many parameters. Source: Chen et al. 2022, Figure 11."""

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sparsescope.curves.records import SMALL, SweepSummary
from sparsescope.errors import InputError
from sparsescope.plots.style import DENSE, DIMENSION_COLOURS, GRID, INK, PAPER, new_axes, plain_axes, shortened
from sparsescope.plots.sweep_style import Look, looks, method_label, percent_removed

__all__ = ["twin_comparison", "twin_comparison_height"]

LIMIT = 4.0
TICKS = (0.25, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 4.0)
NEAR = (0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)  # where ratios span no more than a factor of 4


def twin_comparison_height(summary: SweepSummary) -> float:
    """Return how high the plot should be, in inches."""
    return 1.7 + 0.42 * len(_metrics(summary))


def twin_comparison(summary: SweepSummary, ax: Axes | None = None) -> Axes:
    """Draw, for every metric, the tickets nearest to the small dense twin's size and the twin, relative to dense.

    Right is better: the ratio of the means over seeds is turned so that above 1 the network is better than its dense
    parent. What lies beyond 1/4 or 4 is marked at the edge.

    Args:
        summary: what to draw.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: the sweep has no small dense twin, or no metric of it.
    """
    metrics = _metrics(summary)
    if not metrics:
        raise InputError(
            "Expected a small dense network with an evaluated metric beside the tickets, but there is none."
        )
    ax = ax if ax is not None else new_axes(7.8, twin_comparison_height(summary))
    found = looks(summary)
    ratios = _ratios(summary)
    every = [ratio for row in ratios.values() for ratio in row.values()]
    low, high = max(min([*every, 0.95]) / 1.03, 1 / LIMIT), min(max([*every, 1.05]) * 1.03, LIMIT)
    for row, metric in enumerate(metrics):
        ax.axhline(row, color=GRID, linewidth=0.8, zorder=1)
        for place, (name, ratio) in enumerate(ratios[metric].items()):
            _draw(ax, row, ratio, found[name], (low, high), place / max(len(ratios[metric]) - 1, 1) - 0.5)
    ax.axvline(1, color=DENSE, linewidth=1.3, linestyle=(0, (5, 3)), zorder=2)
    _frame(ax, summary, metrics, low, high)
    for name, comparison in summary.twins.items():
        _name(ax, found[name], f"{method_label(name)} {percent_removed(comparison.sparsity)} %")
    _name(ax, found[SMALL], method_label(SMALL))
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, labelcolor=INK)
    return ax


def _frame(ax: Axes, summary: SweepSummary, metrics: list[str], low: float, high: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(low / 1.02, high * 1.02)
    ax.xaxis.set_major_locator(
        FixedLocator([tick for tick in (NEAR if high / low <= 4 else TICKS) if low <= tick <= high])
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(range(len(metrics)), [shortened(summary.metrics[name].result.label) for name in metrics])
    ax.set_ylim(len(metrics) - 0.4, -0.6)
    ax.set_xlabel("ratio to dense (dashed) · right is better")
    plain_axes(ax, grid="x")
    for label, name in zip(ax.get_yticklabels(), metrics, strict=True):
        label.set_color(DIMENSION_COLOURS[summary.metrics[name].result.dimension])


def _metrics(summary: SweepSummary) -> list[str]:
    """Return the metrics of which the twin has a ratio to dense."""
    rows = [row for comparison in summary.twins.values() for row in comparison.rows]
    having = {row.metric for row in rows if row.twin_ratio is not None}
    return [name for name in summary.metrics if name in having]


def _ratios(summary: SweepSummary) -> dict[str, dict[str, float]]:
    """Return metric -> method -> ratio, the twin last; undefined ones are left out."""
    found: dict[str, dict[str, float]] = {metric: {} for metric in _metrics(summary)}
    twin: dict[str, float] = {}
    for method, comparison in summary.twins.items():
        for row in comparison.rows:
            if row.metric in found and row.ticket_ratio is not None:
                found[row.metric][method] = row.ticket_ratio
            if row.twin_ratio is not None:
                twin[row.metric] = row.twin_ratio
    return {metric: {**row, SMALL: twin[metric]} for metric, row in found.items()}


def _draw(ax: Axes, row: int, ratio: float, look: Look, ends: tuple[float, float], shift: float) -> None:
    """Draw one network; the methods of a metric lie a little below each other, so that equals stay visible."""
    small = look.marker == "*"
    low, high = ends
    marker = look.marker if low <= ratio <= high else (">" if ratio > 1 else "<")
    ax.plot(
        [min(max(ratio, low), high)], [row + (0 if small else 0.5 * shift)], marker=marker, color=look.colour,
        markersize=11 if small else 6, mec=PAPER, mew=0.6, linestyle="none", zorder=5 if small else 4, label="_network",
    )  # fmt: skip


def _name(ax: Axes, look: Look, label: str) -> None:
    size = 11 if look.marker == "*" else 6
    ax.plot([], [], marker=look.marker, markersize=size, color=look.colour, linestyle="none", label=label)
