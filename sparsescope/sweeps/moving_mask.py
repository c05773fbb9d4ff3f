"""Methods that prune while they train, as a hook of our training loop."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from typing_extensions import override

from sparsescope.mask import Mask
from sparsescope.training import StepHook

__all__ = ["MovingMask"]


class MovingMask(StepHook):
    """Sparse training in `training.train`, by a class as `pruning.RigL` is one; see there and `StepHook`.

    Args:
        method: the class: called with (module, optimiser, sparsity=…, total_steps=…, **options).
        sparsity: fraction removed.
        total_steps: optimiser steps of the whole training.
        options: keywords of the class.
    """

    def __init__(self, method: Callable[..., Any], sparsity: float, total_steps: int, **options: Any) -> None:
        self._method = method
        self._arguments = {"sparsity": sparsity, "total_steps": total_steps, **options}
        self._running: Any = None  # made in `start`

    @property
    @override
    def mask(self) -> Mask:
        mask: Mask = self._running.mask
        return mask

    @override
    def start(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self._running = self._method(module, optimiser, **self._arguments)

    @override
    def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
        """Make the method's step in the optimiser's place."""
        self._running.step()
        return False

    @override
    def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
        """The method has made its own step."""

    @override
    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = self._running.state_dict()
        return state

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._running.load_state_dict(state)
