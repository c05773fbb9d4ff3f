"""Accuracy under the fast gradient sign method."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.adversarial import Adversarial
from sparsescope.metrics.base import OPTIONS, Dimension, Metric
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["FgsmAccuracy"]


@dataclass(frozen=True, config=OPTIONS)
class FgsmAccuracy(Metric):
    """Top-1 accuracy on x + ε sign(∇_x L) clipped to [0, 1], L the cross-entropy with the true label.

    One step, no random start; the perturbed images alone are counted. Details: `margin_loss_accuracy`, the same under
    a step along the margin loss, whose direction does not depend on the model's confidence.

    Args:
        epsilon: step in every pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.

    Source: Goodfellow et al. 2015; Chen et al. 2022, section 3.1.
    """

    name: ClassVar[str] = "fgsm_accuracy"
    label: ClassVar[str] = "Accuracy under FGSM"
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Goodfellow et al. 2015"
    margin: ClassVar[float] = 0.01

    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 8 / 255
    images: Annotated[int, Field(ge=1)] | None = None

    def measurements(self, benchmark: Benchmark) -> tuple[Adversarial, ...]:
        """See `Metric.measurements`."""
        return (Adversarial(self.epsilon, self.images),)

    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """See `Metric.reduce`."""
        return weighted_mean(units["correct"], weights)

    def details(self, units: Units) -> dict[str, Any]:
        """See `Metric.details`."""
        return {"margin_loss_accuracy": float(np.mean(units["correct_margin"])), "images": len(units)}
