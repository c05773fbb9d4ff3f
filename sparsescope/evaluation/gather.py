"""From what was measured of each model to a metric's units of it, or the reason why there are none."""

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.plan import Plan
from sparsescope.metrics.base import Metric
from sparsescope.results import Pairs
from sparsescope.units import Units

__all__ = ["units_of"]


def units_of(
    metric: Metric, plan: Plan, results: Results, pairs: Pairs, benchmark: Benchmark
) -> tuple[dict[str, Units], dict[str, str]]:
    """Return the units of every model that could be measured, and the reasons of the others."""
    if metric.name in plan.reasons:
        return {}, dict.fromkeys(pairs.models, plan.reasons[metric.name])
    found: dict[str, Units] = {}
    missing: dict[str, str] = {}
    wanted = metric.measurements(benchmark)
    for name in pairs.models:
        dense = pairs.dense_of(name)
        failed = [results.reasons[model][m] for m in wanted for model in (name, dense) if m in results.reasons[model]]
        if failed:
            missing[name] = failed[0]
            continue
        with costs(name, missing):
            units = metric.units(results.measured[name], results.measured[dense], benchmark)
            if not isinstance(units, Units):
                raise TypeError(f"Expected units() to return Units, but got {units!r:.60}.")
            found[name] = units
    return found, missing
