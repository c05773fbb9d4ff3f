"""From scores to a mask: keep the highest-scored weights, exactly as many as the sparsity says.

Among equal scores those that come first in the network are removed first, so that a mask depends on nothing else.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.pruning.n_m import n_m_mask, pattern
from sparsescope.pruning.quotas import quotas
from sparsescope.values import is_number

__all__ = ["check_scope", "make_mask"]


def make_mask(
    scores: Mapping[str, Tensor], sparsity: float | None, *, scope: str, method: str, within: Mask | None = None
) -> Mask:
    """Return the mask that keeps the weights with the highest scores.

    Args:
        scores: parameter name -> score of every weight, higher is kept; shaped like the parameter.
        sparsity: fraction removed of all of them, 0 <= sparsity < 1; round(sparsity x weights) are removed. None where
            the scope is N:M, which fixes it.
        scope: which weights compete. `"global"`: all. `"layerwise"`: those of a layer, every layer gets the same
            sparsity. `"erk"`: those of a layer, layers get the densities of `quotas`. `"N:M"`, such as `"2:4"`: groups
            of M consecutive input weights, of which N are kept (`n_m_mask`).
        method: name of the method, kept in the mask.
        within: weights that this mask removes are not kept, and count as removed; entries of other parameters are
            taken over as they are.

    Raises:
        OptionError: sparsity out of range, less than what `within` removes, or not that of N:M; unknown scope.
        InputError: nothing to prune, or a score is not finite; the text names the layer.

    Example:
        >>> import torch
        >>> from sparsescope.pruning.masking import make_mask
        >>> scores = {"a": torch.tensor([1.0, 4.0]), "b": torch.tensor([2.0, 3.0])}
        >>> mask = make_mask(scores, 0.5, scope="global", method="toy")
        >>> {name: kept.tolist() for name, kept in mask.items()}
        {'a': [False, True], 'b': [False, True]}
    """
    n_m, lowered = check_scope(scope, sparsity), _lowered(scores, within)
    if n_m is not None:
        kept = n_m_mask(lowered, *n_m)
    elif sparsity is None:
        raise OptionError(f"Expected a sparsity (fraction removed) for the scope {scope!r}, but got none.")
    elif scope == "global":
        kept = _all_together(lowered, _number_removed(lowered, sparsity))
    else:
        kept = _layer_by_layer(lowered, _number_removed(lowered, sparsity), scope)
    others = {name: tensor for name, tensor in (within or {}).items() if name not in kept and not bool(tensor.all())}
    return Mask({**kept, **others}, method=method)


def check_scope(scope: str, sparsity: float | None) -> tuple[int, int] | None:
    """Return (N, M) where the scope is N:M, else None; OptionError if it is unknown, or not that of `sparsity`."""
    n_m = pattern(scope) if isinstance(scope, str) else None
    if n_m is None and scope not in ("global", "layerwise", "erk"):
        raise OptionError(f"Expected scope 'global', 'layerwise', 'erk' or N:M such as '2:4', but got {scope!r}.")
    fixed = None if n_m is None else 1 - n_m[0] / n_m[1]
    if fixed is not None and sparsity is not None and not (is_number(sparsity) and abs(sparsity - fixed) <= 1e-9):
        raise OptionError(f"Scope {scope} removes {fixed:g} of the weights, not {sparsity!r}.")
    return n_m


def _lowered(scores: Mapping[str, Tensor], within: Mask | None) -> dict[str, Tensor]:
    """Return the scores as float64 on the CPU, -inf where `within` removes the weight."""
    if not scores:
        raise InputError("Expected a network with convolutions or linear layers beside its head, but there are none.")
    lowered = {}
    for name, score in scores.items():
        values = score.detach().cpu().double()
        if not bool(torch.isfinite(values).all()):
            raise InputError(f"Expected finite scores, but {name} has nan or infinite ones. Are its weights finite?")
        if within is not None and name in within:
            if within[name].shape != values.shape:
                raise InputError(
                    f"The mask to stay within has shape {tuple(within[name].shape)} for {name}, the network "
                    f"{tuple(values.shape)}. Give a mask of this network."
                )
            values = values.masked_fill(~within[name], -torch.inf)
        lowered[name] = values
    return lowered


def _number_removed(lowered: Mapping[str, Tensor], sparsity: float) -> int:
    size = sum(score.numel() for score in lowered.values())
    gone = sum(int(torch.isinf(score).sum()) for score in lowered.values())
    if not (is_number(sparsity) and 0 <= sparsity < 1):
        raise OptionError(f"Expected a sparsity (fraction removed) of at least 0 and below 1, but got {sparsity!r}.")
    removed = round(sparsity * size)
    if removed < gone:
        raise OptionError(
            f"Expected a sparsity of at least {gone / size:.6f}, which the mask to stay within has, but got {sparsity}."
        )
    return removed


def _all_together(lowered: Mapping[str, Tensor], removed: int) -> dict[str, Tensor]:
    kept = _without_lowest(torch.cat([score.flatten() for score in lowered.values()]), removed)
    pieces = torch.split(kept, [score.numel() for score in lowered.values()])
    return {name: piece.view(score.shape) for (name, score), piece in zip(lowered.items(), pieces, strict=True)}


def _layer_by_layer(lowered: Mapping[str, Tensor], removed: int, scope: str) -> dict[str, Tensor]:
    total = sum(score.numel() for score in lowered.values()) - removed
    capacities = [int(torch.isfinite(score).sum()) for score in lowered.values()]
    counts = quotas([tuple(score.shape) for score in lowered.values()], total, scope=scope, capacities=capacities)
    return {
        name: _without_lowest(score.flatten(), score.numel() - count).view(score.shape)
        for (name, score), count in zip(lowered.items(), counts, strict=True)
    }


def _without_lowest(scores: Tensor, removed: int) -> Tensor:
    """Return which entries of `scores` (n,) are kept when the `removed` lowest go, the first of equal ones."""
    if removed == 0:
        return torch.ones(len(scores), dtype=torch.bool)
    threshold = scores.kthvalue(removed).values  # ten times as fast as sorting
    kept = scores > threshold
    equal = (scores == threshold).nonzero().flatten()
    kept[equal[removed - int((scores < threshold).sum()) :]] = True
    return kept
