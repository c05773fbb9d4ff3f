"""A sweep and its evaluations summarised: see `SweepSummary`."""

from collections.abc import Mapping, Sequence

from sparsescope.curves.extremes import extreme_sparsity, pass_range
from sparsescope.curves.grid import Grid
from sparsescope.curves.records import (
    READINGS,
    SMALL,
    Curve,
    CurvePoint,
    MetricFacts,
    PassRange,
    Reading,
    SweepSummary,
)
from sparsescope.curves.seeds import SeedResult, combine_seeds, spread
from sparsescope.curves.twin import compare_twins
from sparsescope.errors import InputError
from sparsescope.results import DIMENSIONS, Evaluation, Method, MetricResult, Sweep, SweepPoint

__all__ = ["summarise"]

Evaluations = Mapping[SweepPoint, Evaluation]
Place = tuple[str, float | None]


def summarise(
    sweep: Sweep,
    evaluations: Evaluations,
    *,
    paper_tolerance: float = 0.0,
    over_seeds: Mapping[str, Method] | None = None,
) -> SweepSummary:
    """Return curves, extreme sparsities, LTH-PASS ranges and the small dense twin's comparison of a sweep.

    Args:
        sweep: the record of what was evaluated.
        evaluations: of every point, as `sweep.evaluations(folder)` gives them.
        paper_tolerance: how much worse than dense the paper's reading allows beside accuracy, in each metric's unit.
        over_seeds: what all seeds of a network together say, by its name, as `sweep.over_seeds(folder)` gives it.

    Raises:
        InputError: nothing was evaluated yet, or a network is listed twice or missing from its evaluation.
    """
    _check(sweep, evaluations)
    grid = Grid.of(sweep)
    results = _results(grid, evaluations)
    metrics = _metrics(evaluations)
    confidence = next(iter(evaluations.values())).confidence

    def combined(method: str, target: float | None, metric: str) -> CurvePoint:
        found = {seed: row[metric] for seed, row in results.get((method, target), {}).items() if metric in row}
        names = {point.model for point in grid.points.get((method, target), {}).values()}
        known = next((over_seeds[name] for name in names if over_seeds and name in over_seeds), None)
        together = known.metrics.get(metric) if known else None
        return combine_seeds(
            target, found, grid.seeds, confidence=confidence, tolerance=paper_tolerance, together=together
        )

    curves = {
        method: {metric: _curve([combined(method, target, metric) for target in grid.targets]) for metric in metrics}
        for method in grid.methods
    }
    small = {metric: combined(SMALL, None, metric) for metric in metrics} if (SMALL, None) in results else {}
    policy = [name for name, facts in metrics.items() if facts.result.in_verdict]
    unevaluated = tuple(name for name in policy if not metrics[name].evaluated)
    judged = [name for name in policy if name not in unevaluated]
    return SweepSummary(
        name=sweep.name,
        methods=grid.methods,
        seeds=grid.seeds,
        confidence=confidence,
        tolerance=paper_tolerance,
        metrics=metrics,
        curves=curves,
        ranges={method: _ranges(row, judged) for method, row in curves.items()},
        twins=compare_twins(grid, evaluations, results, curves, small, metrics),
        small=small,
        missing=grid.missing,
        unevaluated=unevaluated,
        trained={name: sweep.trained[name] for name in ("dense", SMALL, *grid.methods) if name in sweep.trained},
        partial=bool(unevaluated) or any(_partial(evaluation) for evaluation in evaluations.values()),
    )


def _check(sweep: Sweep, evaluations: Evaluations) -> None:
    if not sweep.points:
        raise InputError(f"Expected at least one evaluated network in the sweep {sweep.name!r}, but got none.")
    for point in sweep.points:
        if point.model not in {model.name for model in evaluations[point].candidates}:
            raise InputError(f"Expected {point.evaluation} to hold a candidate {point.model!r}, but it has none.")


def _results(grid: Grid, evaluations: Evaluations) -> dict[Place, dict[int, dict[str, SeedResult]]]:
    """Return place -> seed -> metric -> result."""
    return {
        place: {
            seed: {
                metric.name: SeedResult(metric, evaluations[point].pair(point.model), point.sparsity)
                for metric in evaluations[point].metrics
            }
            for seed, point in seeds.items()
        }
        for place, seeds in grid.points.items()
        if seeds
    }


def _metrics(evaluations: Evaluations) -> dict[str, MetricFacts]:
    """Return what is known of every metric; dense has one value a seed, that of the seed's first evaluation."""
    found: dict[str, list[SweepPoint]] = {}
    for point, evaluation in evaluations.items():
        for metric in evaluation.metrics:
            found.setdefault(metric.name, []).append(point)
    facts = [_facts(name, points, evaluations) for name, points in found.items()]
    facts.sort(key=lambda each: DIMENSIONS.index(each.result.dimension))
    return {each.result.name: each for each in facts}


def _facts(name: str, points: Sequence[SweepPoint], evaluations: Evaluations) -> MetricFacts:
    values: dict[int, float] = {}
    for point in points:
        value = evaluations[point][name].values[evaluations[point].pair(point.model).dense].value
        if value is not None:
            values.setdefault(point.seed, value)
    measured = [point for point in points if _differs(evaluations[point][name])]
    first = (measured or points)[0]
    dense = evaluations[first].pair(first.model).dense
    return MetricFacts(evaluations[first][name], dense, spread(list(values.values())), bool(measured))


def _differs(metric: MetricResult) -> bool:
    return any(difference.value is not None for difference in metric.differences.values())


def _curve(points: Sequence[CurvePoint]) -> Curve:
    extremes = {
        reading: extreme_sparsity([(point.sparsity, point.outcomes[reading]) for point in points])
        for reading in READINGS
    }
    return Curve(tuple(points), extremes)


def _ranges(row: Mapping[str, Curve], metrics: Sequence[str]) -> dict[Reading, PassRange]:
    return {reading: pass_range({name: row[name].points for name in metrics}, reading) for reading in READINGS}


def _partial(evaluation: Evaluation) -> bool:
    return any(verdict.partial for verdict in evaluation.verdicts.values())
