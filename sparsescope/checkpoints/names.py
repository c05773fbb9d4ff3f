"""Names of tensors without what wrappers and tools put before, into or beside them."""

from collections.abc import Iterable

from torch import Tensor

__all__ = ["Tensors", "inner_names", "plain_names"]

Tensors = dict[str, Tensor]
"""By name."""

_INFIXES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module.")
_WHOLE = "module."  # DataParallel, DistributedDataParallel, AveragedModel: before every name
_COUNTERS = ("total_ops", "total_params")  # of thop, in every layer that it has counted
_DEEPEST = 3  # attributes followed


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
    counters = {name for name in tensors if name.rpartition(".")[2] in _COUNTERS and tensors[name].numel() == 1}
    if counters:
        tensors = {name: tensor for name, tensor in tensors.items() if name not in counters}
        undone.append("counters of thop left out")
    if _all_begin(set(tensors) - {"n_averaged"}, _WHOLE) and "n_averaged" in tensors:
        tensors = {name: tensor for name, tensor in tensors.items() if name != "n_averaged"}
        undone.append("the counter of AveragedModel left out")
    while _all_begin(tensors, _WHOLE):
        tensors = {name.removeprefix(_WHOLE): tensor for name, tensor in tensors.items()}
        undone.append(f"{_WHOLE!r} removed from the names")
    return tensors, tuple(undone)


def inner_names(names: Iterable[str]) -> list[tuple[dict[str, str], str]]:
    """Return further ways to read names, each as old name -> new name and in words; the first that fits is right.

    A network that is one attribute of another (`model.`, `backbone.`), up to three deep; and one whose parts are
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
    if any(f".{_WHOLE}" in name for name in inner):
        parts = {name: name.replace(f".{_WHOLE}", ".") for name in inner}
        if len(set(parts.values())) == len(parts):
            ways.append((parts, f"'.{_WHOLE}' removed from the names"))
    return ways


def _all_begin(names: Iterable[str], prefix: str) -> bool:
    names = list(names)
    return bool(names) and all(name.startswith(prefix) and name != prefix for name in names)
