"""The figures of a sweep by the names of their files."""

from matplotlib.figure import Figure

from sparsescope import plots
from sparsescope.curves import READINGS, SweepSummary
from sparsescope.curves.records import Reading
from sparsescope.plots.style import top_figure
from sparsescope.plots.sweep_curves import drawable_metrics
from sparsescope.reporting.incomplete import Failures
from sparsescope.results import DIMENSIONS

__all__ = ["FIGURES", "sweep_figures"]

_TITLES: dict[str, str] = {
    "pass-ranges": "Where every metric passes, by method",
    "extreme-sparsities": "The largest sparsity up to which each metric passes, by method",
    **{name: f"Metrics of {name} against sparsity, by method" for name in DIMENSIONS},
}
FIGURES = (*(f"{name}-{reading}" for name in _TITLES for reading in READINGS), "small-dense")
"""Names of all figures that a sweep may have."""


def sweep_figures(summary: SweepSummary, failures: Failures) -> dict[str, tuple[Figure, str]]:
    """Return every figure that has something to show, with its description; all but one once for each reading.

    Args:
        summary: what to draw.
        failures: where to put what could not be drawn.
    """
    drawn: dict[str, tuple[Figure, str]] = {}
    if not summary.methods or not drawable_metrics(summary):
        return drawn
    for reading in READINGS:
        by = "by margins" if reading == "margins" else "as the paper reads it"
        for name, title in _TITLES.items():
            if name in DIMENSIONS and not drawable_metrics(summary, name):
                continue
            with failures.of(f"The figure {name}-{reading}"):
                drawn[f"{name}-{reading}"] = _drawn(summary, name, reading), f"{title}, {by}"
    if any(row.twin_ratio is not None for twin in summary.twins.values() for row in twin.rows):
        with failures.of("The figure small-dense"):
            figure = top_figure(plots.twin_comparison(summary))
            drawn["small-dense"] = figure, "Tickets and a small dense network of their size, relative to dense"
    return drawn


def _drawn(summary: SweepSummary, name: str, reading: Reading) -> Figure:
    if name in DIMENSIONS:
        return plots.sweep_panels(summary, name, reading)
    draw = plots.pass_ranges if name == "pass-ranges" else plots.extreme_sparsities
    return top_figure(draw(summary, reading=reading))
