"""Which weights masks are for: by name, by layer's name, or by their order and shapes."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sparsescope.checkpoints.containers import holds_mask_values, is_named_mask
from sparsescope.checkpoints.names import Tensors, plain_names
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask

__all__ = ["applied", "assigned", "beside_weights", "changed_warning", "masked_parameter"]

_SHOWN = 4
# How packages spell the mask of a parameter -> the parameter.
_SPELLINGS = (
    (re.compile(r"(^|\.)_(weight|bias)_mask$"), r"\1\2"),  # NVIDIA ModelOpt
    (re.compile(r"(^|\.)_nni_wrapper\.(weight|bias)_mask$"), r"\1\2"),  # NNI
    (re.compile(r"(^|\.)pre_ops\.\d+\.op\._?binary_mask$"), r"\1weight"),  # NNCF
    (re.compile(r"(^|\.)parametrizations\.(\w+)\.\d+\.mask$"), r"\1\2"),  # torch.ao.pruning, parametrizations
)
_ORIGINAL = re.compile(r"(^|\.)parametrizations\.(\w+)\.original$")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def masked_parameter(name: str) -> str:
    """Return the parameter of a mask tensor: `a.weight_mask`, `a.weight.mask`, `a.mask`, `a.weight` -> `a.weight`."""
    for spelling, parameter in _SPELLINGS:
        name = spelling.sub(parameter, name)
    if name.endswith(".mask"):
        name = name.removesuffix(".mask")
        return name if name.rpartition(".")[2] in ("weight", "bias") else f"{name}.weight"
    return name.removesuffix("_mask")


def beside_weights(tensors: Tensors) -> dict[str, str]:
    """Return the masks that lie in a state dict beside their weights, as weight's name -> mask's name.

    They are known by name (`a.weight_mask`, `a.mask`); else by content: a tensor that has the shape of the weight of
    its layer and holds both zeros and ones.
    """
    found = {}
    for name, tensor in tensors.items():
        named = masked_parameter(name)
        if named not in tensors:  # in a layer's wrapper, as NNI has it
            named = ".module.".join(named.rsplit(".", 1))
        if named != name and named in tensors and (name.endswith("_mask") or tensors[named].shape == tensor.shape):
            found[named] = name
            continue
        layer, _, leaf = name.rpartition(".")
        weight = f"{layer}.weight".removeprefix(".")
        stored = next((tensors[own] for own in (weight, f"{weight}_orig", f"{weight}_v") if own in tensors), None)
        if stored is None or tensor is stored or tensor.ndim < 2 or tensor.shape != stored.shape or leaf == "bias":
            continue
        if holds_mask_values(tensor) and ("mask" in leaf or (bool(tensor.any()) and not bool(tensor.all()))):
            found[weight] = name
    return found


def assigned(masks: Tensors, weights: Mapping[str, Tensor], where: str) -> Tensors:
    """Return a collection's masks by the names of their weights; {} where it is no collection of masks of these.

    Args:
        masks: by the weight's or the layer's name, with or without prefixes, with `_` for the dots; or by index.
        weights: the state dict.
        where: the collection's own name, for errors.

    Raises:
        ArtefactError: they look like masks of these weights, but it is not clear of which.
    """
    masks = plain_names(masks)[0]
    if any(mask.is_quantized or mask.is_meta for mask in masks.values()):
        return {}
    masks = {name: mask if mask.layout == torch.strided else mask.to_dense() for name, mask in masks.items()}
    shapes = {tuple(tensor.shape) for tensor in weights.values() if tensor.ndim >= 2}
    if not is_named_mask(where.rpartition(".")[2]) and not any(tuple(mask.shape) in shapes for mask in masks.values()):
        return {}
    found = {}
    for name in masks:
        whole = where if f".{where}".endswith(f".{name}") else f"{where}.{name}"
        found[name] = _weight_of(whole, weights) or _weight_of(name, weights)
    names: dict[str, str] | None = {name: own for name, own in found.items() if own is not None}
    if names:  # others remove nothing: those of biases and buffers
        masks = {name: mask for name, mask in masks.items() if name in names or not bool((mask != 0).all())}
    if list(masks) == [str(index) for index in range(len(masks))]:
        names = _in_order(list(masks.values()), weights)
    if names is None or len(set(names.values())) < len(masks):
        lost = [f"{name} {tuple(mask.shape)}" for name, mask in masks.items() if names is None or name not in names]
        lost = lost or ["several for one weight"]
        if all(bool((mask != 0).all()) for mask in masks.values()) and not is_named_mask(where.rpartition(".")[2]):
            return {}  # whatever they are, they remove nothing
        raise ArtefactError(
            f"what lies under {where!r} looks like masks, but it is not clear which weights they are for: "
            f"{'; '.join(lost[:_SHOWN])}{'; …' if len(lost) > _SHOWN else ''}. Save them as a dictionary with one mask "
            "for each parameter's name, or set the removed weights to zero and save the state dict alone."
        )
    return {names[name]: _spread(mask, weights[names[name]]) for name, mask in masks.items()}


def _spread(mask: Tensor, weight: Tensor) -> Tensor:
    """Return the mask of a weight's channels, such as (out, 1, 1, 1), for each of its entries."""
    fits = mask.ndim == weight.ndim and all(
        size in (1, own) for size, own in zip(mask.shape, weight.shape, strict=True)
    )
    return mask.expand_as(weight) if fits else mask


