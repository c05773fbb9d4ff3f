"""From what was measured of each model to a metric's units of it, or the reason why there are none."""

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.plan import Plan
from sparsescope.metrics.base import Metric
from sparsescope.results import Pairs
from sparsescope.units import Units

__all__ = ["shared", "units_of"]


def shared(results: Results, pairs: Pairs) -> None:
    """Give every name of a model what was measured under its first one; what depends on dense is measured of each."""
    for name, first in pairs.same_as.items():
        measured, reasons = results.measured[first], results.reasons[first]
        results.measured[name] |= {kind: arrays for kind, arrays in measured.items() if not kind.requires()}
        results.reasons[name] |= {kind: reason for kind, reason in reasons.items() if not kind.requires()}


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
