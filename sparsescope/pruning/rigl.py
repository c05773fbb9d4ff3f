"""RigL: sparse training in which a layer's smallest weights make room for those with the largest gradients."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparsescope.errors import InputError, OptionError, SparsescopeWarning
from sparsescope.mask import Mask
from sparsescope.pruning.methods import prune
from sparsescope.pruning.n_m import pattern
from sparsescope.pruning.subject import candidates
from sparsescope.values import is_number, is_whole

__all__ = ["RigL", "check_rigl"]


class RigL:
    """Sparse training of a network in any loop, by `rigl.step()` where the loop has `optimizer.step()`.

        rigl = RigL(module, optimizer, sparsity=0.8, total_steps=epochs * len(loader))
        ...
            loss.backward()
            rigl.step()
        rigl.mask  # at the end

    It starts with a random mask of ERK densities. Every `every` steps t, before T = until x total_steps, the step of
    the optimiser is left out. Instead each layer drops the fraction alpha / 2 (1 + cos(pi t / T)) of its weights,
    rounded down, those smallest in absolute value, and grows as many, those with the largest dense gradient among the
    removed ones. Grown weights start at 0, and the optimiser's buffers (momentum, Adam's moments) at grown and dropped
    weights too; a weight that is dropped and grown at once stays as it is. A layer whose removed weights have no
    gradient is left as it is. Sparsity never changes. Source: Evci et al. 2020, algorithm 1.

    Gradient accumulation: one `step` per optimiser step; the accumulated gradient decides. Several processes (DDP):
    pass the inner module; as all see the same averaged gradients, all take the same decisions. Gradient clipping sees
    the dense gradients, unless `mask_gradients` is called before. A `GradScaler` takes it in the optimiser's place:
    `scaler.step(rigl)`. A running average of the weights (EMA) still holds what was dropped since: call
    `rigl.mask.apply(average.module)` before it is used.

    To resume: make it as before, then load the states of module, optimiser and RigL, in any order.

    Args:
        module: the network; the weights that the mask removes are set to zero here and now.
        optimizer: SGD, Adam or any torch optimiser that keeps a weight still whose gradient, buffers and value are 0.
        sparsity: fraction removed, 0 <= sparsity < 1.
        total_steps: number of optimiser steps of the whole training.
        every: steps between two changes of the mask, delta T in the paper.
        alpha: fraction of a layer's weights that is dropped at the start.
        until: fraction of the training, 0 to 1, after which the mask stays.
        scope: how sparsity is spread over layers, `"erk"`, `"layerwise"` or `"global"`.
        seed: key of the random start.
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.

    Raises:
        OptionError: an option out of range.
        InputError: nothing to prune, or the optimiser does not hold a weight that the mask covers.

    Warns:
        SparsescopeWarning: training is too short for a single change of the mask.

    Example:
        >>> import torch
        >>> from sparsescope.pruning import RigL
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        >>> rigl = RigL(network, optimizer, sparsity=0.75, total_steps=20, every=5)
        >>> for _ in range(20):
        ...     optimizer.zero_grad()
        ...     network(torch.rand(4, 8)).square().mean().backward()
        ...     rigl.step()
        >>> rigl.mask.sparsity
        0.75
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: Optimizer,
        sparsity: float,
        total_steps: int,
        *,
        every: int = 100,
        alpha: float = 0.3,
        until: float = 0.75,
        scope: str = "erk",
        seed: int = 0,
        prune_head: bool = False,
        skip_first: bool = False,
    ) -> None:
        check_rigl(total_steps, every, alpha, until, scope)
        names = candidates(module, prune_head=prune_head, skip_first=skip_first)
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        foreign = [name for name, weight in names.items() if id(weight) not in held]
        if foreign:
            raise InputError(
                f"Expected the optimiser to hold every prunable weight, but it lacks {', '.join(foreign)}."
            )
        mask = prune(
            "random", module, None, sparsity, scope=scope, seed=seed, prune_head=prune_head, skip_first=skip_first
        )
        self.optimizer = optimizer
        self.steps = 0
        self._weights = names
        self._every, self._alpha, self._end = every, alpha, until * total_steps
        self._expected_nonzero: int | None = None
        self._warn_of_rest()
        self._set(mask)
        self._apply()

    @property
    def mask(self) -> Mask:
        """The weights that are trained now."""
        return Mask(self._kept, method="rigl")

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The optimiser's, for `GradScaler`."""
        return self.optimizer.param_groups

    @property
    def drop_fraction(self) -> float:
        """Fraction of a layer's weights that the coming step replaces; 0 where it is a step of the optimiser."""
        t = self.steps + 1
        if t % self._every or t >= self._end:
            return 0.0
        return self._alpha / 2 * (1 + math.cos(math.pi * t / self._end))

    def step(self) -> None:
        """Take the optimiser's step, or change the mask; gradients must be there, as for `optimizer.step()`.

        Raises:
            InputError: after `load_state_dict`, if the module's weights are not those that were saved with it.
        """
        self._check_resumed()
        fraction = self.drop_fraction
        if fraction > 0:
            self._change(fraction)
        else:
            self.mask_gradients()
            self.optimizer.step()
        self._apply()
        self.steps += 1

    @torch.no_grad()
    def mask_gradients(self) -> None:
        """Set the gradients of removed weights to zero, unless the coming step needs them to choose; `step` does it."""
        if self.drop_fraction == 0:
            for name, weight in self._weights.items():
                if weight.grad is not None:
                    weight.grad.masked_fill_(~self._kept[name], 0)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values and tensors: where training stands and the mask."""
        return {"steps": self.steps, "nonzero": self._nonzero(), "mask": dict(self.mask)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`; the weights and the optimiser's state are loaded apart, before the next step.

        Raises:
            InputError: the state is that of another network.
        """
        mask = Mask(state["mask"], method="rigl")
        shapes = {name: tuple(weight.shape) for name, weight in self._weights.items()}
        if {name: tuple(kept.shape) for name, kept in mask.items()} != shapes:
            raise InputError("The saved RigL state is not of this network or these options: its layers differ.")
        self._set(mask)
        self.steps, self._expected_nonzero = state["steps"], state["nonzero"]

    @torch.no_grad()
    def _change(self, fraction: float) -> None:
        """Choose the new mask and clear the optimiser's buffers; `_apply` clears dropped weights, grown ones are 0."""
        for name, weight in self._weights.items():
            # Where the loss does not depend on what is removed of a layer, nothing says what to grow.
            if weight.grad is None or not bool(weight.grad.masked_fill(self._kept[name], 0).any()):
                continue
            kept = _dropped_and_grown(weight, weight.grad, self._kept[name], fraction)
            changed = kept ^ self._kept[name]
            self._kept[name] = kept
            for buffer in self.optimizer.state.get(weight, {}).values():
                if isinstance(buffer, Tensor) and buffer.shape == weight.shape:
                    buffer.masked_fill_(changed, 0)

    def _warn_of_rest(self) -> None:
        if 0 < self._end <= self._every:
            warnings.warn(
                f"RigL never changes its mask: the first change would come at step {self._every}, and the mask stays "
                f"from step {self._end:g} on. Choose a smaller every, or train longer.",
                SparsescopeWarning,
                stacklevel=3,
            )

    def _set(self, mask: Mask) -> None:
        self._kept = {name: mask[name].to(weight.device) for name, weight in self._weights.items()}

    @torch.no_grad()
    def _apply(self) -> None:
        for name, weight in self._weights.items():
            weight.masked_fill_(~self._kept[name], 0)

    def _nonzero(self) -> int:
        return sum(int(weight.detach().count_nonzero()) for weight in self._weights.values())

    def _check_resumed(self) -> None:
        """Making RigL sets weights to zero: weights that were loaded before that are damaged."""
        if self._expected_nonzero is not None and self._nonzero() != self._expected_nonzero:
            raise InputError(
                f"Expected the weights that were saved with the RigL state, {self._expected_nonzero} of them not zero, "
                f"but {self._nonzero()} are not. Make RigL first, then load the states of module and optimiser."
            )
        self._expected_nonzero = None


