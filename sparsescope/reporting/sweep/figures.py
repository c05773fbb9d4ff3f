"""The figures of a sweep by the names of their files."""

from matplotlib.figure import Figure

from sparsescope import plots
from sparsescope.curves import READINGS, SweepSummary
from sparsescope.plots.style import top_figure
from sparsescope.plots.sweep_curves import drawable_metrics
from sparsescope.results import DIMENSIONS

__all__ = ["FIGURES", "sweep_figures"]

_TITLES: dict[str, str] = {
    "pass-ranges": "Where every metric passes, by method",
    "extreme-sparsities": "The largest sparsity up to which each metric passes, by method",
    **{name: f"Metrics of {name} against sparsity, by method" for name in DIMENSIONS},
}
FIGURES = (*(f"{name}-{reading}" for name in _TITLES for reading in READINGS), "small-dense")
"""Names of all figures that a sweep may have."""


def sweep_figures(summary: SweepSummary) -> dict[str, tuple[Figure, str]]:
    """Return every figure that has something to show, with its description; all but one once for each reading."""
    drawn: dict[str, tuple[Figure, str]] = {}
    if not summary.methods or not drawable_metrics(summary):
        return drawn
    for reading in READINGS:
        by = "by margins" if reading == "margins" else "as the paper reads it"
        figures: dict[str, Figure] = {
            "pass-ranges": top_figure(plots.pass_ranges(summary, reading=reading)),
            "extreme-sparsities": top_figure(plots.extreme_sparsities(summary, reading=reading)),
            **{
                name: plots.sweep_panels(summary, name, reading)
                for name in DIMENSIONS
                if drawable_metrics(summary, name)
            },
        }
        drawn |= {f"{name}-{reading}": (figure, f"{_TITLES[name]}, {by}") for name, figure in figures.items()}
    if any(row.twin_ratio is not None for twin in summary.twins.values() for row in twin.rows):
        figure = top_figure(plots.twin_comparison(summary))
        drawn["small-dense"] = figure, "Tickets and a small dense network of their size, relative to dense"
    return drawn
