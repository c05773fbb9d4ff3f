"""Weights that no method looks at: recurrent layers, embeddings, layers of a user's class, standardized weights."""

import warnings

from torch import nn

from sparsescope.errors import SparsescopeWarning
from sparsescope.mask import Mask, every_weight, passed_over, standardized_weights

__all__ = ["warn_of_passed_over"]

_FEW = 0.01
"""Share of all weights below which what is passed over is not worth a word."""

_SHOWN = 6


def warn_of_passed_over(module: nn.Module, mask: Mask) -> None:
    """Warn (SparsescopeWarning), naming them, where layers hold weights that are no candidates for removal.

    Heads and what the caller asked to leave alone are not meant. It warns too if the mask is for weights that their
    layers standardize: their zeros are no zeros of what the layers multiply with.
    """
    size = sum(weight.numel() for weight in every_weight(module).values())
    standardized = set(standardized_weights(module))
    if standardized & mask.keys():
        warnings.warn(
            f"The mask removes weights of {_listed(list(standardized & mask.keys()))}, which these layers standardize, "
            "or change otherwise, in the forward pass: the parameters become zero, but what the layers multiply with "
            "stays dense, and does not count as sparsity. It has no other weights to prune beside its head.",
            SparsescopeWarning,
            stacklevel=3,
        )
    others = {name: weight.numel() for name, weight in passed_over(module).items() if name not in mask}
    share = sum(others.values()) / size if size else 0.0
    if share < _FEW:
        return
    removed = sum(int((~kept).sum()) for kept in mask.values())
    why = (
        "their layers standardize them, or change them otherwise, in the forward pass, so that zeros would be none"
        if others.keys() <= standardized
        else "only convolutions, linear layers and attention projections that use their weights as they are can be "
        "pruned"
    )
    warnings.warn(
        f"{share:.0%} of the network's weights are left alone: {_listed(list(others))}; {why}. The mask removes "
        f"{mask.sparsity:.1%} of the weights that it is for, and {removed / size:.1%} of all.",
        SparsescopeWarning,
        stacklevel=3,
    )


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''}"
