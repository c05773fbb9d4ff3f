"""RigL as a hook of our training loop."""

from typing import Any

import torch
from torch import nn
from typing_extensions import override

from sparsescope.mask import Mask
from sparsescope.pruning import RigL
from sparsescope.training import StepHook

__all__ = ["RigLHook"]


class RigLHook(StepHook):
    """Sparse training by RigL in `training.train`; see `StepHook` and `RigL`.

    Args:
        sparsity: fraction removed.
        total_steps: optimiser steps of the whole training.
        options: keywords of `RigL`.
    """

    def __init__(self, sparsity: float, total_steps: int, **options: Any) -> None:
        self._arguments = {"sparsity": sparsity, "total_steps": total_steps, **options}
        self._rigl: RigL | None = None

    @property
    def rigl(self) -> RigL:
        """The running RigL, made in `start`."""
        assert self._rigl is not None
        return self._rigl

    @property
    @override
    def mask(self) -> Mask:
        return self.rigl.mask

    @override
    def start(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self._rigl = RigL(module, optimiser, **self._arguments)

    @override
    def before_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> bool:
        """Make RigL's step in the optimiser's place."""
        self.rigl.step()
        return False

    @override
    def after_step(self, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
        """RigL has made its own step."""

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.rigl.state_dict()

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rigl.load_state_dict(state)
