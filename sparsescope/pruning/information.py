"""Scores that carry no information: a mask made of them is the order of the weights, not what its method says."""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sparsescope.errors import InputError, SparsescopeWarning
from sparsescope.mask import Mask
from sparsescope.pruning.n_m import pattern

__all__ = ["check_information"]

_REFUSED, _WARNED = 0.5, 0.1


def check_information(
    scores: Mapping[str, Tensor], mask: Mask, module: nn.Module, *, scope: str, within: Mask | None = None
) -> None:
    """Refuse a mask that follows from the order of the weights rather than from their scores.

    It is refused if no score is above the smallest normal number of its type, or if more than half of the weights that
    compete have the score at the threshold, so that it separates nothing, and more than half of the weights kept (or
    removed, if these are fewer) were chosen among them by their order. From a tenth on it warns, and also where this is
    so in a layer that competes for itself. Weights that `within` removed before do not compete.

    Args:
        scores: parameter name -> score, as given to `make_mask`.
        mask: what `make_mask` made of them.
        module: the network, in which the cause is looked for.
        scope: which weights compete, as given to `make_mask`.
        within: likewise.

    Raises:
        InputError: the scores carry no information; the text names weights that are zero, and what to do.

    Warns:
        SparsescopeWarning: a part of the mask follows from the order of the weights.
    """
    groups = _groups(scores, mask, scope, within)
    removing = [group for group in groups.values() if bool((group.competing & ~group.kept).any())]
    if not removing:
        return
    cause = _cause(module, within or {})
    method, smallest = mask.method or "the method", min(map(_smallest_normal, scores.values()))
    if max(float(group.scores[group.competing].abs().max()) for group in removing) < smallest:
        raise InputError(f"All scores of {method} are 0, and a mask would follow from the weights' order alone.{cause}")
    ties = {name: _ties(group) for name, group in groups.items()}
    total = _Ties(*map(sum, zip(*ties.values(), strict=True)))
    share = f"{total.tied / total.competing:.0%} of the weights have the same score of {method}"
    if total.beyond(_REFUSED):
        raise InputError(f"{share}, and which of them to keep would follow from their order alone.{cause}")
    layers = [name for name, each in ties.items() if each.beyond(_REFUSED)]
    if layers or total.beyond(_WARNED):
        where = f" in {', '.join(layers)}" if layers else ""
        warnings.warn(
            f"{share}, and which of them are kept follows from their order alone{where}.", SparsescopeWarning, 3
        )


class _Group(NamedTuple):
    """Scores (rows, n) of which each row is decided for itself, which are kept, and which compete."""

    scores: Tensor
    kept: Tensor
    competing: Tensor


class _Ties(NamedTuple):
    """Numbers of weights: with the score at the threshold, chosen by order, chosen at all, and competing."""

    tied: int
    by_order: int
    chosen: int
    competing: int

    def beyond(self, share: float) -> bool:
        """Return whether more than this share of the weights has one score and of the choice is by order."""
        return self.tied > share * self.competing and self.by_order > share * self.chosen


def _groups(scores: Mapping[str, Tensor], mask: Mask, scope: str, within: Mask | None) -> dict[str, _Group]:
    n_m = pattern(scope)
    groups = {}
    for name, score in scores.items():
        values, kept = score.detach().cpu().double(), mask[name]
        before = within[name] if within is not None and name in within else torch.ones_like(kept)
        parts = (values, kept, before)
        if n_m is None:
            groups[name] = _Group(*(part.reshape(1, -1) for part in parts))
        elif values.shape[1] % n_m[1] == 0:
            groups[name] = _Group(*(part.movedim(1, -1).reshape(-1, n_m[1]) for part in parts))
    if scope != "global":
        return groups
    return {"all layers": _Group(*(torch.cat(parts, 1) for parts in zip(*groups.values(), strict=True)))}


def _ties(group: _Group) -> _Ties:
    kept, removed = group.kept & group.competing, ~group.kept & group.competing
    lowest = group.scores.masked_fill(~kept, torch.inf).amin(1, keepdim=True)
    highest = group.scores.masked_fill(~removed, -torch.inf).amax(1, keepdim=True)
    tied = (group.scores == lowest) & (lowest == highest)
    return _Ties(
        int((tied & group.competing).sum()),
        int(torch.minimum((tied & kept).sum(1), (tied & removed).sum(1)).sum()),
        int(torch.minimum(kept.sum(1), removed.sum(1)).sum()),
        int(group.competing.sum()),
    )


def _smallest_normal(score: Tensor) -> float:
    return torch.finfo(score.dtype).smallest_normal if score.is_floating_point() else 1.0


def _cause(module: nn.Module, within: Mapping[str, Tensor]) -> str:
    """Return weights of which nothing passes on, if there are any beside those that were removed, and what to do."""
    emptied = {name for name, kept in within.items() if not bool(kept.any())}
    zero = [
        name
        for name, weight in module.named_parameters()
        if (name.endswith("weight") or (weight.ndim < 2 and "bias" not in name))  # scales too, but no tokens
        and name not in emptied
        and not bool(weight.any())
    ]
    if not zero:
        return " Check that the network's outputs depend on its weights, or choose another method."
    listed = ", ".join(zero[:3]) + (f" and {len(zero) - 3} more" if len(zero) > 3 else "")
    verb = "is" if len(zero) == 1 else "are"
    return f" {listed} {verb} all 0. Initialize such weights, or prune the trained network."
