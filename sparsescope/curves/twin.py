"""Tickets against a small dense network with about as many parameters. Source: Chen et al. 2022, Figure 11."""

from collections.abc import Mapping

from sparsescope.curves.grid import Grid
from sparsescope.curves.records import SMALL, Curve, CurvePoint, MetricFacts, Spread, TwinComparison, TwinRow
from sparsescope.curves.seeds import SeedResult, spread
from sparsescope.results import Evaluation, MetricResult, SweepPoint
from sparsescope.results.radar import ratio_to_dense

__all__ = ["compare_twins"]

Results = Mapping[tuple[str, float | None], Mapping[int, Mapping[str, SeedResult]]]


def compare_twins(
    grid: Grid,
    evaluations: Mapping[SweepPoint, Evaluation],
    results: Results,
    curves: Mapping[str, Mapping[str, Curve]],
    small: Mapping[str, CurvePoint],
    metrics: Mapping[str, MetricFacts],
) -> dict[str, TwinComparison]:
    """Return each method's tickets nearest to the twin in non-zero parameters (of two as near: the smaller), if any."""
    twin = (SMALL, None)
    twins = grid.points.get(twin, {})
    if not twins:
        return {}

    def parameters(points: Mapping[int, SweepPoint]) -> float:
        counts = [
            model.nonzero
            for point in points.values()
            for model in evaluations[point].candidates
            if model.name == point.model
        ]
        return sum(counts) / len(counts)

    wanted = parameters(twins)
    found = {}
    for method in grid.methods:
        counts = {
            target: parameters(points) for target in grid.targets if (points := grid.points.get((method, target), {}))
        }
        if not counts:
            continue
        target = min(counts, key=lambda each: (abs(counts[each] - wanted), counts[each]))
        place = grid.targets.index(target)
        rows = tuple(
            _row(metrics[metric].result, curve.points[place], small[metric], results[method, target], results[twin])
            for metric, curve in curves[method].items()
        )
        removed = [point.sparsity for point in grid.points[method, target].values()]
        found[method] = TwinComparison(method, target, sum(removed) / len(removed), counts[target], wanted, rows)
    return found


def _row(
    metric: MetricResult,
    ticket: CurvePoint,
    twin: CurvePoint,
    ticket_results: Mapping[int, Mapping[str, SeedResult]],
    twin_results: Mapping[int, Mapping[str, SeedResult]],
) -> TwinRow:
    pairs = []
    for seed in sorted(ticket_results.keys() & twin_results.keys()):
        both = [row[seed].get(metric.name) for row in (ticket_results, twin_results)]
        values = [each.value for each in both if each is not None and each.difference.value is not None]
        if len(values) == 2:
            pairs.append(values[0] - values[1])
    difference, up = spread(pairs), metric.higher_is_better
    return TwinRow(
        metric=metric.name,
        ticket=ticket.value,
        twin=twin.value,
        ticket_ratio=_ratio(ticket.value, ticket.difference, up),
        twin_ratio=_ratio(twin.value, twin.difference, up),
        difference=difference,
        better=None if not difference.mean else (difference.mean > 0) == up,
    )


def _ratio(value: Spread, difference: Spread, up: bool) -> float | None:
    """Return the ratio to the mean of the dense parents of the same seeds."""
    if value.mean is None or difference.mean is None:
        return None
    return ratio_to_dense(value.mean, value.mean - difference.mean, up)
