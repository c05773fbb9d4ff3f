"""Largest eigenvalue of the loss Hessian in the surviving weights."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured
from sparsescope.measurements.weight_curvature import WeightSpectrum
from sparsescope.metrics.base import OPTIONS, Differentiates, Dimension, MarginKind, Metric
from sparsescope.metrics.gradients import require_finite
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["WeightTopEigenvalue"]


@dataclass(frozen=True, config=OPTIONS)
class WeightTopEigenvalue(Metric):
    """Mean over groups of images of the largest eigenvalue of the group's weight Hessian: Σ w_g λ_g / Σ w_g.

    An eigenvalue is no mean over images, so it is measured on disjoint groups. The largest eigenvalue of a group is on
    average above that of all images together; larger groups have less of this bias, which dense and sparse share.

    Args:
        images: how many images, drawn stratified by class; None means all.
        images_per_unit: images in a group, the sampling unit; an incomplete last group is left out.
        tolerance: relative residual at which Lanczos stops.

    Source: Chen et al. 2022, section 3.4.
    """

    name: ClassVar[str] = "weight_top_eigenvalue"
    label: ClassVar[str] = "Weight Hessian top eigenvalue"
    sentence: ClassVar[str] = "Curvature of the loss along the sharpest direction of the surviving weights."
    dimension: ClassVar[Dimension] = "geometry"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "loss"
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
    differentiates: ClassVar[Differentiates | None] = "weights"
    source: ClassVar[str] = "Chen et al. 2022"
    margin: ClassVar[float] = 0.10
    margin_kind: ClassVar[MarginKind] = "relative"
    in_verdict: ClassVar[bool] = False

    images: Annotated[int, Field(ge=1)] | None = 400
    images_per_unit: Annotated[int, Field(ge=1)] = 100
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-3

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[WeightSpectrum, ...]:
        image_set = "test" if benchmark.train is None else "train"
        return (WeightSpectrum(image_set, self.images, self.images_per_unit, self.tolerance),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        units = super().units(own, dense, benchmark)
        require_finite(units, "top_eigenvalue", "groups of images")
        return units

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["top_eigenvalue"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        return {
            "image_set": next(iter(units.strata)).partition("/")[0],
            "images": int(units["images"].sum()),
            "images_per_group": int(units["images"].max()),
            "products": int(units["products"].sum()),
            "largest_residual": float(units["residual"].max()),
            "mean_magnitude": float(np.mean(units["magnitude"])),
        }
