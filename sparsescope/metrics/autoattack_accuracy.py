"""Accuracy under AutoAttack."""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.auto_attack import AutoAttack
from sparsescope.metrics.base import OPTIONS, Dimension
from sparsescope.metrics.gradients import OfGradients
from sparsescope.metrics.robustness import robustness_details
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["AutoattackAccuracy"]


@dataclass(frozen=True, config=OPTIONS)
class AutoattackAccuracy(OfGradients):
    """Top-1 accuracy after AutoAttack "standard" within ε of the image: APGD-CE, targeted APGD-DLR and FAB, Square.

    Measured only where it is asked for by name: an image that stands takes thousands of passes. Needs the extra
    `attacks`. Details: `clean_accuracy` of the same images, and `fooled`, the share of those right before that the
    attack turned.

    Args:
        epsilon: largest change of a pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.

    Source: Croce & Hein 2020.
    """

    name: ClassVar[str] = "autoattack_accuracy"
    label: ClassVar[str] = "Accuracy under AutoAttack"
    sentence: ClassVar[str] = "Share of test images that stay right under AutoAttack, an ensemble of strong attacks."
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Croce & Hein 2020"
    margin: ClassVar[float] = 0.01
    share_of: ClassVar[str | None] = "correct"
    in_verdict: ClassVar[bool] = False
    on_request: ClassVar[bool] = True

    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 8 / 255
    images: Annotated[int, Field(ge=1)] | None = 100

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[AutoAttack, ...]:
        return (AutoAttack(self.epsilon, self.images),)

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["correct"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        return robustness_details(units)
