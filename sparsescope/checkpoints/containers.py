"""What a file's nested dictionaries and lists hold: state dicts and collections of masks, found by their content."""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import torch
from torch import Tensor

from sparsescope.checkpoints.choice import WEIGHT_KEYS, Place, choose, dense, dotted, part
from sparsescope.checkpoints.names import Tensors
from sparsescope.errors import ArtefactError

__all__ = ["Found", "find", "holds_mask_values", "is_named_mask"]

_DEEPEST = 5  # levels of nesting followed
_SHOWN = 8
_OPTIMIZER = {"state", "param_groups"}  # what an optimizer's state dict consists of: its tensors are no weights
_WEIGHT = re.compile(r"(^|[._])weight(_orig|_v|\.original[01]?)?$")
_MASK = re.compile(r"(^|[._])masks?$|^masks?_(dict|list|state)")


@dataclass(frozen=True)
class Found:
    """What was found in a file.

    Args:
        tensors: the state dict; empty where there is none.
        masks: collections of tensors that may be its masks, by where they lie; those of a list are named by their
            index.
        layout: what was unwrapped, in words.
        warnings: what else the file holds that may have been meant.
    """

    tensors: Tensors
    masks: dict[str, Tensors] = field(default_factory=dict)
    layout: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find(value: object, file: Path, weights: str | None = None) -> Found:
    """Return the state dict of a file's content, and the collections of masks that go with it.

    Without `weights`, a state dict is the only one; else that under the usual keys, unless another has its names and
    other values: which of the two is meant only the user knows.

    Args:
        value: the content.
        file: for errors.
        weights: the state dict's keys with dots between them (`checkpoint.model_ema`); what its names begin with may
            follow (`state_dict.teacher`).

    Raises:
        MissingWeightsError: there is nothing under `weights`.
        ArtefactError: there is no tensor that could be used, or several state dicts could be meant.
    """
    states = _states(value)
    masks = _masks(value, states)
    if weights is not None:
        states |= part(states, weights)
    if states or weights is not None:
        place, warnings = choose(states, file, weights)
        near = {dotted(other): found for other, found in masks.items() if _belongs(other, place, states)}
        return Found(dense(states[place]), near, _unwrapped(place), (*warnings, *_unused(value, states[place])))
    if not masks:
        raise ArtefactError(_nothing_found(value, file))
    if len(masks) > 1:
        named = ", ".join(dotted(place) for place in masks)
        raise ArtefactError(
            f"{file} holds no weights, but {len(masks)} collections of masks ({named}). Save the one that is meant."
        )
    ((place, tensors),) = masks.items()
    return Found({}, {dotted(place): dense(tensors)}, _unwrapped(place))


def holds_mask_values(tensor: Tensor) -> bool:
    """Return whether a tensor holds nothing but zeros and ones."""
    if tensor.is_quantized or tensor.is_meta:
        return False
    if tensor.layout != torch.strided:
        tensor = tensor.coalesce().values() if tensor.layout == torch.sparse_coo else tensor.values()
    return tensor.dtype == torch.bool or bool(((tensor == 0) | (tensor == 1)).all())


def is_named_mask(key: str) -> bool:
    """Return whether a key says that what it holds are masks."""
    return _MASK.search(key) is not None


def _states(value: object) -> dict[Place, Tensors]:
    """Return every state dict by its place: known by the names of its tensors, or by its own key."""
    found = {}
    for place, inner in _walk(value):
        tensors = _tensors(inner) if isinstance(inner, Mapping) else {}
        if not tensors or (place and is_named_mask(place[-1])) or all(map(holds_mask_values, tensors.values())):
            continue
        named = any(_WEIGHT.search(name) and tensor.ndim >= 2 for name, tensor in tensors.items())
        if named or (place and place[-1] in WEIGHT_KEYS):
            found[place] = tensors
    if not found and isinstance(value, Mapping) and not all(map(holds_mask_values, (bare := _tensors(value)).values())):
        return {(): bare}
    return found


