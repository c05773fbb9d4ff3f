"""Paired bootstrap: the same resampling weights for dense, sparse and every metric of the same population."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from sparsescope.metrics.base import Metric
from sparsescope.units import Estimate, FloatArray, Units, resampling_weights

__all__ = ["bootstrap", "estimate", "interval"]

CHUNK_ELEMENTS = 2_000_000
"""Largest weight matrix held at once, in float64 elements (16 MB)."""


def bootstrap(
    measured: Sequence[tuple[Metric, Mapping[str, Units]]], replicates: int, seed: int
) -> list[dict[str, FloatArray]]:
    """Return, for each metric and model, the reductions (replicates,) with resampled weights.

    Weights are made once for a chunk of replicates and every population, then used by all metrics and models.

    Args:
        measured: metrics with their units by model name.
        replicates: number of bootstrap replicates.
        seed: key of the weights.
    """
    results: list[dict[str, list[FloatArray]]] = [{model: [] for model in units} for _, units in measured]
    largest = max((len(units) for _, models in measured for units in models.values()), default=1)
    size = max(1, CHUNK_ELEMENTS // largest)
    for start in range(0, replicates, size):
        chunk = range(start, min(start + size, replicates))
        weights: dict[str, FloatArray] = {}
        for (metric, models), rows in zip(measured, results, strict=True):
            for model, units in models.items():
                rows[model].append(np.asarray(metric.reduce(units, _weights(units, chunk, seed, weights))))
    return [{model: np.concatenate(parts) for model, parts in rows.items()} for rows in results]


def _weights(units: Units, chunk: range, seed: int, made: dict[str, FloatArray]) -> FloatArray:
    columns = []
    for stratum, size in units.strata.items():
        key = f"{stratum}:{size}"
        if key not in made:
            made[key] = resampling_weights({stratum: size}, chunk, seed)
        columns.append(made[key])
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)


def interval(
    value: float, replicates: FloatArray, confidence: float, kind: Literal["percentile", "basic"]
) -> tuple[float, float] | None:
    """Return the bootstrap interval: percentile (q_a, q_1-a) or basic, 2 value - q (Davison & Hinkley 1997, ch. 5).

    Replicates that are nan are left out; None where more than one in twenty are.
    """
    finite = replicates[np.isfinite(replicates)]
    if len(finite) < 0.95 * len(replicates) or len(finite) < 2:
        return None
    tail = (1 - confidence) / 2
    low, high = (float(q) for q in np.quantile(finite, [tail, 1 - tail]))
    return (low, high) if kind == "percentile" else (2 * value - high, 2 * value - low)


def estimate(
    value: float,
    replicates: FloatArray,
    units: Units,
    *,
    confidence: float,
    kind: Literal["percentile", "basic"],
    bounds: tuple[float | None, float | None] = (None, None),
) -> Estimate:
    """Return value, interval (clipped to the bounds) and standard error; no interval where a stratum has one unit."""
    found = interval(value, replicates, confidence, kind) if min(units.strata.values()) > 1 else None
    if found is None:
        return Estimate(value, None, None, len(units), len(replicates))
    low = -np.inf if bounds[0] is None else bounds[0]
    high = np.inf if bounds[1] is None else bounds[1]
    clipped = (float(np.clip(found[0], low, high)), float(np.clip(found[1], low, high)))
    error = float(np.std(replicates[np.isfinite(replicates)], ddof=1))
    return Estimate(value, clipped, error, len(units), len(replicates))
