"""Trace of the loss Hessian in the input."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured, Measurement
from sparsescope.measurements.input_curvature import InputCurvature
from sparsescope.metrics.base import OPTIONS, Dimension, MarginKind
from sparsescope.metrics.gradients import OfGradients, require_finite, without_gradient
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["InputTrace"]


@dataclass(frozen=True, config=OPTIONS)
class InputTrace(OfGradients):
    """Mean over images of tr ∇²_x L(x_i): sum(w_i tr_i) / sum(w_i), L the cross-entropy, x in pixel units.

    Training images where the benchmark has them, else test images. Exact for piecewise-linear (ReLU) networks.

    Args:
        images: how many images, drawn stratified by class; None means all.
        method: `auto`; `exact`, for piecewise-linear networks alone; or `hutchinson`.
        probes: Rademacher probes of each image, where the trace is sampled: few, as images vary much more than probes.

    Source: Chen et al. 2022, section 3.4; Hutchinson 1990.
    """

    name: ClassVar[str] = "input_trace"
    label: ClassVar[str] = "Input Hessian trace"
    sentence: ClassVar[str] = (
        "Curvature of the loss in the pixels (trace of the Hessian). Low is a smooth response to small changes of the "
        "image."
    )
    dimension: ClassVar[Dimension] = "geometry"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "loss"
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
    source: ClassVar[str] = "Chen et al. 2022"
    margin: ClassVar[float] = 0.10
    margin_kind: ClassVar[MarginKind] = "relative"

    images: Annotated[int, Field(ge=1)] | None = 2000
    method: Literal["auto", "exact", "hutchinson"] = "auto"
    probes: Annotated[int, Field(ge=1)] = 4

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        image_set = "test" if benchmark.train is None else "train"
        return (InputCurvature(image_set, self.images, self.method, self.probes),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        units = super().units(own, dense, benchmark)
        require_finite(units, "trace", "images")
        return units

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["trace"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        return {
            "image_set": next(iter(units.strata)).partition("/")[0],
            "images": len(units),
            "without_gradient": without_gradient(units),
            "method": "exact" if units["exact"].all() else "hutchinson",
        }
