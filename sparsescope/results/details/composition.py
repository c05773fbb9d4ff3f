"""Details of `composition`: a layer and its units."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from sparsescope.results.base import Count, RoundedShare
from sparsescope.results.details.base import Details

__all__ = ["DETECTOR", "CompositionDetails", "LayerUnit"]

DETECTOR = 0.04
"""IoU above which a unit counts as a detector of its concept: Bau et al. 2017."""


class LayerUnit(BaseModel):
    """One unit of a layer: its best formula and single concept (`label`), and how well they fit; None if unknown.

    `gap` is how far the IoU of another formula may exceed `iou`: 0 where the search proved that none does.
    """

    model_config = ConfigDict(frozen=True)

    unit: Count
    formula: str | None
    length: Count
    label: str | None
    category: str | None
    dead: bool
    iou: RoundedShare | None
    label_iou: RoundedShare | None = None
    null_iou: RoundedShare | None = None
    held_out_iou: RoundedShare | None = None
    gap: RoundedShare | None = None


class CompositionDetails(Details):
    """A layer, its units in order, and means over those that are not dead; None where all are."""

    metric: ClassVar[str] = "composition"

    layer: str = ""
    images: Count = 0
    layer_units: Count = 0
    dead: Count = 0
    units: tuple[LayerUnit, ...] = ()
    unique_formulas: Count = 0
    share_above: RoundedShare | None = Field(default=None, alias="share_above_0.04")
    null_share_above: RoundedShare | None = Field(default=None, alias="null_share_above_0.04")
    label_iou: RoundedShare | None = None
    null_iou: RoundedShare | None = None
    held_out_iou: RoundedShare | None = None
    share_by_category: dict[str, RoundedShare] = Field(default={})

    @model_validator(mode="after")
    def _units_agree(self) -> Self:
        if self.units and [row.unit for row in self.units] != list(range(self.layer_units)):
            raise ValueError(f"expected units 0 to {self.layer_units - 1} in order")
        if self.units and sum(row.dead for row in self.units) != self.dead:
            raise ValueError(f"expected {self.dead} of the units to be dead")
        for row in self.units:
            if row.iou is None and not row.dead:
                raise ValueError(f"expected the iou of unit {row.unit}, which is not dead")
        return self

    @override
    def notes(self) -> list[str]:
        notes = [f"units that never fire, left out of the mean: {self.dead}"] if self.dead else []
        if gaps := self.gaps:
            notes.append(
                f"units whose search ended at its limit of nodes: {len(gaps)}; the IoU of their best formulas may be "
                f"up to {max(gaps):.4f} larger"
            )
        return notes

    @property
    def gaps(self) -> list[float]:
        """The gap of every unit whose search did not prove that its formula is the best."""
        return [row.gap for row in self.units if row.gap]
