"""Details of `fgsm_accuracy`: the curve along the size of the step."""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sparsescope.results.base import Finite, RoundedShare
from sparsescope.results.details.base import Details, same_lengths

__all__ = ["AttackCurve", "FgsmDetails"]


class AttackCurve(BaseModel):
    """Accuracy with its interval for every step ε, in pixel units; at least one."""

    model_config = ConfigDict(frozen=True)

    epsilon: Annotated[tuple[Annotated[float, Field(ge=0, le=1e6)], ...], Field(min_length=1)]
    accuracy: tuple[RoundedShare, ...]
    lower: tuple[Finite, ...]
    upper: tuple[Finite, ...]

    @model_validator(mode="after")
    def _one_entry_for_each_step(self) -> Self:
        same_lengths(epsilon=self.epsilon, accuracy=self.accuracy, lower=self.lower, upper=self.upper)
        return self


class FgsmDetails(Details):
    """The curve; None where no further ε was asked for."""

    metric: ClassVar[str] = "fgsm_accuracy"

    curve: AttackCurve | None = None
