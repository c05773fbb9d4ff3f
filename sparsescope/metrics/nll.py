"""Negative log-likelihood of the labels."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, IntervalKind, MarginKind, Metric
from sparsescope.softmax import negative_log_likelihood
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["NLL"]


@dataclass(frozen=True, config=OPTIONS)
class NLL(Metric):
    """Mean negative log-likelihood, -sum(w_i log softmax(f(x_i))_{y_i}) / sum(w_i), in nats.

    By log-softmax in float64, hence finite for all finite logits. Chen et al. 2022 print the sum; the mean is the same
    comparison and does not grow with n. Source: Chen et al. 2022, section 3.1.
    """

    name: ClassVar[str] = "nll"
    label: ClassVar[str] = "NLL"
    sentence: ClassVar[str] = "Mean negative log-probability of the right class. Being sure and wrong costs most."
    dimension: ClassVar[Dimension] = "calibration"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "nats"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, None)
    source: ClassVar[str] = "Chen et al. 2022"
    margin: ClassVar[float] = 0.05
    margin_kind: ClassVar[MarginKind] = "relative"
    interval: ClassVar[IntervalKind] = "normal"

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        return (Predictions("test"),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Arrays: `nll` float64 (n,)."""
        arrays = own[Predictions("test")]
        nll = negative_log_likelihood(arrays["logits"], arrays["label"])
        return Units({"test": len(nll)}, {"nll": nll})

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["nll"], weights)
