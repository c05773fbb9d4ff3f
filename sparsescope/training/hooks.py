"""What may act on the weights around every optimiser step: a fixed mask, or a method that moves its mask."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.mask import Mask

__all__ = ["FixedMask", "StepHook"]


class StepHook(Protocol):
    """Acts around every optimiser step; `FixedMask` is the simplest one.

    `before_step` sees the dense gradients, after backward (averaged over the processes, and unscaled in mixed
    precision; it is not called for gradients that are not finite). A dynamic method that has a step of its own in the
    optimiser's place, such as RigL, is made in `start`, makes its step in `before_step` and returns False there. In
    several processes every call sees the same gradients and must do the same everywhere.
    """

    @property
    def mask(self) -> Mask | None:
        """The present mask: the history's sparsity and the checkpoint's mask; None leaves the classifier's."""

    def start(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Called once, with the initial weights; a resumed run loads its weights and states after that, in place."""

    def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
        """Called after backward; return whether the optimiser shall make its step. Steps count from 0."""

    def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
        """Called after the optimiser's step, made or skipped."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values from which `load_state_dict` goes on exactly; stored every epoch."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a stored state."""


class FixedMask(StepHook):
    """Keeps the removed weights at exactly zero, whatever momentum and weight decay do.

    Args:
        mask: which weights are kept.

    Raises (on `start`):
        ArtefactError: the mask does not fit the network.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._removed: list[tuple[Tensor, Tensor]] = []

    @property
    @override
    def mask(self) -> Mask:
        return self._mask

    @override
    def start(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self._mask.apply(module)
        parameters = dict(module.named_parameters())
        self._removed = [
            (parameters[name], ~kept.to(parameters[name].device)) for name, kept in self._mask.items() if not kept.all()
        ]

    @override
    def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
        return True

    @override
    def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
        with torch.no_grad():
            for parameter, removed in self._removed:
                parameter.masked_fill_(removed, 0)

    @override
    def state_dict(self) -> dict[str, Any]:
        """Nothing changes, so nothing is stored."""
        return {}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing to take up."""
