"""Largest eigenvalue of the loss Hessian in the input."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.metrics.base import OPTIONS
from sparsescope.metrics.input_trace import InputTrace
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["InputTopEigenvalue"]


@dataclass(frozen=True, config=OPTIONS)
class InputTopEigenvalue(InputTrace):
    """Mean over images of the largest eigenvalue of ∇²_x L(x_i): sum(w_i λ_i) / sum(w_i), x in pixel units.

    Options, images and measurement are those of `InputTrace`. Exact for piecewise-linear networks; else by Lanczos,
    whose largest residual is in the details.

    Source: Chen et al. 2022, section 3.4.
    """

    name: ClassVar[str] = "input_top_eigenvalue"
    label: ClassVar[str] = "Input Hessian top eigenvalue"
    sentence: ClassVar[str] = "Curvature of the loss along the sharpest direction of the pixels."
    in_verdict: ClassVar[bool] = False

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["top_eigenvalue"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        method = "exact" if units["exact"].all() else "lanczos"
        return super().details(units) | {"method": method, "largest_residual": float(units["residual"].max())}
