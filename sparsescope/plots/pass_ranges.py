"""Where every metric passes: one row per method along the sparsities of a sweep."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sparsescope.curves.records import PassRange, Reading, SweepSummary
from sparsescope.errors import InputError
from sparsescope.plots.style import GRID, INK, MUTED, OUTCOMES, PAPER, new_axes, plain_axes
from sparsescope.plots.sweep_style import looks, method_label, percent_removed, remaining, sparsity_axis
from sparsescope.results import Outcome

__all__ = ["pass_ranges", "runs_text"]

MARKERS: dict[Outcome, str] = {"pass": "o", "fail": "X", "inconclusive": "D", "not evaluated": "o"}
LABELS: dict[Outcome, str] = {
    "pass": "every metric passes",
    "fail": "a metric fails",
    "inconclusive": "not decided",
    "not evaluated": "not evaluated",
}


def runs_text(found: PassRange) -> str:
    """Return the sparsities at which every metric passes, in percent, such as `20–48.8 %`; `none` for none."""
    runs = [dict.fromkeys(map(percent_removed, run)) for run in found.runs]
    return f"{', '.join('–'.join(run) for run in runs)} %" if runs else "none"


def pass_ranges(summary: SweepSummary, ax: Axes | None = None, *, reading: Reading = "margins") -> Axes:
    """Draw a bar over the sparsities at which every metric passes, and at each sparsity the outcome of all together.

    Args:
        summary: what to draw.
        ax: Axes to draw on; default: those of a new figure.
        reading: by margins, or as the paper.

    Raises:
        InputError: the sweep has no method.
    """
    if not summary.methods:
        raise InputError("Expected at least one pruning method in the sweep, but got none.")
    ax = ax if ax is not None else new_axes(7.8, 1.35 + 0.36 * len(summary.methods))
    ranges = [summary.ranges[method][reading] for method in summary.methods]
    for row, (method, found) in enumerate(zip(summary.methods, ranges, strict=True)):
        _draw_row(ax, row, found, looks(summary)[method].colour)
    curves = [curve for row in summary.curves.values() for curve in row.values()]
    targets = [point.target or 0.0 for curve in curves for point in curve.points]
    sparsity_axis(ax, targets, [point.sparsity for found in ranges for point in found.points])
    ax.set_yticks(range(len(ranges)), [method_label(method) for method in summary.methods])
    ax.set_ylim(len(ranges) - 0.4, -0.6)
    plain_axes(ax, grid="x")
    ax.tick_params(axis="y", labelsize=9.5, labelcolor=INK)
    seen = {point.outcome for found in ranges for point in found.points}
    handles = [
        Line2D([], [], linestyle="none", markersize=7, label=label, **_mark(outcome))
        for outcome, label in LABELS.items()
        if outcome in seen
    ]
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.55 / len(ranges) - 0.06), ncols=4, frameon=False,
        fontsize=8.5, labelcolor=MUTED,
    )  # fmt: skip
    return ax


def _draw_row(ax: Axes, row: int, found: PassRange, colour: str) -> None:
    ends = [remaining(point.sparsity) for point in found.points]
    if ends:
        ax.plot([ends[0], ends[-1]], [row, row], color=GRID, linewidth=1.2, zorder=1)
    for first, last in found.runs:
        x = [remaining(first), remaining(last)]
        ax.plot(x, [row, row], color=colour, linewidth=11, alpha=0.85, solid_capstyle="round", zorder=2, label="_run")
    ax.text(
        1.02, row, runs_text(found), transform=ax.get_yaxis_transform(), fontsize=8.5, va="center",
        color=INK if found.runs else MUTED,
    )  # fmt: skip
    for point in found.points:
        ax.plot(
            [remaining(point.sparsity)], [row], linestyle="none", markersize=7, zorder=3, label="_outcome",
            **_mark(point.outcome, inside=point.outcome == "pass"),
        )  # fmt: skip


def _mark(outcome: Outcome, *, inside: bool = False) -> dict[str, Any]:
    colour = OUTCOMES[outcome]
    face = PAPER if outcome == "not evaluated" or inside else colour
    return {"marker": MARKERS[outcome], "color": colour, "mfc": face, "mec": PAPER if face == colour else colour}
