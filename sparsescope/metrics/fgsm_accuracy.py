"""Accuracy under the fast gradient sign method."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.adversarial import Adversarial
from sparsescope.metrics.base import OPTIONS, Dimension
from sparsescope.metrics.gradients import OfGradients, without_gradient
from sparsescope.metrics.paired import wilson_interval
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["FgsmAccuracy"]

_Epsilon = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_CONFIDENCE = 0.95


@dataclass(frozen=True, config=OPTIONS)
class FgsmAccuracy(OfGradients):
    """Top-1 accuracy on x + ε sign(∇_x L) clipped to [0, 1], L the cross-entropy with the true label.

    One step; the perturbed images alone are counted. Details: `margin_loss_accuracy`, the same under
    a step along the margin loss, whose direction does not depend on the model's confidence; `curve`, the accuracy for
    every ε of `epsilons`, with intervals of 95 %;
    `without_gradient`, the share of images without one.

    Args:
        epsilon: step in every pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.
        epsilons: further ε for the curve; each costs a forward pass, or a gradient too with a random start.
        random_start: step from a random place within ε, back to within ε, by 1.25 ε as Wong et al. 2020 do.
        step: length of the step in multiples of ε, > 0; None: 1, and 1.25 from a random start. The code of Chen et al.
            2022 takes 1 from a random start.

    Source: Goodfellow et al. 2015; Chen et al. 2022, section 3.1.
    """

    name: ClassVar[str] = "fgsm_accuracy"
    label: ClassVar[str] = "Accuracy under FGSM"
    sentence: ClassVar[str] = (
        "Share of test images that are still right after one gradient step that raises the loss (FGSM)."
    )
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Goodfellow et al. 2015"
    margin: ClassVar[float] = 0.01
    share_of: ClassVar[str | None] = "correct"

    epsilon: _Epsilon = 8 / 255
    images: Annotated[int, Field(ge=1)] | None = None
    epsilons: tuple[_Epsilon, ...] = (1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255)
    random_start: bool = False
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def _attack(self) -> Adversarial:
        return Adversarial(self.epsilon, self.images, self.epsilons, self.random_start, self.step)

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Adversarial, ...]:
        return (self._attack,)

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["correct"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        accuracy = units["curve"].mean(axis=0)
        lower, upper = wilson_interval(accuracy, np.full(len(accuracy), len(units)), _CONFIDENCE)
        return {
            "margin_loss_accuracy": float(np.mean(units["correct_margin"])),
            "images": len(units),
            "without_gradient": without_gradient(units),
            "curve": {
                "epsilon": list(self._attack.grid),
                "accuracy": accuracy.tolist(),
                "lower": np.clip(lower, 0, 1).tolist(),
                "upper": np.clip(upper, 0, 1).tolist(),
                "confidence": _CONFIDENCE,
            },
        }
