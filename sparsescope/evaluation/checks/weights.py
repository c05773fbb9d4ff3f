"""Weights that are nan."""

from typing import ClassVar

from torch import Tensor
from typing_extensions import override

from sparsescope.errors import ArtefactError
from sparsescope.evaluation.checks.base import Check, Finding, Shown

__all__ = ["NoNan"]


class NoNan(Check):
    """Whether a tensor of the network holds nan."""

    asks: ClassVar[str] = "Are all weights and buffers numbers?"
    how: ClassVar[str] = "Every tensor is searched for nan."
    then: ClassVar[str] = "The model is refused; the tensor is named."
    cost: ClassVar[str] = "one look at the weights"

    @override
    def of_model(self, shown: Shown) -> Finding:
        state = shown.classifier.module.state_dict()
        broken = [name for name, tensor in state.items() if isinstance(tensor, Tensor) and bool(tensor.isnan().any())]
        if broken:
            more = f" and {len(broken) - 1} more of its tensors hold" if len(broken) > 1 else " holds"
            raise ArtefactError(f"{shown.classifier.name}: {broken[0]}{more} nan. Did its training diverge?")
        return Finding()
