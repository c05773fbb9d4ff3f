"""Logits from what networks return: tensors (N, ...) of each form, and what shows that values have another one."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "BINARY",
    "BINARY_PROBABILITIES",
    "LOGITS",
    "PROBABILITIES",
    "ROUNDING",
    "SIGMOIDS",
    "SQUEEZED",
    "Adaptation",
    "are_probabilities",
    "in_unit_interval",
    "sum_to_one",
]

ROUNDING = 0.01
"""How far probabilities may be from [0, 1], and their sum from 1: several times what bfloat16 rounds away."""


@dataclass(frozen=True)
class Adaptation:
    """How logits are read from a form of values.

    Args:
        adapt: values (N, ...) -> logits, or values that are nearer to them; differentiable.
        single: whether there is one value for an image, (N,) or (N, 1).
        problem: finite values -> how they contradict the form; None where they do not.
    """

    adapt: Callable[[Tensor], Tensor]
    single: bool = False
    problem: Callable[[Tensor], str | None] = lambda values: None


def in_unit_interval(values: Tensor) -> bool:
    """Return whether all values lie in [0, 1], to within rounding."""
    return bool(((values >= -ROUNDING) & (values <= 1 + ROUNDING)).all())


def sum_to_one(rows: Tensor) -> bool:
    """Return whether every row (N, K) sums to 1, to within rounding."""
    return bool(((rows.double().sum(1) - 1).abs() <= ROUNDING).all())


def are_probabilities(rows: Tensor) -> bool:
    """Return whether rows (N, K) look as after a softmax."""
    return in_unit_interval(rows) and sum_to_one(rows)


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def _outside(values: Tensor) -> str | None:
    if in_unit_interval(values):
        return None
    return f"its values reach from {values.min():.3g} to {values.max():.3g}, and not only from 0 to 1"


def _no_distribution(rows: Tensor) -> str | None:
    if (outside := _outside(rows)) is not None or sum_to_one(rows):
        return outside
    sums = rows.double().sum(1)
    return f"its rows sum to {sums.min():.3g}–{sums.max():.3g}, and not to 1"


def _two(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first.reshape(-1), second.reshape(-1)], dim=1)


LOGITS = Adaptation(lambda values: values)
PROBABILITIES = Adaptation(_log, problem=_no_distribution)
SIGMOIDS = Adaptation(lambda values: _log(values) - _log(1 - values), problem=_outside)
BINARY = Adaptation(lambda values: _two(-values / 2, values / 2), single=True)
BINARY_PROBABILITIES = Adaptation(lambda values: _two(_log(1 - values), _log(values)), single=True, problem=_outside)
SQUEEZED = Adaptation(
    lambda values: values.reshape([*values.shape[:1], *(size for size in values.shape[1:] if size > 1)])
)
