"""The numbers of a sweep as CSV: full precision, sparsities as fractions, empty where there is nothing."""

from collections.abc import Iterable, Sequence
from typing import Any

from sparsescope.curves import READINGS, SweepSummary
from sparsescope.curves.records import SMALL, CurvePoint, Extreme
from sparsescope.files import csv_table
from sparsescope.results import Outcome

__all__ = ["sweep_tables"]

CURVES = (
    "method", "metric", "dimension", "unit", "higher_is_better", "target", "sparsity", "mean", "sd", "seeds",
    "dense_mean", "dense_sd", "dense_seeds", "difference", "difference_sd", "lower", "upper",
    "error_of_trainings", "error_of_images", "margin", "margin_kind",
    "outcome", "outcome_paper", "region", "region_paper", "reason", "trained_by", "epochs", "first_epoch",
)  # fmt: skip
EXTREMES = ("reading", "method", "metric", "extreme_sparsity", "next_outcome", "passes_again")
RANGES = ("reading", "method", "from", "to", "extreme_sparsity", "next_outcome", "metrics", "partial")
TWINS = (
    "method", "target", "sparsity", "parameters", "small_parameters", "metric", "mean", "sd", "seeds", "small_mean",
    "small_sd", "small_seeds", "ratio_to_dense", "small_ratio_to_dense", "difference", "difference_sd", "better",
)  # fmt: skip


def sweep_tables(summary: SweepSummary) -> dict[str, bytes]:
    """Return the CSV files by name: curves, extreme sparsities, LTH-PASS ranges, and the small dense twin if any."""
    tables = {
        "curves.csv": csv_table(CURVES, _curves(summary)),
        "extreme_sparsities.csv": csv_table(EXTREMES, _extremes(summary)),
        "pass_ranges.csv": csv_table(RANGES, _ranges(summary)),
    }
    if summary.twins:
        tables["small_dense.csv"] = csv_table(TWINS, _twins(summary))
    return tables


def _curves(summary: SweepSummary) -> Iterable[Sequence[Any]]:
    for method in summary.methods:
        ends = {reading: summary.region_end(method, reading) for reading in READINGS}
        for metric, curve in summary.curves[method].items():
            for point in curve.points:
                regions = [_region(point, ends[reading]) for reading in READINGS]
                yield _point(summary, method, metric, point, regions)
    for metric, point in summary.small.items():
        yield _point(summary, SMALL, metric, point, ["", ""])


def _point(summary: SweepSummary, method: str, metric: str, point: CurvePoint, regions: Sequence[str]) -> Sequence[Any]:
    facts = summary.metrics[metric]
    result, dense, value, difference = facts.result, facts.dense, point.value, point.difference
    return (
        method, metric, result.dimension, result.unit, str(result.higher_is_better).lower(), point.target,
        point.sparsity, value.mean, value.sd, value.n, dense.mean, dense.sd, dense.n, difference.mean, difference.sd,
        *(point.interval or (None, None)), point.of_trainings, point.of_images, result.margin, result.margin_kind,
        *(point.outcomes[reading] if result.in_verdict else _aside(point.outcomes[reading]) for reading in READINGS),
        *regions, point.reason, *_trained(summary, method),
    )  # fmt: skip


def _trained(summary: SweepSummary, method: str) -> Sequence[Any]:
    how = summary.trained.get(method)
    return ("", "", "") if how is None else (how.recipe, how.epochs, how.first)


def _aside(outcome: Outcome) -> str:
    """Return the outcome of a metric that is not in the verdict: only whether it was measured."""
    return outcome if outcome == "not evaluated" else "not in the verdict"


def _region(point: CurvePoint, end: Extreme | None) -> str:
    if end is None:
        return ""
    return "I" if end.sparsity is not None and point.sparsity <= end.sparsity else "II"


def _extremes(summary: SweepSummary) -> Iterable[Sequence[Any]]:
    for reading in READINGS:
        for method in summary.methods:
            for metric, curve in summary.curves[method].items():
                if summary.metrics[metric].result.in_verdict:
                    extreme = curve.extremes[reading]
                    again = " ".join(map(str, extreme.passes_again))
                    yield reading, method, metric, extreme.sparsity, extreme.stop, again


def _ranges(summary: SweepSummary) -> Iterable[Sequence[Any]]:
    """Yield a row for every run of neighbouring sparsities that pass; one with empty ends where none does."""
    metrics = " ".join(summary.judged)
    for reading in READINGS:
        for method in summary.methods:
            found = summary.ranges[method][reading]
            for first, last in found.runs or [(None, None)]:
                extreme = found.extreme
                partial = str(summary.partial).lower()
                yield reading, method, first, last, extreme.sparsity, extreme.stop, metrics, partial


def _twins(summary: SweepSummary) -> Iterable[Sequence[Any]]:
    for method, twin in summary.twins.items():
        for row in twin.rows:
            ticket, small = row.ticket, row.twin
            yield (
                method, twin.target, twin.sparsity, twin.ticket_parameters, twin.twin_parameters, row.metric,
                ticket.mean, ticket.sd, ticket.n, small.mean, small.sd, small.n, row.ticket_ratio, row.twin_ratio,
                row.difference.mean, row.difference.sd, "" if row.better is None else str(row.better).lower(),
            )  # fmt: skip
