"""Normalised values for the radar chart; outward is better. Source: Chen et al. 2022, Figure 1."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from sparsescope.results.metric import MetricResult
from sparsescope.results.pairs import Pairs
from sparsescope.results.records import Radar

__all__ = ["normalise", "ratio_to_dense"]


def normalise(metrics: Sequence[MetricResult], pairs: Pairs) -> Radar:
    """Return the radar of all verdict metrics that were measured on every model.

    With three or more models of one dense parent, min-max over the models (the paper's way: worst 0, best 1; all equal:
    1). With two it could only say 0 or 1, and of several parents it compares what is no pair, so it is the ratio to the
    own dense model: value / dense where higher is better, dense / value where lower
    is; dense lies on the unit circle. A ratio with a negative value or a divisor of 0 is undefined (None).

    Args:
        metrics: results of all metrics.
        pairs: the models, and which is compared with which.
    """
    models = pairs.models
    axes = [m for m in metrics if m.in_verdict and all(m.values[name].value is not None for name in models)]
    minmax = len(models) > 2 and len(pairs.dense) == 1
    values: dict[str, list[float | None]] = {name: [] for name in models}
    bands: dict[str, list[tuple[float, float] | None]] = {name: [] for name in models}
    for metric in axes:
        extremes = _MinMax(metric, models)
        for name in models:
            dense, up = metric.values[pairs.dense_of(name)].value, metric.higher_is_better
            scale: Callable[[float | None], float | None]
            scale = extremes if minmax else partial(ratio_to_dense, dense=dense, higher_is_better=up)
            entry = metric.values[name]
            values[name].append(scale(entry.value))
            interval = _paired_interval(metric, pairs.dense_of(name), name)
            ends = [scale(end) for end in interval] if interval else [None]
            finite = [end for end in ends if end is not None]
            bands[name].append((min(finite), max(finite)) if len(finite) == 2 else None)
    return Radar(
        normalisation="minmax" if minmax else "ratio",
        axes=tuple(metric.name for metric in axes),
        values={name: tuple(row) for name, row in values.items()},
        bands={name: tuple(row) for name, row in bands.items()},
    )


def _paired_interval(metric: MetricResult, dense: str, model: str) -> tuple[float, float] | None:
    """The interval of dense + difference: what the comparison leaves open. Dense itself, the reference, has none."""
    difference, value = metric.differences.get(model), metric.values[dense].value
    if difference is None or difference.interval is None or value is None:
        return None
    return value + difference.interval[0], value + difference.interval[1]


class _MinMax:
    def __init__(self, metric: MetricResult, models: Sequence[str]) -> None:
        found = [value for name in models if (value := metric.values[name].value) is not None]
        self.low, self.high, self.up = min(found), max(found), metric.higher_is_better

    def __call__(self, value: float | None) -> float | None:
        if value is None:
            return None
        if self.high == self.low:
            return 1.0
        position = (value - self.low) / (self.high - self.low)
        return position if self.up else 1 - position


def ratio_to_dense(value: float | None, dense: float | None, higher_is_better: bool) -> float | None:
    """Return value / dense where higher is better, dense / value where lower is: above 1 is better than dense.

    None where it is undefined: a negative value, a divisor of 0, a value that was not measured.
    """
    if value is None or dense is None:
        return None
    if value == dense:
        return 1.0
    top, bottom = (value, dense) if higher_is_better else (dense, value)
    if top < 0 or bottom <= 0 or not math.isfinite(ratio := top / bottom):
        return None
    return ratio
