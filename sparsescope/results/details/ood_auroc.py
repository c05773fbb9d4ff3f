"""Details of `ood_auroc`: what was compared, in words, and the numbers of every set."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from sparsescope.results.base import Count, RoundedShare
from sparsescope.results.details.base import Details

__all__ = ["OodDetails", "OodSet"]


class OodSet(BaseModel):
    """One out-of-distribution set of `n` images; `fpr95` is the share accepted where 95 % of the test images are."""

    model_config = ConfigDict(frozen=True)

    group: str
    n: Count
    auroc: RoundedShare
    fpr95: RoundedShare


class OodDetails(Details):
    """Score and both classes in words; the sets by name."""

    metric: ClassVar[str] = "ood_auroc"

    score: str = ""
    positive_class: str = ""
    negative_class: str = ""
    sets: dict[str, OodSet] = Field(default={})
