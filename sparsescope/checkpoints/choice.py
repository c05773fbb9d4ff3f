"""Which of the state dicts in a file is meant."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sparsescope.checkpoints.names import Tensors, plain_names
from sparsescope.errors import ArtefactError

__all__ = ["WEIGHT_KEYS", "MissingWeightsError", "Place", "choose", "dense", "dotted", "part"]

WEIGHT_KEYS = ("state_dict", "model_state_dict", "model", "net")
"""The usual keys, of which the first counts where there are several."""

Place = tuple[str, ...]
"""Where something lies in a file, key by key."""


class MissingWeightsError(ArtefactError):
    """A file has no weights under the name asked for.

    Args:
        text: what is there.
        others: how many state dicts the file has; of one, it is clear what else could be meant.
    """

    def __init__(self, text: str, others: int) -> None:
        super().__init__(text)
        self.others = others


def dense(tensors: Tensors) -> Tensors:
    """Return the tensors with those that are stored sparse made dense: of what is used alone, as they may be large."""
    return {name: tensor if tensor.layout == torch.strided else tensor.to_dense() for name, tensor in tensors.items()}


def dotted(place: Place) -> str:
    """Return the keys with dots between them, as the user names a place."""
    return ".".join(place) or "the file itself"


def part(states: Mapping[Place, Tensors], weights: str) -> dict[Place, Tensors]:
    """Return the tensors of a state dict whose names begin with the rest of `weights`, if there are any."""
    for place, tensors in states.items():
        start = f"{dotted(place)}." if place else ""
        for rest in dict.fromkeys((weights.removeprefix(start), weights)):
            prefix = f"{rest}."
            inner = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            if inner:
                return {(*place, rest): inner}
    return {}


def choose(states: Mapping[Place, Tensors], file: Path, weights: str | None) -> tuple[Place, tuple[str, ...]]:
    """Return which state dict is meant, and what to say of the others."""
    listed = "; ".join(f"{dotted(place)} ({len(tensors)} tensors)" for place, tensors in states.items())
    if weights is not None:
        exact = [place for place in states if dotted(place) == weights]
        ends = [place for place in states if dotted(place).endswith(f".{weights}")]
        for found in (exact, ends):
            if len(found) == 1:
                return found[0], ()
        text = f"{file} has no weights under {weights!r}. Weights in it: {listed or 'none'}."
        raise MissingWeightsError(text, len(states))
    if len(states) == 1:
        return next(iter(states)), ()
    usual = [place for place in states if not place or place[-1] in WEIGHT_KEYS]
    chosen = min(usual or states, key=lambda place: (len(place), _rank(place)))
    own = plain_names(states[chosen])[0]
    others = {place: plain_names(tensors)[0] for place, tensors in states.items() if place != chosen}
    others = {place: tensors for place, tensors in others.items() if not _equal(own, tensors)}
    alike = [place for place, tensors in others.items() if set() < _matrices(tensors) <= _matrices(own)]
    if alike or (others and not usual):
        raise ArtefactError(
            f"{file} holds several sets of weights, and it is not known which is meant: {listed}. Choose one with "
            f"--weights, such as --weights {dotted(alike[0] if alike else chosen)}."
        )
    if not others:
        return chosen, ()
    rest = ", ".join(f"{dotted(place)} ({len(tensors)} tensors)" for place, tensors in others.items())
    return chosen, (f"weights are those under {dotted(chosen)!r}; not used: {rest}. Choose with --weights.",)


def _rank(place: Place) -> int:
    return WEIGHT_KEYS.index(place[-1]) if place and place[-1] in WEIGHT_KEYS else -1


def _shapes(tensors: Tensors) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}


def _matrices(tensors: Tensors) -> set[str]:
    return {name for name, tensor in tensors.items() if tensor.ndim >= 2}


def _equal(one: Tensors, other: Tensors) -> bool:
    return _shapes(one) == _shapes(other) and all(_same(one[name], other[name]) for name in _shapes(one))


def _same(one: Tensor, other: Tensor) -> bool:
    if one.is_meta or other.is_meta or (one.is_quantized, one.layout) != (other.is_quantized, other.layout):
        return False
    return torch.equal(*((one, other) if one.layout == torch.strided else (one.to_dense(), other.to_dense())))
