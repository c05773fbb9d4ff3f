"""The picture of the verdict: every metric's difference, with its interval, as a multiple of its margin."""

from dataclasses import dataclass

from matplotlib.axes import Axes

from sparsescope.errors import InputError
from sparsescope.plots.style import (
    DIMENSION_COLOURS,
    INK,
    MUTED,
    OUTCOMES,
    PAPER,
    new_axes,
    plain_axes,
    short_number,
    shortened,
)
from sparsescope.results import DIMENSIONS, Evaluation, MetricResult, Outcome
from sparsescope.verdict import absolute_margin, judged_interval

__all__ = ["differences", "differences_height"]

LIMIT = 6.0
MARKERS: dict[Outcome, str] = {"pass": "o", "fail": "X", "inconclusive": "D", "not evaluated": "o"}


@dataclass(frozen=True)
class _Row:
    metric: MetricResult
    outcome: Outcome
    value: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""


def differences_height(evaluation: Evaluation) -> float:
    """Return how high the plot should be, in inches."""
    return 1.35 + 0.32 * max(sum(metric.in_verdict for metric in evaluation.metrics), 2)


def differences(evaluation: Evaluation, candidate: str, ax: Axes | None = None) -> Axes:
    """Draw the difference to dense of every metric in the verdict, oriented so that right is better.

    A metric passes if its interval lies right of -1 (minus one margin), fails if it lies left of it. What lies beyond
    the frame is marked by an arrow. A margin of 0 has no multiples: such a row shows its outcome in words.

    Args:
        evaluation: what to draw.
        candidate: name of the candidate.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: no metric is in the verdict.
    """
    verdict = evaluation.verdict(candidate)
    metrics = sorted(
        (m for m in evaluation.metrics if m.name in verdict.metrics), key=lambda m: DIMENSIONS.index(m.dimension)
    )
    if not metrics:
        raise InputError("Expected at least one metric in the verdict, but got none.")
    rows = [_row(evaluation, metric, candidate) for metric in metrics]
    ax = ax if ax is not None else new_axes(8.4, differences_height(evaluation))
    ends = [abs(end) for row in rows if row.interval for end in row.interval]
    limit = min(max([1.15 * end for end in ends] + [2.0]), LIMIT)
    ax.axvspan(-limit, -1, color=OUTCOMES["fail"], alpha=0.08, linewidth=0)
    ax.axvspan(-1, limit, color=OUTCOMES["pass"], alpha=0.06, linewidth=0)
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.axvline(-1, color=OUTCOMES["fail"], linewidth=1.0, linestyle=(0, (4, 3)))
    for place, text, outcome in ((-1 - limit / 60, "fails", "fail"), (-1 + limit / 60, "passes", "pass")):
        side = "right" if outcome == "fail" else "left"
        ax.text(place, -0.8, text, fontsize=8.5, color=OUTCOMES[outcome], ha=side, va="center", fontstyle="italic")
    for height, row in enumerate(rows):
        _draw_row(ax, height, row, limit)
    ax.set_yticks(range(len(rows)), [shortened(row.metric.label) for row in rows])
    ax.set(
        xlim=(-limit, limit), ylim=(len(rows) - 0.4, -1.3), xlabel="difference to dense, in margins · right is better"
    )
    ax.set_title(shortened(candidate, 60), fontsize=10, color=INK, loc="left")
    plain_axes(ax)
    ax.tick_params(axis="y", pad=10)
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_color(DIMENSION_COLOURS[row.metric.dimension])
    return ax


def _row(evaluation: Evaluation, metric: MetricResult, candidate: str) -> _Row:
    outcome = evaluation.verdict(candidate).metrics[metric.name].outcome
    difference = metric.differences[candidate]
    if difference.value is None:
        return _Row(metric, outcome, note="not evaluated")
    margin = absolute_margin(metric, evaluation.pair(candidate).dense)
    if margin <= 0:
        return _Row(metric, outcome, note=f"margin 0: {outcome}")
    value = (difference.value if metric.higher_is_better else -difference.value) / margin
    if difference.interval is None:
        return _Row(metric, outcome, value, note="no interval")
    low, high = judged_interval(metric, evaluation.pair(candidate))
    return _Row(metric, outcome, value, (low / margin - 1, high / margin - 1))


def _draw_row(ax: Axes, height: int, row: _Row, limit: float) -> None:
    colour = OUTCOMES[row.outcome]
    if row.note and row.value is None:
        ax.text(0.06, height, row.note, fontsize=8.5, color=MUTED, va="center")
        return
    assert row.value is not None
    if row.interval:
        low, high = (min(max(end, -limit), limit) for end in row.interval)
        ax.plot([low, high], [height, height], color=colour, linewidth=2.2, solid_capstyle="butt")
    if abs(row.value) > limit:
        _draw_beyond(ax, height, row.value, limit, colour)
        return
    marker = MARKERS[row.outcome]
    ax.plot([row.value], [height], marker=marker, markersize=10, color=colour, mec=PAPER, mew=0.6, zorder=3)


def _draw_beyond(ax: Axes, height: int, value: float, limit: float, colour: str) -> None:
    """Mark a value that lies beyond the frame, and write it there."""
    right = value > 0
    edge = limit if right else -limit
    ax.plot([edge], [height], marker=">" if right else "<", markersize=8, color=colour, clip_on=False, zorder=3)
    text = short_number(value, "+.0f").replace("-", "−")
    ax.text(0.965 * edge, height - 0.1, text, fontsize=8.5, color=colour, ha="right" if right else "left", va="bottom")