def applied(path: Path, tensors: Tensors, mask: Mask) -> tuple[Tensors, dict[str, int]]:
    """Return the tensors without the weights that the mask removes, and how many of those were not zero, by name."""
    masked, changed, inverted = dict(tensors), {}, True
    for name, kept in mask.items():
        weight = tensors.get(name)
        if weight is None or weight.shape != kept.shape:
            came = "there is no such weight" if weight is None else f"the weight has shape {tuple(weight.shape)}"
            raise ArtefactError(
                f"{path}: the mask of {name} has shape {tuple(kept.shape)}, but {came}. Expected one mask entry for "
                "each weight."
            )
        changed[name] = int((weight[~kept] != 0).sum())
        inverted &= changed[name] == int((~kept).sum()) and not bool((weight[kept] != 0).any())
        masked[name] = torch.where(kept, weight, torch.zeros((), dtype=weight.dtype))
    if inverted and 0 < mask.sparsity < 1:
        raise ArtefactError(
            f"{path}: the masks seem to be 1 where weights are removed: all weights that they keep are zero, and all "
            "others are not. Expected 1 where a weight is kept. Save 1 - mask."
        )
    return masked, changed


def changed_warning(changed: Mapping[str, int]) -> tuple[str, ...]:
    """Return a warning where masks remove weights that are not zero in the file."""
    layers = [name for name, count in changed.items() if count]
    if not layers:
        return ()
    return (
        f"mask and weights disagree: {sum(changed.values())} weights that the mask removes are not zero in the file "
        f"({len(layers)} tensors, first {layers[0]} with {changed[layers[0]]}); they were set to zero. If the weights "
        "are right, save them without the mask.",
    )


def _weight_of(name: str, weights: Mapping[str, Tensor]) -> str | None:
    """Return the weight that a mask's name speaks of; None where there is none or more than one."""
    wanted = masked_parameter(name).removeprefix("mask_")
    parts = wanted.split(".")
    for start in range(len(parts)):  # the masks' names have a prefix
        short = ".".join(parts[start:])
        layer, _, leaf = short.rpartition(".")
        computed = f"{layer}.parametrizations.{leaf}.original".removeprefix(".")
        for known in (short, f"{short}.weight", computed, f"{short}_orig", f"{short}_v"):
            if known in weights:
                return known
    underscored = {f".{wanted}", f".{wanted}.weight", f".{wanted}_weight"}
    underscored = {other.replace(".", "_") for other in underscored}
    ends = [known for known in weights if f"_{_effective(known).replace('.', '_')}".endswith(tuple(underscored))]
    return ends[0] if len(ends) == 1 else None  # the weights' names have one, or dots became underscores


def _effective(name: str) -> str:
    """Return the name of the weight that is computed of a stored one: of itself, of `weight_orig` or `weight_v`."""
    return _ORIGINAL.sub(r"\1\2", name).removesuffix("_orig").removesuffix("_v")


def _in_order(masks: Sequence[Tensor], weights: Mapping[str, Tensor]) -> dict[str, str] | None:
    """Return index -> weight of masks in the order of the layers; None where none or several orders would do."""
    matrices = {name: tuple(tensor.shape) for name, tensor in weights.items() if tensor.ndim >= 2}
    vectors = {name: tuple(tensor.shape) for name, tensor in weights.items() if name.endswith("weight")}
    parameters = {name: tuple(tensor.shape) for name, tensor in weights.items() if not name.endswith(_STATISTICS)}
    wanted = [tuple(mask.shape) for mask in masks]
    for pool in (matrices, vectors, parameters):
        forward, backward = _placed(wanted, pool), _placed(wanted[::-1], dict(reversed(pool.items())))
        if forward is not None and backward is not None:
            return {str(i): name for i, name in enumerate(forward)} if forward == backward[::-1] else None
    return None


def _placed(wanted: Sequence[tuple[int, ...]], pool: Mapping[str, tuple[int, ...]]) -> list[str] | None:
    """Return the first weights of these shapes in order; None where there are too few.

    Where the first ones from either end are the same, there is no third way.
    """
    names = iter(pool)
    found = [next((name for name in names if pool[name] == shape), None) for shape in wanted]
    return None if None in found else [name for name in found if name is not None]
