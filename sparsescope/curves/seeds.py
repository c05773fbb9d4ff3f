"""Several seeds combined to one point of a curve, and judged by margins and as the paper does.

By margins, the question is whether the *method*, at this sparsity, matches dense on average over trainings. Where all
seeds were evaluated together as pairs, that says it (see `sparsescope.crossed`). Else the seeds' own intervals are put
together. The mean difference d over S seeds has two sources of error: trainings differ (variance s² / S over seeds,
Student's t with S - 1 degrees of freedom), and the images are a sample. All seeds meet the same images, so that error
does not shrink with S: the intervals [l_i, u_i] of the evaluations enter by the mean of their ends, as if wholly
dependent, which is never too narrow. Both are put together by squaring and adding:

    lower = d - sqrt((d - mean l_i)² + (t s / √S)²),    upper likewise.

With one seed it is the evaluation's own interval. Sources: Newcombe 1998 (method 10), Zou & Donner 2008.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from sparsescope.curves.records import CurvePoint, Reading, Spread
from sparsescope.results import Difference, MethodMetric, MetricResult, MetricValue, Outcome, Pair
from sparsescope.verdict import absolute_margin, judge, judge_as_paper

__all__ = ["SeedResult", "combine_seeds", "spread"]

MEAN = Pair(dense="dense", candidate="ticket")
"""Names of the means over seeds."""


@dataclass(frozen=True)
class SeedResult:
    """One metric of one evaluated network: the metric's result, the network with its dense parent, what was removed."""

    metric: MetricResult
    pair: Pair
    sparsity: float

    @property
    def value(self) -> float:
        """The network's value; 0 where it was not measured, which the difference tells."""
        return self.metric.values[self.pair.candidate].value or 0.0

    @property
    def difference(self) -> Difference:
        """The network minus its dense parent, not oriented."""
        return self.metric.differences[self.pair.candidate]


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation of a few numbers."""
    n = len(values)
    if not n:
        return Spread(None, None, 0)
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)) if n > 1 else None
    return Spread(mean, sd, n)


def combine_seeds(
    target: float | None,
    results: Mapping[int, SeedResult],
    expected: Sequence[int],
    *,
    confidence: float,
    tolerance: float = 0.0,
    together: MethodMetric | None = None,
) -> CurvePoint:
    """Return one metric of one method at one sparsity.

    A pass by margins needs every expected seed: a training that broke down and is left out would flatter the method.
    The paper's reading takes the means of what is there.

    Args:
        target: sparsity asked for.
        results: by seed.
        expected: seeds that should be there.
        confidence: of the intervals in the results.
        tolerance: how much worse than dense the paper's reading allows beside accuracy, in the metric's unit.
        together: the metric of all these seeds evaluated as pairs, which then gives interval and outcome.
    """
    pairs = {seed: result for seed, result in results.items() if result.difference.value is not None}
    removed = spread([result.sparsity for result in results.values()]).mean
    sparsity = (target or 0.0) if removed is None else removed
    if not pairs:
        return _nothing(target, sparsity, _reasons(results) or "no seed was evaluated")
    pooled = _pooled(list(pairs.values()), confidence)
    judged = judge(pooled, MEAN, confidence).outcome
    absent = [seed for seed in expected if seed not in pairs]
    interval = pooled.differences[MEAN.candidate].interval
    reason = "" if interval else "too few units for an interval"
    if together is not None and together.outcome is not None:
        interval, judged, reason = together.interval, together.outcome, together.reason or ""
    if absent:
        reason = f"without seed {', '.join(map(str, absent))}"
        judged = "inconclusive" if judged == "pass" else judged
    return CurvePoint(
        target=target,
        sparsity=sparsity,
        value=spread([result.value for result in pairs.values()]),
        difference=spread([result.difference.value or 0.0 for result in pairs.values()]),
        interval=interval,
        outcomes={"margins": judged, "paper": judge_as_paper(pooled, MEAN, tolerance)},
        reason=reason,
        of_trainings=_root(together.variance_trainings if together else None),
        of_images=_root(together.variance_images if together else None),
    )


def _root(variance: float | None) -> float | None:
    return None if variance is None else math.sqrt(variance)


def _nothing(target: float | None, sparsity: float, reason: str) -> CurvePoint:
    nothing = Spread(None, None, 0)
    outcomes: dict[Reading, Outcome] = {"margins": "not evaluated", "paper": "not evaluated"}
    return CurvePoint(target, sparsity, nothing, nothing, None, outcomes, reason)


def _reasons(results: Mapping[int, SeedResult]) -> str:
    entries = [
        result.metric.values[name] for result in results.values() for name in (result.pair.dense, result.pair.candidate)
    ]
    return "; ".join(dict.fromkeys(entry.reason for entry in entries if entry.reason))


def _pooled(pairs: Sequence[SeedResult], confidence: float) -> MetricResult:
    """Return the metric with the means over seeds as its values, so that the verdict's own rules judge it."""
    differences = [pair.difference for pair in pairs]
    estimates = [difference.estimate or 0.0 for difference in differences]
    mean, value = spread(estimates), spread([difference.value or 0.0 for difference in differences]).mean
    assert mean.mean is not None and value is not None
    sign = -1 if pairs[0].metric.higher_is_better else 1
    least = [sign * absolute_margin(pair.metric, pair.pair.dense) for pair in pairs]
    distances = spread([estimate - allowed for estimate, allowed in zip(estimates, least, strict=True)])
    difference = Difference(
        value=value,
        interval=_interval([difference.interval for difference in differences], mean, confidence),
        debiased=mean.mean,
        from_margin=_interval([difference.from_margin for difference in differences], distances, confidence),
        undecided=next((difference.undecided for difference in differences if difference.undecided), None),
    )
    dense = spread([each.metric.values[each.pair.dense].value or 0.0 for each in pairs]).mean
    values = {
        MEAN.dense: MetricValue(status="measured", value=dense),
        MEAN.candidate: MetricValue(status="measured", value=spread([pair.value for pair in pairs]).mean),
    }
    return pairs[0].metric.model_copy(update={"values": values, "differences": {MEAN.candidate: difference}})


def _interval(
    ends: Sequence[tuple[float, float] | None], mean: Spread, confidence: float
) -> tuple[float, float] | None:
    """Return the interval around the mean of what has these intervals; None where an evaluation has none."""
    if mean.mean is None or any(interval is None for interval in ends):
        return None
    low, high = (spread([interval[side] for interval in ends if interval]).mean or 0.0 for side in (0, 1))
    if mean.sd is None:
        return low, high
    between = float(stdtrit(mean.n - 1, 0.5 + confidence / 2)) * mean.sd / math.sqrt(mean.n)
    below, above = max(mean.mean - low, 0.0), max(high - mean.mean, 0.0)
    return mean.mean - math.hypot(below, between), mean.mean + math.hypot(above, between)
