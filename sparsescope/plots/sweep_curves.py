"""One metric of every method along the sparsities of a sweep. Source: Chen et al. 2022, Figures 2-9."""

import math
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sparsescope.curves.records import SMALL, Curve, CurvePoint, Extreme, MetricFacts, Reading, SweepSummary
from sparsescope.errors import InputError, OptionError
from sparsescope.plots.style import DENSE, DIMENSION_COLOURS, INK, MUTED, PAPER, new_axes, plain_axes, shortened
from sparsescope.plots.sweep_style import Look, looks, method_label, remaining, sparsity_axis

__all__ = ["drawable_metrics", "sweep_curves", "sweep_panels"]

WIDE = 30.0  # values that span more than this factor are drawn on a logarithmic axis
UNKNOWN = (0, (6, 2, 1, 2))
DASHED = (0, (2.2, 1.6))
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def drawable_metrics(summary: SweepSummary, dimension: str | None = None) -> list[str]:
    """Return the metrics that were evaluated somewhere, of one dimension or all."""
    return [
        name
        for name, facts in summary.metrics.items()
        if facts.evaluated and dimension in (None, facts.result.dimension)
    ]


def sweep_curves(
    summary: SweepSummary, metric: str, ax: Axes | None = None, *, reading: Reading = "margins", legend: bool = True
) -> Axes:
    """Draw a metric of every method against sparsity: mean over seeds, and a band of one standard deviation.

    A line is solid in region I, as far as accuracy passes, and dashed in region II beyond; dash-dotted where accuracy
    was not evaluated. A marker is filled where this metric passes, and ringed at its extreme sparsity; those of a
    metric that is not in the verdict are neither. The grey dashed line is dense. Missing points leave a gap.

    Args:
        summary: what to draw.
        metric: name of the metric.
        ax: Axes to draw on; default: those of a new figure.
        reading: by margins, or as the paper.
        legend: name the methods.

    Raises:
        OptionError: no such metric.
        InputError: the metric was evaluated nowhere.
    """
    if metric not in summary.metrics:
        raise OptionError(f"Expected one of {list(summary.metrics)}, but got {metric!r}.")
    facts = summary.metrics[metric]
    if not facts.evaluated:
        raise InputError(f"Expected {metric!r} to be evaluated, but no network of the sweep has it.")
    ax = ax if ax is not None else new_axes(5.8, 5.0)
    factor, unit = _scaling(facts)
    _draw_dense(ax, facts, factor)
    for method, look in looks(summary).items():
        if method != SMALL:
            curve = summary.curves[method][metric]
            _draw_lines(ax, curve, look, factor, summary.region_end(method, reading))
            _draw_points(ax, curve, look, factor, reading if facts.result.in_verdict else None)
    _draw_small(ax, summary, metric, factor, reading if facts.result.in_verdict else None)
    _frame(ax, summary, metric, factor, unit)
    if legend:
        ax.legend(
            handles=_handles(summary, reading), loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4, frameon=False,
            fontsize=8, labelcolor=INK,
        )  # fmt: skip
    return ax


def sweep_panels(summary: SweepSummary, dimension: str, reading: Reading = "margins") -> Figure:
    """Return a figure with the curves of every metric of a dimension, and one legend below.

    Raises:
        InputError: no metric of the dimension was evaluated.
    """
    names = drawable_metrics(summary, dimension)
    if not names:
        raise InputError(f"Expected a metric of {dimension!r} to be evaluated, but the sweep has none.")
    columns = min(len(names), 2 if len(names) in (2, 4) else 3)
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(max(4.3 * columns, 6.4), 3.3 * rows + 0.75), layout="constrained")
    for place, name in enumerate(names, start=1):
        sweep_curves(summary, name, figure.add_subplot(rows, columns, place), reading=reading, legend=False)
    handles = _handles(summary, reading)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(7, 2 + 2 * columns), frameon=False, fontsize=8.5,
        labelcolor=INK, handlelength=2.4,
    )  # fmt: skip
    return figure


def _scaling(facts: MetricFacts) -> tuple[float, str]:
    """Return what values are multiplied with, and their unit then: percent for shares, else a power of a thousand."""
    size, unit = abs(facts.dense.mean or 0.0), facts.result.unit
    if facts.result.in_percent:
        return 100.0, "%"
    if not size or 0.01 <= size < 1e5:
        return 1.0, unit
    exponent = 3 * math.floor(math.log10(size) / 3)
    return 10.0**-exponent, f"10{str(exponent).translate(SUPERSCRIPT)} {unit}"


def _draw_dense(ax: Axes, facts: MetricFacts, factor: float) -> None:
    if facts.dense.mean is None:
        return
    mean, sd = factor * facts.dense.mean, factor * (facts.dense.sd or 0.0)
    if sd:
        ax.axhspan(mean - sd, mean + sd, color=DENSE, alpha=0.1, linewidth=0, zorder=1)
    ax.axhline(mean, color=DENSE, linewidth=1.3, linestyle=(0, (5, 3)), zorder=2, label="dense")


def _draw_lines(ax: Axes, curve: Curve, look: Look, factor: float, region: Extreme | None) -> None:
    for left, right in pairwise(curve.points):
        if left.value.mean is not None and right.value.mean is not None:
            _draw_segment(ax, left, right, look, factor, _line(right, region))


