"""Details of `ece`: the reliability diagram."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sparsescope.results.base import Count, RoundedShare
from sparsescope.results.details.base import Details

__all__ = ["Bin", "EceDetails"]


class Bin(BaseModel):
    """One bin of confidence; mean confidence and accuracy are None where it is empty."""

    model_config = ConfigDict(frozen=True)

    lower: RoundedShare
    upper: RoundedShare
    count: Count
    confidence: RoundedShare | None = Field(...)
    accuracy: RoundedShare | None = Field(...)

    @model_validator(mode="after")
    def _known_where_there_are_images(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"expected lower < upper, but got {self.lower} and {self.upper}")
        if self.count and (self.confidence is None or self.accuracy is None):
            raise ValueError(f"expected confidence and accuracy of a bin with {self.count} images")
        return self


class EceDetails(Details):
    """The bins of confidence, none or with images in at least one."""

    metric: ClassVar[str] = "ece"

    reliability: tuple[Bin, ...] = ()

    @field_validator("reliability")
    @classmethod
    def _not_all_empty(cls, bins: tuple[Bin, ...]) -> tuple[Bin, ...]:
        if bins and not any(row.count for row in bins):
            raise ValueError("expected images in at least one bin")
        return bins
