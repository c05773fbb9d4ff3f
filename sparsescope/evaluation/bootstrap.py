"""Paired bootstrap: the same resampling weights for dense, sparse and every metric of the same population."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import numpy as np
from scipy import stats

from sparsescope.evaluation.broken import costs
from sparsescope.metrics.base import IntervalKind, Metric
from sparsescope.units import Estimate, FloatArray, Units, reduced, resampling_weights

__all__ = ["bootstrap", "estimate", "interval", "jackknife"]

CHUNK_ELEMENTS = 2_000_000
"""Largest weight matrix held at once, in float64 elements (16 MB)."""
BEYOND = 5
"""Replicates outside of a percentile that is read off, at least: one in 400 of 2,000."""
GROUPS = 400
"""Of units in a jackknife, at most: as many replicates."""


def bootstrap(
    measured: Sequence[tuple[Metric, Mapping[str, Units]]],
    replicates: int,
    seed: int,
    missing: Sequence[dict[str, str]] | None = None,
) -> list[dict[str, FloatArray]]:
    """Return, for each metric and model, the debiased reductions (replicates,) with resampled weights.

    Weights are made once for a chunk of replicates and every population, then used by all metrics and models, none of
    which can write to them. Metrics whose interval is by jackknife have its replicates instead, see `jackknife`.

    Args:
        measured: metrics with their units by model name.
        replicates: number of bootstrap replicates.
        seed: key of the weights.
        missing: for each metric, where to put the reason of a model whose reduction raises; None: it is raised.
    """
    results: list[dict[str, list[FloatArray]]] = [{model: [] for model in units} for _, units in measured]
    resampled = [metric.interval != "jackknife" for metric, _ in measured]
    largest = max((len(units) for _, models in measured for units in models.values()), default=1)
    size = max(1, CHUNK_ELEMENTS // largest)
    for start in range(0, replicates, size):
        chunk = range(start, min(start + size, replicates))
        weights: dict[str, FloatArray] = {}
        for index, ((metric, models), rows) in enumerate(zip(measured, results, strict=True)):
            for model in list(rows):
                if not resampled[index] and start:
                    continue
                with nullcontext() if missing is None else costs(model, missing[index]):
                    rows[model].append(
                        _resampled(metric, models[model], chunk, seed, weights)
                        if resampled[index]
                        else jackknife(metric, models[model])
                    )
                    continue
                del rows[model]  # it raised
    return [{model: np.concatenate(parts) for model, parts in rows.items()} for rows in results]


def _resampled(metric: Metric, units: Units, chunk: range, seed: int, made: dict[str, FloatArray]) -> FloatArray:
    weights = _weights(units, chunk, seed, made)
    return reduced(metric.debiased(units, weights), weights)


def jackknife(metric: Metric, units: Units) -> FloatArray:
    """Return jackknife replicates (G,) of the debiased reduction, spread so that they are a sample of its error.

    Each leaves one of at most `GROUPS` groups of a stratum's units out. Around the mean their distances d_g are
    multiplied so that the variance of the replicates is that of the jackknife, sum_h (G_h - 1) / G_h sum_g d_g^2 over
    strata h, and that of a difference of two models' replicates the variance of their difference. Source: Efron &
    Stein 1981.
    """
    deviations = []
    for name, size in units.strata.items():
        groups, rows = min(size, GROUPS), np.arange(size)
        weights = np.ones((groups, len(units)))
        weights[:, units.rows(name)] = rows % groups != np.arange(groups)[:, None]
        left = reduced(metric.debiased(units, weights), weights)
        deviations.append((left - left.mean()) * np.sqrt((groups - 1) / groups))
    spread = np.concatenate(deviations)
    uniform = units.uniform_weights()
    whole = reduced(metric.debiased(units, uniform), uniform)
    replicates: FloatArray = whole + spread * np.sqrt(max(len(spread) - 1, 1))
    return replicates


def _weights(units: Units, chunk: range, seed: int, made: dict[str, FloatArray]) -> FloatArray:
    columns = []
    for stratum, size in units.strata.items():
        key = f"{stratum}:{size}"
        if key not in made:
            made[key] = resampling_weights({stratum: size}, chunk, seed)
        columns.append(made[key])
    weights = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    weights.flags.writeable = False
    return weights


def interval(value: float, replicates: FloatArray, confidence: float, kind: IntervalKind) -> tuple[float, float] | None:
    """Return the interval: percentile (q_a, q_1-a), else normal, value ± z s (Davison & Hinkley 1997, ch. 5).

    Percentiles of which fewer than `BEYOND` replicates lie outside are not read off but extrapolated: the last that
    are, further away by the ratio of the normal quantiles. Replicates that are nan are left out; None where more than
    one in twenty are.
    """
    finite = replicates[np.isfinite(replicates)]
    if len(finite) < 0.95 * len(replicates) or len(finite) < 2:
        return None
    tail = (1 - confidence) / 2
    if kind != "percentile":
        reach = float(stats.norm.isf(tail) * np.std(finite, ddof=1))
        return value - reach, value + reach
    known = max(tail, min(BEYOND / len(finite), 0.25))
    further = float(stats.norm.isf(tail) / stats.norm.isf(known))
    low, high = (value + further * (float(q) - value) for q in np.quantile(finite, [known, 1 - known]))
    return low, high


def estimate(
    value: float,
    replicates: FloatArray,
    units: Units,
    *,
    confidence: float,
    kind: IntervalKind,
    bounds: tuple[float | None, float | None] = (None, None),
    debiased: float | None = None,
) -> Estimate:
    """Return value, interval and standard error; no interval where a stratum has one unit.

    The bootstrap interval is too narrow for few units: its ends are moved away from the value by the factor
    t / z * sqrt(n / (n - 1)), n the smallest stratum (Hesterberg 2015, section 4.1); those of the jackknife, which
    knows the variance without bias, by t / z. It is clipped to the bounds and
    always holds the value; where the value is biased, it lies around the `debiased` estimate.
    """
    centre = value if debiased is None else debiased
    smallest = min(units.strata.values())
    found = interval(centre, replicates, confidence, kind) if smallest > 1 else None
    if found is None:
        return Estimate(value, None, None, len(units), len(replicates))
    tail = (1 - confidence) / 2
    of_jackknife = kind == "jackknife"
    freedom = (min(smallest, GROUPS) if of_jackknife else smallest) - 1
    wider = float(stats.t.isf(tail, freedom) / stats.norm.isf(tail))
    if not of_jackknife:
        wider *= (smallest / (smallest - 1)) ** 0.5
    low = centre - max(centre - found[0], 0.0) * wider
    high = centre + max(found[1] - centre, 0.0) * wider
    if bounds[0] is not None:
        low = max(low, bounds[0])
    if bounds[1] is not None:
        high = min(high, bounds[1])
    error = float(np.std(replicates[np.isfinite(replicates)], ddof=1))
    return Estimate(value, (min(low, value), max(high, value)), error, len(units), len(replicates))
