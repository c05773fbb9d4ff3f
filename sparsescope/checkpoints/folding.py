"""Weights that are computed from other tensors: weight and spectral normalization, masks as parametrizations."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

from sparsescope.checkpoints.names import Tensors

__all__ = ["fill", "folded"]

_ORIGINAL = re.compile(r"^(?P<layer>.*\.)?parametrizations\.(?P<name>\w+)\.original(?P<part>[01]?)$")


def folded(tensors: Tensors, masks: Mapping[str, Tensor]) -> tuple[Tensors, dict[str, Tensor], tuple[str, ...]]:
    """Return a state dict with the effective weights in place of what they are computed from; as in eval mode.

    Known are `weight_norm` and `spectral_norm` of torch.nn.utils, old and new, and masks that are parametrizations
    (torch.ao.pruning), alone or one after the other. What is computed otherwise stays as it is.

    Args:
        tensors: the state dict.
        masks: masks of its tensors, by name.

    Returns:
        the state dict; the masks, by the names of the effective weights; and what was undone, in words.
    """
    named, undone = dict(masks), []
    used: dict[str, tuple[str, Tensor] | None] = {}
    for name in list(tensors):
        found = _old_form(name, tensors) or _new_form(name, tensors, name in named)
        if found is None:
            continue
        weight, effective, sources, kept, kind = found
        used[sources[0]] = (weight, effective)
        used |= dict.fromkeys(sources[1:])
        for source in sources:
            if source in named:
                kept = named.pop(source) if kept is None else kept * named.pop(source)
        if kept is not None:
            named[weight] = kept
        undone.append(kind)
    plain = {}
    for name, tensor in tensors.items():
        new = used.get(name, (name, tensor))
        if new is not None:
            plain[new[0]] = new[1]
    words = tuple(f"{undone.count(kind)} weights with {kind} computed" for kind in dict.fromkeys(undone))
    return plain, named, words


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Load tensors that fit into a network, and replace the weights that it computes by parameters, as in eval mode."""
    state = module.state_dict()  # with the versions of its layers, without which some of torchvision load nothing
    state.update(tensors)
    module.load_state_dict(state)
    module.eval()
    for child in list(module.modules()):
        for name in list(getattr(child, "parametrizations", ())):
            parametrize.remove_parametrizations(child, name, leave_parametrized=True)
        for hook in list(child._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(child, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(child, hook.name)


Effective = tuple[str, Tensor, tuple[str, ...], Tensor | None, str]
"""Name of the weight, the weight, what it is computed from, the mask in it, and how it is called."""


def _old_form(name: str, tensors: Tensors) -> Effective | None:
    """Return a weight as forward hooks of torch.nn.utils compute it, known by one of its tensors."""
    if name.endswith("_g") and (v := f"{name[:-2]}_v") in tensors and name[:-2] not in tensors:
        return name[:-2], _weight_norm(tensors[name], tensors[v]), (name, v), None, "weight_norm"
    base = name.removesuffix("_orig")
    u, v = f"{base}_u", f"{base}_v"
    if base != name and u in tensors and v in tensors:
        effective = _spectral_norm(tensors[name], tensors[u], tensors[v])
        return None if effective is None else (base, effective, (name, u, v), None, "spectral_norm")
    return None


def _new_form(name: str, tensors: Tensors, masked: bool) -> Effective | None:
    """Return a weight as torch.nn.utils.parametrize computes it, known by its first tensor.

    One that is computed of nothing but itself is folded where its mask has been found and applied: torch.ao.pruning
    leaves it out of the state dict.
    """
    found = _ORIGINAL.match(name)
    if found is None or found["part"] == "1":
        return None
    weight = f"{found['layer'] or ''}{found['name']}"
    prefix = name.removesuffix(f"original{found['part']}")
    sources = tuple(sorted((other for other in tensors if other.startswith(prefix)), key=lambda other: other != name))
    if found["part"] == "0":
        if len(sources) != 2 or sources[1] != f"{prefix}original1":
            return None
        return weight, _weight_norm(tensors[name], tensors[sources[1]]), sources, None, "weight_norm"
    steps: dict[str, Tensors] = {}
    for other in sources[1:]:
        step, _, leaf = other.removeprefix(prefix).partition(".")
        steps.setdefault(step, {})[leaf] = tensors[other]
    if not masked and list(steps) != [str(step) for step in range(len(steps))]:
        return None  # a step has no tensors, so what it computes is unknown
    effective, mask, kinds = tensors[name], None, ["a mask as parametrization"] * masked
    for own in steps.values():
        if own.keys() == {"mask"} and own["mask"].shape == effective.shape:
            mask = own["mask"]
            effective, kind = effective * mask, "a mask as parametrization"
        elif own.keys() == {"_u", "_v"} and (whole := _spectral_norm(effective, own["_u"], own["_v"])) is not None:
            effective, kind = whole, "spectral_norm"
        else:
            return None
        kinds.append(kind)
    return (weight, effective, sources, mask, " and ".join(kinds)) if kinds else None


def _weight_norm(g: Tensor, v: Tensor) -> Tensor:
    """Return g v / ‖v‖ (Salimans & Kingma 2016); the norm is over all axes but the one along which g differs."""
    dim = next((axis for axis, size in enumerate(g.shape) if size > 1), 0) if g.ndim else -1
    if g.ndim and g.numel() == 1:
        dim = next((axis for axis, size in enumerate(v.shape) if size == 1), -1)
    return torch._weight_norm(v, g, dim)


def _spectral_norm(weight: Tensor, u: Tensor, v: Tensor) -> Tensor | None:
    """Return W / (uᵀ W v) (Miyato et al. 2018), with the stored singular vectors; None if they do not fit.

    W is the weight as a matrix: along its first axis, or its second in transposed convolutions. Where both have the
    size of u, the vectors say which: the last power iteration made u of W v.
    """
    images = []
    for axis in range(min(2, weight.ndim)):
        matrix = weight.movedim(axis, 0).reshape(weight.shape[axis], -1)
        if matrix.shape == (*u.shape, *v.shape):
            images.append(torch.mv(matrix, v))
    if not images:
        return None
    nearest = min(images, key=lambda image: float((image / image.norm() - u).norm()))
    return weight / torch.dot(u, nearest)