def _draw_points(ax: Axes, curve: Curve, look: Look, factor: float, reading: Reading | None) -> None:
    for point in curve.points:
        if point.value.mean is None:
            continue
        _draw_point(ax, point, look, factor, reading)
        if reading and point.sparsity == curve.extremes[reading].sparsity:
            ax.plot(
                [remaining(point.sparsity)], [factor * point.value.mean], marker="o", markersize=12, mfc="none",
                color=look.colour, mew=1.1, linestyle="none", zorder=6, label="_extreme",
            )  # fmt: skip


def _line(point: CurvePoint, region: Extreme | None) -> object:
    """Return the line that leads to a point: solid in region I, dashed in region II."""
    if region is None:
        return UNKNOWN
    return "-" if region.sparsity is not None and point.sparsity <= region.sparsity else DASHED


def _draw_segment(ax: Axes, left: CurvePoint, right: CurvePoint, look: Look, factor: float, line: object) -> None:
    x = [remaining(left.sparsity), remaining(right.sparsity)]
    means = [factor * (point.value.mean or 0.0) for point in (left, right)]
    spreads = [factor * (point.value.sd or 0.0) for point in (left, right)]
    ax.plot(x, means, color=look.colour, linewidth=1.7, linestyle=line, zorder=4, solid_capstyle="round")
    if any(spreads):
        low, high = ([mean + sign * sd for mean, sd in zip(means, spreads, strict=True)] for sign in (-1, 1))
        ax.fill_between(x, low, high, color=look.colour, alpha=0.1, linewidth=0, zorder=3)


def _draw_point(ax: Axes, point: CurvePoint, look: Look, factor: float, reading: Reading | None) -> None:
    passes = reading is None or point.outcomes[reading] == "pass"
    x, y = remaining(point.sparsity), factor * (point.value.mean or 0.0)
    ax.plot(
        [x], [y], marker=look.marker, markersize=9 if look.marker == "*" else 5.5, color=look.colour,
        mfc=look.colour if passes else PAPER, mec=look.colour, mew=1.1, linestyle="none", zorder=5, label="_point",
    )  # fmt: skip


def _draw_small(ax: Axes, summary: SweepSummary, metric: str, factor: float, reading: Reading | None) -> None:
    point = summary.small.get(metric)
    if point is None or point.value.mean is None:
        return
    look = looks(summary)[SMALL]
    if point.value.sd:
        x, y, sd = remaining(point.sparsity), factor * point.value.mean, factor * point.value.sd
        ax.plot([x, x], [y - sd, y + sd], color=look.colour, linewidth=1.1, zorder=4)
    _draw_point(ax, point, look, factor, reading)


def _frame(ax: Axes, summary: SweepSummary, metric: str, factor: float, unit: str) -> None:
    """Draw axes, title and unit; values that span a wide range get a logarithmic axis."""
    points = [point for row in summary.curves.values() for point in row[metric].points]
    small = [summary.small[metric].sparsity] if metric in summary.small else []
    sparsity_axis(ax, [point.target or 0.0 for point in points], [*(point.sparsity for point in points), *small])
    result = summary.metrics[metric].result
    title = f"{shortened(result.label)} {'↑' if result.higher_is_better else '↓'}"
    ax.set_title(title, fontsize=10.5, color=DIMENSION_COLOURS[result.dimension], loc="left", fontweight="bold")
    ax.set_title(shortened(unit), fontsize=9, color=MUTED, loc="right")
    plain_axes(ax, grid="both")
    values = [factor * point.value.mean for point in points if point.value.mean is not None]
    if values and min(values) > 0 and max(values) / min(values) > WIDE:
        ax.set_yscale("log")


def _handles(summary: SweepSummary, reading: Reading) -> list[Line2D]:
    """Return the legend: methods, dense, then how lines and markers are read."""
    found = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=5.5, linewidth=1.7, label=method_label(method))
        for method, look in looks(summary).items()
        if method != SMALL
    ]
    if summary.small:
        look = looks(summary)[SMALL]
        label = method_label(SMALL)
        found.append(Line2D([], [], color=look.colour, marker=look.marker, markersize=9, linestyle="none", label=label))
    found.append(Line2D([], [], color=DENSE, linewidth=1.3, linestyle=(0, (5, 3)), label="dense"))
    if all(summary.region_end(method, reading) is None for method in summary.methods):
        found.append(Line2D([], [], color=MUTED, linewidth=1.7, linestyle=UNKNOWN, label="region unknown"))
    else:
        found.append(Line2D([], [], color=MUTED, linewidth=1.7, label="region I"))
        found.append(Line2D([], [], color=MUTED, linewidth=1.7, linestyle=DASHED, label="region II"))
    marks: dict[str, dict[str, Any]] = {
        "metric passes": {"mfc": MUTED},
        "does not pass": {"mfc": PAPER},
        "extreme sparsity": {"mfc": "none", "markersize": 11},
    }
    for label, look_of in marks.items():
        style: dict[str, Any] = {"markersize": 5.5, "mec": MUTED, **look_of}
        found.append(Line2D([], [], color=MUTED, marker="o", linestyle="none", label=label, **style))
    return found
