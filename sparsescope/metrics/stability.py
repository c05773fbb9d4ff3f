"""Stability of a local linear explanation."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from sparsescope.metrics.base import OPTIONS, ScaleFree
from sparsescope.metrics.lime_options import LimeMetric
from sparsescope.results.details import StabilityDetails

__all__ = ["Stability"]


@dataclass(frozen=True, config=OPTIONS)
class Stability(LimeMetric):
    """How much the explanation moves with its centre: mean over images and pivots x' of |e(x) - e(x')|^2.

    e(x) holds the coefficients of the weighted ridge regression, without its intercept (as in the paper's code); e(x')
    refits with weights by distance to the pivot x', a perturbed image of the same neighbourhood. The details have
    `stability_relative`, the same divided by |e(x)|^2 (lower is better). Options: see `LimeMetric`. Source: Chen et al.
    2022, section 3.3, and their code.
    """

    name: ClassVar[str] = "stability"
    label: ClassVar[str] = "Stability"
    sentence: ClassVar[str] = (
        "How much an explanation's coefficients change when it is centered on a neighbor of the image."
    )
    labeled: ClassVar[bool] = False
    unit: ClassVar[str] = "squared coefficient"
    scale_free: ClassVar[ScaleFree] = StabilityDetails.scale_free
