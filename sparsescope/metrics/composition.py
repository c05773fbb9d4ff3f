"""Compositional explanations of neurons (NetDissect)."""

from typing import ClassVar, Literal

from pydantic.dataclasses import dataclass

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.base import OPTIONS, Dimension, Metric
from sparsescope.units import FloatArray, Units

__all__ = ["Composition"]

_REASON = "no probe set"


@dataclass(frozen=True, config=OPTIONS)
class Composition(Metric):
    """Mean over live units of the best IoU of a logical formula of concepts with the unit's activation mask.

    Not measured in this version: it always says that there is no probe set. Source: Mu & Andreas 2020.
    """

    name: ClassVar[str] = "composition"
    label: ClassVar[str] = "Compositional IoU"
    dimension: ClassVar[Dimension] = "interpretability"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "IoU"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Mu & Andreas 2020"
    margin: ClassVar[float] = 0.05
    margin_kind: ClassVar[Literal["absolute", "relative"]] = "relative"

    def measurements(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        """Raise NotEvaluated: a benchmark has no probe set."""
        raise NotEvaluated(_REASON)

    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """Raise NotEvaluated: there are no units to reduce."""
        raise NotEvaluated(_REASON)
