"""Names of tensors without what wrappers and tools put before, into or beside them."""

from collections import Counter
from collections.abc import Iterable

from torch import Tensor

__all__ = ["Tensors", "inner_names", "like_networks", "main_part", "plain_names"]

Tensors = dict[str, Tensor]
"""By name."""

_INFIXES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module.")
_WHOLE = "module."  # DataParallel, DistributedDataParallel, AveragedModel: before every name
_OF_THOP = ("total_ops", "total_params")  # in every layer that it has counted
_OF_AVERAGES = ("n_averaged",)  # beside `module`
_DEEPEST = 5  # attributes followed


def plain_names(tensors: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """Return the tensors by the names that the network itself gives them, and what was undone, in words.

    Undone are the prefixes of DataParallel, torch.compile, AveragedModel, FSDP and activation checkpointing in any
    order, and counters that AveragedModel and thop store beside the weights.
    """
    undone = []
    for infix in _INFIXES:
        if any(infix in name for name in tensors):
            tensors = {name.replace(infix, ""): tensor for name, tensor in tensors.items()}
            undone.append(f"{infix!r} removed from the names")
    for word, counters in (("of thop", _counters(tensors, _OF_THOP)), ("of AveragedModel", _averaging(tensors))):
        if counters:
            tensors = {name: tensor for name, tensor in tensors.items() if name not in counters}
            undone.append(f"counters {word} left out")
    while _all_begin(tensors, _WHOLE):
        tensors = {name.removeprefix(_WHOLE): tensor for name, tensor in tensors.items()}
        undone.append(f"{_WHOLE!r} removed from the names")
    return tensors, tuple(undone)


def inner_names(names: Iterable[str]) -> list[tuple[dict[str, str], str]]:
    """Return further ways to read names, each as old name -> new name and in words; the first that fits is right.

    A network that is one attribute of another (`model.`, `backbone.`), up to five deep; and one whose parts are
    wrapped by DataParallel (`features.module.0.weight`).
    """
    ways = []
    inner = {name: name for name in names}
    for _ in range(_DEEPEST):
        prefix = f"{next(iter(inner.values()), '').partition('.')[0]}."
        if not _all_begin(inner.values(), prefix):
            break
        inner = {name: short.removeprefix(prefix) for name, short in inner.items()}
        ways.append((inner, f"{prefix!r} removed from the names"))
    if any(f".{_WHOLE}" in short for short in inner.values()):
        parts = {name: short.replace(f".{_WHOLE}", ".") for name, short in inner.items()}
        if len(set(parts.values())) == len(parts):
            ways.append((parts, f"'.{_WHOLE}' removed from the names"))
    return ways


def main_part(tensors: Tensors) -> tuple[str, Tensors] | None:
    """Return the attribute that most of the tensors are of, as a prefix, and the others; None where there is none.

    Losses and metrics with tensors of their own lie beside a network in the module that trains it.
    """
    owners = Counter(name.partition(".")[0] for name in tensors if "." in name)
    for owner, count in owners.most_common(1):
        if len(tensors) / 2 < count < len(tensors):
            return f"{owner}.", {name: tensors[name] for name in tensors if not name.startswith(f"{owner}.")}
    return None


def like_networks(tensors: Tensors) -> list[str]:
    """Return the attributes that hold tensors of the same names and shapes as another does: several networks."""
    parts: dict[str, dict[str, object]] = {}
    for name, tensor in tensors.items():
        owner, _, inner = name.partition(".")
        parts.setdefault(owner, {})[inner] = tensor.shape
    most = max(map(len, parts.values()), default=0)
    kinds = [owner for owner, part in parts.items() if len(part) == most and list(parts.values()).count(part) > 1]
    return kinds if most * len(kinds) > len(tensors) / 2 else []


def _counters(tensors: Tensors, names: Iterable[str]) -> set[str]:
    return {name for name in tensors if name.rpartition(".")[2] in names and tensors[name].numel() == 1}


def _averaging(tensors: Tensors) -> set[str]:
    """Return the counters of AveragedModel: those beside whose `module` there is nothing else."""
    found = _counters(tensors, _OF_AVERAGES)
    others = tensors.keys() - found
    return {name for name in found if _all_begin(others, f"{name.removesuffix(_OF_AVERAGES[0])}{_WHOLE}")}


def _all_begin(names: Iterable[str], prefix: str) -> bool:
    names = list(names)
    return bool(names) and all(name.startswith(prefix) and name != prefix for name in names)
