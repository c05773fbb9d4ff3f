"""What a sweep's summary holds: plain records, already judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sparsescope.results import MetricResult, Outcome, Trained

__all__ = [
    "READINGS",
    "SMALL",
    "Curve",
    "CurvePoint",
    "Extreme",
    "JointPoint",
    "MetricFacts",
    "PassRange",
    "Reading",
    "Spread",
    "SweepSummary",
    "TwinComparison",
    "TwinRow",
]

Reading = Literal["margins", "paper"]
READINGS: tuple[Reading, ...] = ("margins", "paper")
SMALL = "small"
"""The method name of the small dense twin in a sweep."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1 in the divisor) over seeds; no deviation for one seed, no mean for none."""

    mean: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class CurvePoint:
    """One metric of one method at one sparsity, over seeds.

    Args:
        target: sparsity asked for; None for the small dense twin.
        sparsity: the mean of what was removed in truth; the target where no seed was evaluated.
        value: of the metric.
        difference: ticket minus its own dense parent, seed by seed, not oriented.
        interval: of the mean difference; None where it has none.
        outcomes: by reading.
        reason: why it is not evaluated or not decided.
        of_trainings: standard error of the mean difference over trainings; None where seeds are not judged together.
        of_images: likewise over images.
    """

    target: float | None
    sparsity: float
    value: Spread
    difference: Spread
    interval: tuple[float, float] | None
    outcomes: Mapping[Reading, Outcome]
    reason: str = ""
    of_trainings: float | None = None
    of_images: float | None = None


@dataclass(frozen=True)
class Extreme:
    """How far every sparsity passes, from the lowest on.

    Args:
        sparsity: the largest that passes with all lower ones passing; None where the lowest does not.
        stop: outcome of the next one; None where the grid ends.
        passes_again: sparsities that pass beyond the first that does not; they do not count.
    """

    sparsity: float | None
    stop: Outcome | None
    passes_again: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curve:
    """One metric of one method along the grid; points by rising sparsity, also those that are missing."""

    points: tuple[CurvePoint, ...]
    extremes: Mapping[Reading, Extreme]


@dataclass(frozen=True)
class JointPoint:
    """All metrics of the policy together, at one sparsity: the outcome, and the metrics that decide it.

    Those are the ones that fail; where none fails, the ones that do not pass.
    """

    sparsity: float
    outcome: Outcome
    because: tuple[str, ...]


@dataclass(frozen=True)
class PassRange:
    """Where every metric of the policy passes.

    Args:
        points: all of the grid.
        runs: first and last sparsity of each row of neighbouring points that pass.
        extreme: of all metrics together.
    """

    points: tuple[JointPoint, ...]
    runs: tuple[tuple[float, float], ...]
    extreme: Extreme


@dataclass(frozen=True)
class MetricFacts:
    """One metric of the sweep: an evaluation's result, for label, unit, margin; and dense over seeds."""

    result: MetricResult
    dense_model: str
    dense: Spread
    evaluated: bool


@dataclass(frozen=True)
class TwinRow:
    """One metric of a ticket and of the small dense twin.

    Args:
        metric: name.
        ticket: value over seeds.
        twin: value over seeds.
        ticket_ratio: mean value over the mean of its dense parents, turned so that above 1 is better than dense; None
            where undefined.
        twin_ratio: likewise.
        difference: ticket minus twin over the seeds that both have.
        better: whether the ticket's mean is better; None where equal or unknown.
    """

    metric: str
    ticket: Spread
    twin: Spread
    ticket_ratio: float | None
    twin_ratio: float | None
    difference: Spread
    better: bool | None


@dataclass(frozen=True)
class TwinComparison:
    """The tickets of one method whose non-zero parameters are nearest to the twin's."""

    method: str
    target: float
    sparsity: float
    ticket_parameters: float
    twin_parameters: float
    rows: tuple[TwinRow, ...]


@dataclass(frozen=True)
class SweepSummary:
    """Everything that figures and tables of a sweep show.

    Args:
        name: of the recipe.
        methods: without the small dense twin.
        seeds: expected at every point.
        confidence: of the intervals.
        tolerance: how much worse than dense the paper's reading allows beside accuracy.
        metrics: by name, ordered by dimension.
        curves: by method, then metric.
        ranges: by method, then reading.
        twins: comparison with the small dense twin, by method; empty without a twin.
        small: the twin's own point by metric; empty without a twin.
        missing: networks that the sweep should have and has not: method, target, seed.
        unevaluated: metrics of the policy that were evaluated nowhere; the ranges leave them out and say so.
        partial: whether the ranges cover less than the full LTH-PASS policy.
        trained: how networks were trained: `dense`, `small` and methods; empty where the record does not say.
    """

    name: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    confidence: float
    tolerance: float
    metrics: Mapping[str, MetricFacts]
    curves: Mapping[str, Mapping[str, Curve]]
    ranges: Mapping[str, Mapping[Reading, PassRange]]
    twins: Mapping[str, TwinComparison] = field(default_factory=dict)
    small: Mapping[str, CurvePoint] = field(default_factory=dict)
    missing: tuple[tuple[str, float | None, int], ...] = ()
    unevaluated: tuple[str, ...] = ()
    partial: bool = False
    trained: Mapping[str, Trained] = field(default_factory=dict)

    @property
    def judged(self) -> tuple[str, ...]:
        """The metrics of the policy that were evaluated somewhere: those that the ranges cover."""
        return tuple(name for name, facts in self.metrics.items() if facts.result.in_verdict and facts.evaluated)

    def region_end(self, method: str, reading: Reading) -> Extreme | None:
        """Return how far region I (winning tickets by accuracy) goes; None where accuracy was not evaluated."""
        facts = self.metrics.get("accuracy")
        return self.curves[method]["accuracy"].extremes[reading] if facts and facts.evaluated else None
