"""Accuracy under projected gradient descent."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.attacks.gradients import Loss
from sparsescope.benchmark import Benchmark
from sparsescope.measurements.pgd_attack import PgdAttack
from sparsescope.metrics.base import OPTIONS, Dimension
from sparsescope.metrics.gradients import OfGradients
from sparsescope.metrics.robustness import robustness_details
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["PgdAccuracy"]


@dataclass(frozen=True, config=OPTIONS)
class PgdAccuracy(OfGradients):
    """Top-1 accuracy after projected gradient steps within ε of the image: right before, and at every step.

    x_{t+1} = Π(x_t + α sign(∇_x L(x_t, y))) from a random x_0 within ε; L is the cross-entropy with the true label. An
    image that the model gets wrong without any attack counts as wrong. Details: `clean_accuracy` of the same images,
    and `fooled`, the share of those right before that the attack turned.

    Args:
        epsilon: largest change of a pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.
        steps: gradient steps.
        step_size: α, in pixel units; None means 2.5 ε / steps.
        random_start: whether to start at a random place within ε.
        restarts: random starts; an image must stand them all.
        loss: `cross_entropy` or `margin`.

    Source: Madry et al. 2018.
    """

    name: ClassVar[str] = "pgd_accuracy"
    label: ClassVar[str] = "Accuracy under PGD"
    sentence: ClassVar[str] = (
        "Share of test images that stay right at every one of several gradient steps that raise the loss (PGD), a "
        "stronger attack than FGSM."
    )
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Madry et al. 2018"
    margin: ClassVar[float] = 0.01
    share_of: ClassVar[str | None] = "correct"
    in_verdict: ClassVar[bool] = False

    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 8 / 255
    images: Annotated[int, Field(ge=1)] | None = 1000
    steps: Annotated[int, Field(ge=1)] = 10
    step_size: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    random_start: bool = True
    restarts: Annotated[int, Field(ge=1)] = 1
    loss: Loss = "cross_entropy"

    @model_validator(mode="after")
    def _restarts_differ(self) -> "PgdAccuracy":
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"Expected restarts = 1 without random_start, but got {self.restarts}.")
        return self

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[PgdAttack, ...]:
        return (
            PgdAttack(
                self.epsilon, self.images, self.steps, self.step_size, self.random_start, self.restarts, self.loss
            ),
        )

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["correct"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        return robustness_details(units)
