"""Details of `corruption_error`: the table corruption × severity."""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import override

from sparsescope.results.base import Finite, RoundedShare
from sparsescope.results.details.base import Details, same_lengths

__all__ = ["CorruptionDetails", "UnderCorruption"]


class UnderCorruption(BaseModel):
    """One value for each severity; None where no image was seen. A quantity that is not known at all is None."""

    model_config = ConfigDict(frozen=True)

    error: tuple[RoundedShare | None, ...]
    ece: tuple[Finite | None, ...] | None = None
    sce: tuple[Finite | None, ...] | None = None
    nll: tuple[Finite | None, ...] | None = None

    def values(self, quantity: str) -> tuple[float | None, ...] | None:
        """Return the row of `error`, `ece`, `sce` or `nll`."""
        found: tuple[float | None, ...] | None = getattr(self, quantity)
        return found


class CorruptionDetails(Details):
    """Severities, rising, and the rows of every corruption; the error on clean images; what the mean leaves out."""

    metric: ClassVar[str] = "corruption_error"

    severities: tuple[Annotated[int, Field(ge=1, le=5)], ...] = ()
    corruptions: dict[str, UnderCorruption] = Field(default={})
    clean_error: RoundedShare | None = None
    left_out: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_value_for_each_severity(self) -> Self:
        if self.corruptions and not self.severities:
            raise ValueError("expected the severities of the corruptions, but got none")
        if len(set(self.severities)) < len(self.severities):
            raise ValueError(f"expected different severities, but got {list(self.severities)}")
        for name, row in self.corruptions.items():
            for quantity in UnderCorruption.model_fields:
                if (values := row.values(quantity)) is not None:
                    same_lengths(**{"severities": self.severities, f"{quantity} under {name}": values})
        return self

    @override
    def notes(self) -> list[str]:
        return [f"left out, because dense makes no error there: {', '.join(self.left_out)}"] if self.left_out else []