def check_rigl(
    total_steps: int = 1, every: int = 100, alpha: float = 0.3, until: float = 0.75, scope: str = "erk"
) -> None:
    """Raise OptionError if one of these options of `RigL` is out of range."""
    counts = all(is_whole(n) and n >= 1 for n in (total_steps, every))
    if not (counts and all(is_number(part) and 0 <= part <= 1 for part in (alpha, until))):
        raise OptionError(
            "Expected total_steps and every to be whole numbers of at least 1, and alpha and until from 0 to 1, but "
            f"got total_steps={total_steps!r}, every={every!r}, alpha={alpha!r}, until={until!r}."
        )
    if pattern(scope) is not None:
        raise OptionError(f"RigL moves single weights, which breaks {scope}: choose 'erk', 'layerwise' or 'global'.")


def _dropped_and_grown(weight: Tensor, gradient: Tensor, kept: Tensor, fraction: float) -> Tensor:
    """Return the new mask of a layer; among equals the first in the tensor is dropped first, and grown first."""
    count = int(fraction * int(kept.sum()))
    new = kept.flatten().clone()
    sizes = weight.abs().masked_fill(~kept, torch.inf).flatten()
    new[torch.argsort(sizes, stable=True)[:count]] = False
    growth = gradient.abs().flatten().masked_fill(new, -1)
    new[torch.argsort(growth, descending=True, stable=True)[:count]] = True
    return new.view_as(kept)
