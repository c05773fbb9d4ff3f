"""What the readable details of all metrics share."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from sparsescope.results.base import Record

__all__ = ["Details", "ScaleFree", "same_lengths"]


class ScaleFree(Record):
    """The version of a metric that does not depend on the scale of what it measures, shown beside the value.

    Args:
        key: of the number in the metric's details.
        label: what people call it.
        higher_is_better: whether its higher values are better.
    """

    key: str
    label: str
    higher_is_better: bool


class Details(BaseModel):
    """What plots and reports read of one model's details; what else is there is left as it is.

    A field is optional where there is something to show without it. Subclasses state the name of their metric.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    metric: ClassVar[str]
    scale_free: ClassVar[ScaleFree | None] = None
    """That of the metric, for evaluations that were written before they said so themselves."""

    def notes(self) -> list[str]:
        """Return what belongs among the warnings of a report."""
        return []


def same_lengths(**columns: Sequence[object]) -> None:
    """Raise ValueError, naming the columns, unless they are of one length."""
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError(
            "expected lists of one length, but got " + ", ".join(f"{len(each)} {key}" for key, each in columns.items())
        )
