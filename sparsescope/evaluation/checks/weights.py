"""Weights that are nan, and zeros that are none where it counts."""

from typing import ClassVar

from torch import Tensor, nn
from typing_extensions import override

from sparsescope.errors import ArtefactError
from sparsescope.evaluation.checks.base import Check, Finding, Shown

__all__ = ["NoNan", "WeightsCount", "ZerosCount"]

_FEW = 0.01
"""Share of a layer's weights that nobody takes for pruning."""


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


class ZerosCount(Check):
    """Whether the zeros that are counted as sparsity are zeros of what the layers multiply with."""

    asks: ClassVar[str] = "Are weights that are zero, or removed by a mask, zeros of what the layers multiply with?"
    how: ClassVar[str] = (
        "The kernels that reach convolutions and matrix products in a forward pass of two images are looked at. Where "
        "they are computed from parameters (a mixture of experts, standardization), their zeros are counted."
    )
    then: ClassVar[str] = "A warning that names the layer and both shares, where they are more than a point apart."
    cost: ClassVar[str] = "2 forward passes"

    @override
    def of_model(self, shown: Shown) -> Finding:
        classifier = shown.classifier
        kernels = shown.trace.kernels if shown.trace is not None else {}
        removed = {name: (int((~kept).sum()), kept.numel()) for name, kept in (classifier.mask or {}).items()}
        for layer, (zeros, size) in kernels.items():
            own = [counts for name, counts in removed.items() if name.rpartition(".")[0] == layer]
            gone, of = (sum(column) for column in zip(*own, strict=True)) if own else (0, 1)
            if zeros == size and _is_switched_off(classifier.module.get_submodule(layer)):
                continue
            if size and abs(gone / of - zeros / size) > _FEW:
                warning = (
                    f"computes what {layer or 'a layer'} multiplies with in its forward pass: {gone / of:.0%} of the "
                    f"weights there are counted as removed, but {zeros / size:.0%} of the kernel are zeros. Its "
                    "sparsity is not what is reported."
                )
                return Finding((warning,))
        return Finding()


class WeightsCount(Check):
    """Whether the weights that are counted as removed are weights that the answers depend on."""

    asks: ClassVar[str] = "Do the answers depend on the weights that are counted as removed?"
    how: ClassVar[str] = "The outputs of that pass are differentiated by all weights: some have no part in them."
    then: ClassVar[str] = "A warning with their share of all that is removed, from 1 % on."
    cost: ClassVar[str] = "2 backward passes"

    @override
    def of_model(self, shown: Shown) -> Finding:
        classifier = shown.classifier
        removed = {name: int((~kept).sum()) for name, kept in (classifier.mask or {}).items()}
        removed = {name: count for name, count in removed.items() if count}
        unused = [name for name in shown.trace.unused if name in removed] if shown.trace is not None else []
        share = sum(removed[name] for name in unused) / max(1, sum(removed.values()))
        if share < _FEW or len(unused) == len(removed):
            return Finding()
        more = f" and {len(unused) - 1} more" if len(unused) > 1 else ""
        warning = (
            f"does not use {unused[0]}{more} in its forward pass, but {share:.0%} of all weights that are counted as "
            "removed are there: the part that answers is less sparse than reported."
        )
        return Finding((warning,))


def _is_switched_off(layer: nn.Module) -> bool:
    """Return whether a gain of the layer is zero, as NF networks begin: that is no sparsity of its weight."""
    own = [parameter for name, parameter in layer.named_parameters(recurse=False) if name not in ("weight", "bias")]
    return any(not bool(parameter.any()) for parameter in own)
