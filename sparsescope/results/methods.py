"""A method, judged over several trainings: what its pairs have in common, beside each pair's own results."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from sparsescope.results.base import Count, Finite, OptionalFloat, OptionalInterval, Record
from sparsescope.results.records import Outcome, Verdict

__all__ = ["MEAN_DENSE", "Method", "MethodMetric"]

MEAN_DENSE = "mean dense"
"""What stands for the dense models of all pairs where a method is shown as one pair."""
Variance = Annotated[Finite, Field(ge=0)]


class MethodMetric(Record):
    """One metric of a method: the mean over its pairs of candidate - dense, in the metric's own unit, not oriented.

    `interval` lies around `estimate`, which has not most of the bias that a metric's values may have; `value` is the
    mean of the pairs' differences of values. Intervals are of new trainings and new images. `variance_trainings` and
    `variance_images` are parts of the variance of the estimate, the square of `standard_error`: more pairs lower both,
    more images only the latter. `from_margin` and `undecided` are as in `Difference`; no outcome where the metric is
    not in the verdict.
    """

    outcome: Outcome | None = None
    reason: str | None = None
    dense: OptionalFloat = None
    candidate: OptionalFloat = None
    value: OptionalFloat = None
    estimate: OptionalFloat = None
    interval: OptionalInterval = None
    standard_error: OptionalFloat = None
    variance_trainings: Variance | None = None
    variance_images: Variance | None = None
    from_margin: OptionalInterval = None
    undecided: str | None = None
    n: Count | None = None


class Method(Record):
    """The verdict on a method, whose truth covers new trainings as well as new images.

    `trainings` counts the pairs that are independent of each other: of pairs that share a model, the mean counts as
    one. `notes` say what the pairs do not vary, such as the dense model.
    """

    outcome: Outcome
    candidates: tuple[str, ...]
    trainings: Count
    notes: tuple[str, ...] = ()
    metrics: dict[str, MethodMetric]
    verdict: Verdict

    @model_validator(mode="after")
    def _one_outcome(self) -> Self:
        if self.outcome != self.verdict.outcome:
            raise ValueError(f"expected one outcome, but got {self.outcome} and {self.verdict.outcome}")
        return self
