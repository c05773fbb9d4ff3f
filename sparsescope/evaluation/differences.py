"""What a candidate's difference to dense is, how sure that is, and what the verdict compares with the margin."""

from dataclasses import dataclass, replace

import numpy as np

from sparsescope.errors import DefinitionError
from sparsescope.evaluation.bootstrap import estimate
from sparsescope.metrics.base import Metric
from sparsescope.proportions import score_interval
from sparsescope.results import Difference
from sparsescope.results.records import MarginKind
from sparsescope.units import Estimate, FloatArray, Units, reduced

__all__ = ["Reduced", "difference"]

ENOUGH_ALIKE = 381
"""Of so many units that agree, fewer than one in a hundred others differ (95 %, score interval)."""


@dataclass(frozen=True)
class Reduced:
    """One model's units by one metric: its value, the estimate without bias, and the replicates (R,) of the latter."""

    units: Units
    value: float
    debiased: float
    replicates: FloatArray

    @classmethod
    def of(cls, metric: Metric, units: Units, replicates: FloatArray) -> "Reduced":
        """Return what a metric makes of units; the value may be nan."""
        uniform = units.uniform_weights()
        debiased = float(reduced(metric.debiased(units, uniform), uniform))
        return cls(units, metric.value(units), debiased, replicates)

    def worse_by(self, share: float) -> "Reduced":
        """Return the least that still matches this: less by a share of its size, more where that is negative."""
        return replace(
            self,
            value=self.value - share * abs(self.value),
            debiased=self.debiased - share * abs(self.debiased),
            replicates=self.replicates - share * np.abs(self.replicates),
        )


def difference(
    metric: Metric,
    own: Reduced,
    dense: Reduced,
    *,
    margin: float,
    margin_kind: MarginKind,
    confidence: float,
    same: bool = False,
) -> Difference:
    """Return candidate - dense with its interval, and for a relative margin that of the distance from it.

    Args:
        metric: of both.
        own: the candidate's.
        dense: the dense model's, of the same units.
        margin: how much worse than dense still counts as a match.
        margin_kind: in the metric's unit, or a fraction of the dense value.
        confidence: level of the intervals.
        same: whether the two are one model, bit for bit.
    """
    found = _minus(metric, own, dense, confidence)
    interval, lost, gained = found.interval, None, None
    if metric.share_of is not None:
        lost, gained = _changed(metric, own, dense)
        if interval is not None and not same:
            low, high = score_interval(lost, gained, len(own.units), confidence)
            interval = float(low), float(high)
    from_margin = None
    if margin_kind == "relative":
        from_margin = _minus(metric, own, dense.worse_by(margin if metric.higher_is_better else -margin), confidence)
    centre = own.debiased - dense.debiased
    return Difference(
        value=found.value,
        interval=interval,
        standard_error=found.standard_error,
        debiased=None if centre == found.value else centre,
        from_margin=from_margin.interval if from_margin else None,
        lost=lost,
        gained=gained,
        undecided=None if same else _undecided(metric, own, dense, found),
    )


def _minus(metric: Metric, own: Reduced, other: Reduced, confidence: float) -> Estimate:
    return estimate(
        own.value - other.value,
        own.replicates - other.replicates,
        own.units,
        confidence=confidence,
        kind=metric.interval,
        debiased=own.debiased - other.debiased,
    )


def _changed(metric: Metric, own: Reduced, dense: Reduced) -> tuple[int, int]:
    """Return how many units only dense, and how many only the candidate, gets right."""
    assert metric.share_of is not None
    right, was_right = own.units[metric.share_of], dense.units[metric.share_of]
    if right.dtype != bool or not np.isclose(right.mean(), own.value, rtol=0, atol=1e-9):
        raise DefinitionError(
            f"Expected the value of {metric.name} to be the share of units with {metric.share_of!r}, as its share_of "
            f"says, but got {own.value} where the array, of {right.dtype}, has the mean {right.mean()}."
        )
    return int((was_right & ~right).sum()), int((right & ~was_right).sum())


def _undecided(metric: Metric, own: Reduced, dense: Reduced, found: Estimate) -> str | None:
    """Return why an interval decides nothing, if that is so."""
    alike = found.standard_error == 0 and metric.share_of is None
    if alike and len(own.units) < ENOUGH_ALIKE and not _same_numbers(own.units, dense.units):
        return f"no unit tells the two models apart, and {ENOUGH_ALIKE} such would be needed"
    return metric.undecided(own.units) or metric.undecided(dense.units)


def _same_numbers(own: Units, dense: Units) -> bool:
    """Return whether all that is not counted but measured of every unit agrees, to the last bit."""
    measured = [name for name, array in own.arrays.items() if array.dtype.kind == "f"]
    return bool(measured) and all(
        name in dense.arrays and np.array_equal(own[name], dense[name], equal_nan=True) for name in measured
    )
