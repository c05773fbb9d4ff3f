"""What a metric is: a pure weighted reduction of measured units to one value, with everything the report says of it."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.measurements.base import Measured, Measurement, run
from sparsescope.metrics.facts import IntervalKind, check_facts
from sparsescope.results import Dimension, ScaleFree
from sparsescope.results.records import MarginKind
from sparsescope.units import Estimate, FloatArray, Units, reduced

__all__ = [
    "OPTIONS",
    "Differentiates",
    "Dimension",
    "IntervalKind",
    "MarginKind",
    "Metric",
    "Reads",
    "RestsOn",
    "ScaleFree",
]

OPTIONS = ConfigDict(extra="forbid")
"""Configuration of every metric's pydantic dataclass: unknown options are errors."""


Reads = Literal["activations", "order", "probabilities", "logits"]
"""What of a network decides a metric: maps inside it, which logit is largest, their softmax, or the logits as such."""
Differentiates = Literal["images", "weights"]
"""In what a metric differentiates the logits."""
RestsOn = Reads | Differentiates | Literal["labels"]


class Metric(abc.ABC):
    """A metric: `measurements` says what to measure, `reduce` turns the measured units into the value.

    Subclasses are frozen pydantic dataclasses; their fields are the metric's options, with the defaults of the preset
    `standard`. The class attributes below are the only place where a metric's facts are written down: tables, plots,
    the verdict and the JSON read them. A class that lacks one, or has a wrong one, is refused where it is defined
    (DefinitionError); a class that only other metrics build on lists `abc.ABC` among its bases and may lack some.
    """

    name: ClassVar[str]
    """What users and files call it."""
    label: ClassVar[str]
    """What tables and plots call it."""
    sentence: ClassVar[str]
    """What it measures, in a sentence for readers of the report."""
    dimension: ClassVar[Dimension]
    higher_is_better: ClassVar[bool]
    unit: ClassVar[str]
    """What a value counts, such as "fraction"; numbers in "fraction" and "probability" are shown in percent."""
    bounds: ClassVar[tuple[float | None, float | None]]
    """The lowest and the highest possible value; None where there is none."""
    source: ClassVar[str]
    """Where the formula comes from."""
    margin: ClassVar[float] = 0.0
    """How much worse than dense still counts as a match."""
    margin_kind: ClassVar[MarginKind] = "absolute"
    in_verdict: ClassVar[bool] = True
    """Whether it counts in the verdict unless the user chooses otherwise; else it is reported only."""
    on_request: ClassVar[bool] = False
    """Whether it is measured only where the user names it: as a metric, in the verdict, or by one of its options."""
    interval: ClassVar[IntervalKind] = "percentile"
    """Kind of interval; normal for those of debiased estimates, whose resamples are biased again."""
    share_of: ClassVar[str | None] = None
    """Name of a boolean array of its units, if the value is the share of true ones: differences then have the score
    interval of paired proportions, which holds with few units and few that differ."""

    nothing_left: ClassVar[str] = "nothing was left to measure"
    """The reason where the value is not finite."""
    differentiates: ClassVar[Differentiates | None] = None
    """In what it differentiates the logits: where a network's gradients are wrong, so is the value."""
    labeled: ClassVar[bool] = True
    """Whether it compares answers with labels."""
    scale_free: ClassVar[ScaleFree | None] = None
    """The number in the details that does not depend on the scale of what is measured, if there is one."""

    @override
    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        check_facts(cls)

    @property
    def reads(self) -> Reads:
        """What of a network decides the value: where its outputs are no logits, that can still be right."""
        return "probabilities"

    @property
    def rests_on(self) -> frozenset[RestsOn]:
        """All of a network that must be right for the value to be."""
        parts: list[RestsOn] = [self.reads]
        parts += [] if self.differentiates is None else [self.differentiates]
        parts += ["labels"] if self.labeled else []
        return frozenset(parts)

    @abc.abstractmethod
    def measurements(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        """Return what must be measured on every model; raises NotEvaluated with the reason if it cannot be."""

    def by_index(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        """Return those of the measurements whose rows `units` looks up by image index, and which it must have whole.

        Of the others it may get the first part of the units only, of each measurement in the same proportion.
        """
        return ()

    def check(self, benchmark: Benchmark) -> None:
        """Raise NotEvaluated, with the reason, where data that are there would give a number that says nothing."""
        return

    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Return one model's units, from its own results and, for relative metrics, the dense model's.

        The default serves metrics whose measurements have the same units: their arrays, as they are, which must have
        different names. Raises NotEvaluated with the reason where what was measured says nothing.
        """
        measurements = self.measurements(benchmark)
        arrays = {name: array for measurement in measurements for name, array in own[measurement].items()}
        if len(arrays) < sum(len(own[measurement]) for measurement in measurements):
            raise TypeError(f"Expected the measurements of {self.name} to give arrays of different names.")
        return Units({measurements[0].population: len(next(iter(arrays.values())))}, arrays)

    @abc.abstractmethod
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray | float:
        """Return the value for weights (n,), or one value for each row of weights (R, n).

        Must be pure and invariant to permuting units. May be nan where the weights leave nothing to measure.
        """

    def debiased(self, units: Units, weights: FloatArray) -> FloatArray | float:
        """Return the estimate that intervals lie around: the reduction, unless that is biased (ECE, SCE).

        Weights as in `reduce`.
        """
        return self.reduce(units, weights)

    def default_margin(self, units: Units) -> float:
        """Return the margin of who has not chosen one, where it depends on what was measured; else `margin`."""
        return self.margin

    def undecided(self, units: Units) -> str | None:
        """Return why intervals from these units decide nothing, as where they are too few; None where they do."""
        return None

    def details(self, units: Units) -> dict[str, Any]:
        """Return what the report shows beside the value: plain JSON-able numbers, lists and dicts.

        Plain numbers become rows of a table. What plots and reports read beyond that has a class in
        `sparsescope.results.details`, which the details of the metric of that name must follow.
        """
        return {}

    def warnings(self, units: Units, estimate: Estimate) -> tuple[str, ...]:
        """Return what a model's user should be warned of, seeing this metric of it: a sentence each, without a stop."""
        return ()

    def measure(
        self,
        classifier: Classifier,
        benchmark: Benchmark,
        *,
        dense: Classifier | None = None,
        seed: int = 0,
        batch_size: int = 32,
    ) -> Units:
        """Measure one model directly, without plan, cache or progress.

        Args:
            classifier: the model.
            benchmark: the data.
            dense: its dense parent, which some metrics compare with or explain; default: the model itself.
            seed: key of all random numbers.
            batch_size: images per forward pass.

        Returns:
            the units; `metric.reduce(units, units.uniform_weights())` is the value.
        """
        own: dict[Measurement, Mapping[str, Any]] = {}
        parent = own if dense is None or dense is classifier else {}
        models = [(parent, dense or classifier)] + ([(own, classifier)] if parent is not own else [])
        for results, model in models:
            for measurement in self.measurements(benchmark):
                for needed in (*measurement.requires(), measurement):
                    if needed not in results:
                        results[needed] = run(needed, model, benchmark, dense=parent, seed=seed, batch_size=batch_size)
        return self.units(own, parent, benchmark)

    def value(self, units: Units) -> float:
        """Return the reported value: the reduction with uniform weights; raises TypeError where that is no number."""
        weights = units.uniform_weights()
        return float(reduced(self.reduce(units, weights), weights))