def _masks(value: object, states: Container[Place]) -> dict[Place, Tensors]:
    """Return every collection of zeros and ones, and whatever else is named as masks, by its place."""
    found: dict[Place, Tensors] = {}
    for outer, item in _walk(value):
        if any(outer[: len(place)] == place for place in found):
            continue
        named = bool(outer) and is_named_mask(outer[-1])
        if named or all(map(holds_mask_values, _leaves(item).values())):
            place, tensors = _innermost(outer, item)
            found |= {place: tensors} if tensors else {}
        elif outer not in states:  # `layout` looks for masks among weights
            found |= {(*outer, name): {name: tensor} for name, tensor in _strays(item).items()}
    return found


def _unused(value: object, chosen: Tensors) -> tuple[str, ...]:
    """Return a warning for each thing that may have been meant, but is of no form that could be used."""
    shapes = sorted(tuple(tensor.shape) for tensor in chosen.values() if tensor.ndim >= 2)
    warnings = []
    for place, item in _walk(value):
        tensors = _tensors(item)
        if isinstance(item, list | tuple) and sorted(tuple(t.shape) for t in tensors.values() if t.ndim >= 2) == shapes:
            if not all(map(holds_mask_values, tensors.values())):
                warnings.append(f"{dotted(place)!r} holds tensors of the weights' shapes without names: not used.")
        elif place and is_named_mask(place[-1]) and item and not _leaves(item):
            warnings.append(f"{dotted(place)!r} holds no tensors, as masks would be: not used.")
    return tuple(warnings)


def _innermost(place: Place, value: object) -> tuple[Place, Tensors]:
    """Return the leaves of the first container on the way down that holds more than one other container."""
    while not _tensors(value):
        inner = [(key, item) for key, item in _entries(value) if _leaves(item)]
        if len(inner) != 1:
            break
        place, value = (*place, inner[0][0]), inner[0][1]
    return place, _leaves(value)


def _strays(value: object) -> Tensors:
    """Return masks that lie among other content."""
    return {
        name: tensor
        for name, tensor in _tensors(value).items()
        if is_named_mask(name) or (tensor.ndim >= 2 and holds_mask_values(tensor))
    }


def _belongs(masks: Place, chosen: Place, states: Mapping[Place, Tensors]) -> bool:
    """Return whether masks do not lie nearer to other weights than to the chosen ones."""
    nearness = {place: _in_common(masks, place) for place in states}
    return nearness[chosen] == max(nearness.values())


def _in_common(one: Place, other: Place) -> int:
    """Return the number of keys that two ways through a file begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _walk(value: object) -> Iterator[tuple[Place, object]]:
    """Yield every dictionary and list with its place, outer ones first, each once; optimizers' states are left out."""
    seen: set[int] = set()
    level: list[tuple[Place, object]] = [((), value)]
    for _ in range(_DEEPEST):
        inner: list[tuple[Place, object]] = []
        for place, item in level:
            if id(item) in seen or not isinstance(item, Mapping | list | tuple):
                continue
            seen.add(id(item))
            if isinstance(item, Mapping) and item.keys() >= _OPTIMIZER:
                continue
            yield place, item
            inner += [((*place, key), child) for key, child in _entries(item)]
        level = inner


def _entries(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    return [(str(index), item) for index, item in enumerate(value)] if isinstance(value, list | tuple) else []


def _tensors(value: object) -> Tensors:
    """Return the tensors of one dictionary or list; counters and settings in it are passed over."""
    return {key: item.detach() for key, item in _entries(value) if isinstance(item, Tensor)}


def _leaves(value: object) -> Tensors:
    """Return all tensors below a value, by their keys with dots between them."""
    return {dotted((*place, name)): item for place, inner in _walk(value) for name, item in _tensors(inner).items()}


def _unwrapped(place: Place) -> tuple[str, ...]:
    return tuple(f"nested under {key!r}" for key in place)


def _nothing_found(value: object, file: Path) -> str:
    found = f"a {type(value).__name__}"
    if isinstance(value, Mapping):
        keys = ", ".join(repr(key) for key in list(value)[:_SHOWN])
        found = f"a dictionary with the keys {keys}" if keys else "an empty dictionary"
    return (
        f"Expected {file} to hold a state dict (tensors by name), bare or under one of {', '.join(WEIGHT_KEYS)}, but "
        f"it holds {found}. Save it with torch.save(model.state_dict(), 'weights.pt')."
    )
