"""Largest eigenvalue of the loss Hessian in the input."""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured, Measurement
from sparsescope.measurements.input_curvature import InputSpectrum
from sparsescope.metrics.base import OPTIONS
from sparsescope.metrics.gradients import require_finite
from sparsescope.metrics.input_trace import InputTrace
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["InputTopEigenvalue"]


@dataclass(frozen=True, config=OPTIONS)
class InputTopEigenvalue(InputTrace):
    """Mean over images of the largest eigenvalue of ∇²_x L(x_i): sum(w_i λ_i) / sum(w_i), x in pixel units.

    Images are those of `InputTrace`. Exact for piecewise-linear networks of up to 129 classes; else by Lanczos to a
    relative residual of 1 %, the largest of which is in the details: errors go by its square, about 0.01 %.

    Args:
        images: as in `InputTrace`.
        method: likewise.
        probes: likewise.
        loss: `"image"`, as above; or `"batch_mean"`: the largest eigenvalue of the Hessian of (1/n) sum_i L(x_i) in all
            n images at once, max_i(w_i λ_i) / sum(w_i), as in the code of Chen et al. 2022. It falls with n: compare it
            at one number of images only.

    Source: Chen et al. 2022, section 3.4.
    """

    name: ClassVar[str] = "input_top_eigenvalue"
    label: ClassVar[str] = "Input Hessian top eigenvalue"
    sentence: ClassVar[str] = "Curvature of the loss along the sharpest direction of the pixels."
    in_verdict: ClassVar[bool] = False

    loss: Literal["image", "batch_mean"] = "image"

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        image_set = "test" if benchmark.train is None else "train"
        return (*super().measurements(benchmark), InputSpectrum(image_set, self.images, self.method))

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        units = super().units(own, dense, benchmark)
        exact, arrays = units["exact"], dict(units.arrays)
        arrays["top_eigenvalue"] = np.where(exact, units["top_eigenvalue"], arrays.pop("lanczos"))
        arrays["residual"] = np.where(exact, 0.0, units["residual"])
        units = Units(units.strata, arrays)
        require_finite(units, "top_eigenvalue", "images")
        return units

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        if self.loss == "image":
            return weighted_mean(units["top_eigenvalue"], weights)
        # Images do not interact in eval mode: the Hessian has one block for each, and its eigenvalues are theirs.
        with np.errstate(invalid="ignore"):
            largest: FloatArray = (weights * units["top_eigenvalue"]).max(axis=-1) / weights.sum(axis=-1)
        return largest

    @override
    def details(self, units: Units) -> dict[str, Any]:
        method = "exact" if units["exact"].all() else "lanczos"
        return super().details(units) | {"method": method, "largest_residual": float(units["residual"].max())}
