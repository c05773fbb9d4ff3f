"""From scores to a mask: keep the highest-scored weights, exactly as many as the sparsity says."""

from collections.abc import Mapping

import torch
from torch import Tensor

from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask

__all__ = ["global_mask"]


def global_mask(scores: Mapping[str, Tensor], sparsity: float, *, method: str) -> Mask:
    """Return the mask that removes the lowest-scored fraction of all weights together.

    Exactly round(sparsity x number of weights) are removed; among equal scores those that come first in the network.

    Args:
        scores: parameter name -> score of every weight, higher is kept; shaped like the parameter.
        sparsity: fraction removed, 0 <= sparsity < 1.
        method: name of the method, kept in the mask.

    Raises:
        OptionError: sparsity out of range.
        InputError: nothing to prune, or a score is not finite; the text names the layer.
    """
    if not 0 <= sparsity < 1:
        raise OptionError(f"Expected a sparsity (fraction removed) of at least 0 and below 1, but got {sparsity}.")
    if not scores:
        raise InputError("Expected a network with convolutions or linear layers beside its head, but there are none.")
    for name, score in scores.items():
        if not bool(torch.isfinite(score).all()):
            raise InputError(f"Expected finite scores, but {name} has nan or infinite ones. Are its weights finite?")
    flat = torch.cat([score.detach().flatten().cpu().double() for score in scores.values()])
    order = torch.argsort(flat, stable=True)
    kept = torch.ones(len(flat), dtype=torch.bool)
    kept[order[: round(sparsity * len(flat))]] = False
    pieces = torch.split(kept, [score.numel() for score in scores.values()])
    shaped = {name: piece.view(score.shape) for (name, score), piece in zip(scores.items(), pieces, strict=True)}
    return Mask(shaped, method=method)
