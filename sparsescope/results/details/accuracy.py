"""Details of `accuracy`: who changed sides."""

from typing import ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

from sparsescope.results.base import Count, Finite, Share
from sparsescope.results.details.base import Details, same_lengths

__all__ = ["AccuracyDetails", "ByClass", "Changed", "OneClass", "Side"]


class Side(BaseModel):
    """Images that only one of two models gets right: how many, and the first ones' indices."""

    model_config = ConfigDict(frozen=True)

    n: Count
    images: tuple[Count, ...]


class Changed(BaseModel):
    """Images that dense alone gets right, and that the candidate alone does."""

    model_config = ConfigDict(frozen=True)

    lost: Side
    gained: Side


class OneClass(NamedTuple):
    """One class with images: number of images, of those lost and gained, accuracies, their difference, its interval."""

    label: int
    n: int
    lost: int
    gained: int
    dense: float
    own: float
    difference: float
    lower: float
    upper: float


class ByClass(BaseModel):
    """One entry for each class: images, both models' accuracies, and their difference with its interval.

    The last five are None for a class without images.
    """

    model_config = ConfigDict(frozen=True)

    confidence: Share
    method: str
    n: tuple[Count, ...]
    lost: tuple[Count, ...]
    gained: tuple[Count, ...]
    dense: tuple[Finite | None, ...]
    own: tuple[Finite | None, ...]
    difference: tuple[Finite | None, ...]
    lower: tuple[Finite | None, ...]
    upper: tuple[Finite | None, ...]

    @model_validator(mode="after")
    def _one_entry_for_each_class(self) -> Self:
        columns = {name: getattr(self, name) for name in OneClass._fields[1:]}
        same_lengths(**columns)
        for label, row in enumerate(zip(*columns.values(), strict=True)):
            if (None in row) != (row[0] == 0):
                raise ValueError(f"expected numbers of the classes that have images, but class {label} has {row}")
        return self

    @property
    def with_images(self) -> list[OneClass]:
        """The classes that have images."""
        columns = [getattr(self, name) for name in OneClass._fields[1:]]
        return [OneClass(label, *row) for label, row in enumerate(zip(*columns, strict=True)) if row[0]]


class AccuracyDetails(Details):
    """Who changed sides between dense and this candidate; nothing for the dense model."""

    metric: ClassVar[str] = "accuracy"

    changed: Changed | None = None
    by_class: ByClass | None = None
