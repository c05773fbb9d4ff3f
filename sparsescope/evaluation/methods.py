"""One metric of a method: the mean difference of its pairs, and how sure that is over new trainings and new images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from sparsescope.crossed import FEWEST, Components
from sparsescope.evaluation.bootstrap import estimate
from sparsescope.evaluation.differences import Reduced
from sparsescope.metrics.base import Metric
from sparsescope.proportions import score_interval
from sparsescope.results.records import MarginKind
from sparsescope.units import FloatArray

__all__ = ["Averaged", "averaged"]

Sides = tuple[Reduced, Reduced]
"""A candidate's units by one metric, and those of its dense model."""


@dataclass(frozen=True)
class Averaged:
    """The mean over trainings of candidate - dense, not oriented.

    Args:
        value: of the values.
        estimate: of the estimates without bias, around which the intervals lie.
        interval: of the difference, over new trainings and new images; None where there is none.
        components: the parts of its variance; None likewise.
        from_margin: with a relative margin, the interval of the distance from it.
        from_margin_components: the parts of that one's variance.
    """

    value: float
    estimate: float
    interval: tuple[float, float] | None
    components: Components | None
    from_margin: tuple[float, float] | None = None
    from_margin_components: Components | None = None

    @property
    def standard_error(self) -> float | None:
        """Of the estimate."""
        return None if self.components is None else math.sqrt(self.components.variance)

    @property
    def judged(self) -> Components | None:
        """The parts of the variance of what the verdict compares."""
        return self.components if self.from_margin is None else self.from_margin_components


def averaged(
    metric: Metric,
    trainings: Sequence[Sequence[Sides]],
    *,
    margin: float,
    margin_kind: MarginKind,
    confidence: float,
) -> Averaged:
    """Return the mean difference of several trainings on the same units, with its interval.

    Args:
        metric: of all models.
        trainings: for each, candidate and dense of its pairs, which count by their mean.
        margin: how much worse than dense still counts as a match.
        margin_kind: in the metric's unit, or a fraction of the dense value.
        confidence: level of the intervals.
    """
    value, centre, interval, components = _mean(metric, trainings, confidence, metric.share_of)
    lowest, highest = metric.bounds
    if interval is not None and lowest is not None and highest is not None:
        interval = max(interval[0], lowest - highest), min(interval[1], highest - lowest)
    if margin_kind == "absolute":
        return Averaged(value, centre, interval, components)
    share = margin if metric.higher_is_better else -margin
    least = [[(own, dense.worse_by(share)) for own, dense in pairs] for pairs in trainings]
    _, _, from_margin, about_margin = _mean(metric, least, confidence, None)
    return Averaged(value, centre, interval, components, from_margin, about_margin)


def _mean(
    metric: Metric, trainings: Sequence[Sequence[Sides]], confidence: float, share_of: str | None
) -> tuple[float, float, tuple[float, float] | None, Components | None]:
    """Return mean of values, mean of estimates, the latter's interval and the parts of its variance.

    Each end has the reach of what images do to the mean of these trainings, as the metric's own kind of interval has it
    (percentiles, score …), for its part of the variance. A share of images reaches at least as far as that interval:
    where few images differ, trainings that agree by chance say nothing.
    """
    value = float(np.mean([np.mean([own.value - other.value for own, other in pairs]) for pairs in trainings]))
    differences = np.array([np.mean([own.debiased - other.debiased for own, other in pairs]) for pairs in trainings])
    draws = np.stack(
        [np.mean([own.replicates - other.replicates for own, other in pairs], axis=0) for pairs in trainings]
    )
    centre, units = float(differences.mean()), trainings[0][0][0].units
    of_images = estimate(centre, draws.mean(axis=0), units, confidence=confidence, kind=metric.interval).interval
    alike = all(side.units.strata == units.strata for pairs in trainings for pair in pairs for side in pair)
    if of_images is None or len(trainings) < FEWEST or not alike:  # replicates of other units have other weights
        return value, centre, None, None
    n = min(units.strata.values())
    covariance = np.cov(draws[:, np.isfinite(draws).all(axis=0)])
    covariance *= 1.0 if metric.interval == "jackknife" else n / (n - 1)
    found, of_mean = Components.of(differences, covariance, n), float(covariance.mean())
    if share_of is not None:
        of_images = _of_shares(share_of, trainings, covariance, confidence)
    t, reaches = float(stdtrit(n - 1, 0.5 + confidence / 2)), []
    for reach in (centre - of_images[0], of_images[1] - centre):
        own = (reach / t) ** 2
        side = replace(found, shared=found.shared * own / of_mean if of_mean > 0 else own)
        reaches.append(max(side.reach(confidence), reach if share_of is not None else 0.0))
    return value, centre, (min(centre - reaches[0], value), max(centre + reaches[1], value)), found


def _of_shares(
    name: str, trainings: Sequence[Sequence[Sides]], covariance: FloatArray, confidence: float
) -> tuple[float, float]:
    """Return the score interval of the mean difference of shares, of these trainings on other images.

    It is that of the mean numbers of units lost and gained, on as many units as make its variance that of the mean:
    all pairs' units where their differences have nothing in common, those of one pair where they are the same, and
    where none differs.
    """
    counts = np.array(
        [
            np.mean([(_right(name, other, own), _right(name, own, other)) for own, other in pairs], axis=0)
            for pairs in trainings
        ]
    )
    n, single, mean = len(trainings[0][0][0].units), float(np.trace(covariance)) / len(covariance), covariance.mean()
    times = float(np.clip(single / mean, 1, len(covariance))) if mean > 0 else 1.0
    lost, gained = counts.mean(axis=0) * times
    low, high = score_interval(lost, gained, n * times, confidence)
    return float(low), float(high)


def _right(name: str, one: Reduced, other: Reduced) -> int:
    """Return how many units only one of two models gets right."""
    return int((one.units[name] & ~other.units[name]).sum())
