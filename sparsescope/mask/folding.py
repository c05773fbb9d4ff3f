"""Weights that are computed from others: folded into plain ones, on a copy."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.prune import remove as remove_pruning
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from sparsescope.errors import ArtefactError
from sparsescope.mask.kernels import has_own_forward, ignores, keeps_zeros, kernel

__all__ = ["fold_computed_weights", "refuse_computed_weights"]

_SHOWN = 4


def fold_computed_weights(module: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """Return the network with the weights that it really computes with, and what is to be said about it.

    Folded are `torch.nn.utils.parametrize`, `weight_norm` and `spectral_norm` of both kinds, `torch.nn.utils.prune`,
    and masks that a layer of a user's class multiplies its weight with. What is returned computes the same; it is
    `module` itself where there is nothing to fold, else a copy.

    Raises:
        ArtefactError: weights are computed by unknown code, or differ from call to call.
    """
    notes: list[str] = []
    computed = {name: kind for name, kind, _ in _computed(module)}
    masked, unknown = _masked(module)
    if computed or masked:
        module = _copied(module)
        _fold(module)
        for name in (found for found, _, _ in _computed(module)):
            raise ArtefactError(_refusal(name.rpartition(".")[0]))
        # Only now, as the weight that a mask is for may be a computed one.
        masked, unknown = _masked(module)
        with torch.no_grad():
            for name, values in masked.items():
                module.get_parameter(name).copy_(values)
    if computed:
        kinds = ", ".join(sorted(set(computed.values())))
        notes.append(
            f"weights of {_listed(list(computed))} are computed from other parameters ({kinds}): sparsity, mask and "
            "curvature are those of the computed weights, which were put in place of the others"
        )
    if masked:
        notes.append(
            f"{_listed(list(masked))}: the layer masks its weight in the forward pass; what is masked counts as removed"
        )
    if unknown:
        notes.append(
            f"the layers of {_listed(unknown)} hold what looks like a mask, but whether it is applied cannot be known: "
            "it is not counted. Multiply the weights with it, and hand over the result"
        )
    return module, tuple(notes)


def refuse_computed_weights(module: nn.Module) -> None:
    """Raise ArtefactError if weights are computed from other parameters: a mask would not fit them."""
    for name, _, _ in _computed(module):
        raise ArtefactError(_refusal(name.rpartition(".")[0]))


def _refusal(layer: str) -> str:
    return (
        f"The weights of {layer or 'the module'} are computed from others (torch.nn.utils.prune, weight_norm, "
        "spectral_norm or parametrize). Make them permanent first, with torch.nn.utils.prune.remove(layer, 'weight'), "
        "remove_weight_norm, remove_spectral_norm or parametrize.remove_parametrizations, or save the state_dict and "
        "hand over the file."
    )


def _computed(module: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """Yield (name of the computed tensor, how it is computed, its layer)."""
    for prefix, child in module.named_modules():
        dot = f"{prefix}." if prefix else ""
        if parametrize.is_parametrized(child):
            for name, steps in child.parametrizations.items():
                yield f"{dot}{name}", ", ".join(type(step).__name__.lstrip("_") for step in steps), child
        known = set()
        for hook in child._forward_pre_hooks.values():
            name = _hooked(hook)
            if name is not None:
                known.add(name)
                yield f"{dot}{name}", type(hook).__name__, child
        for name, _ in child.named_parameters(recurse=False):
            if name.endswith("_orig") and name.removesuffix("_orig") not in known:
                yield f"{dot}{name.removesuffix('_orig')}", "unknown code", child


def _hooked(hook: object) -> str | None:
    """Return which tensor of its layer one of torch's hooks computes; None of any other hook."""
    if isinstance(hook, BasePruningMethod):
        return str(hook._tensor_name)
    return hook.name if isinstance(hook, WeightNorm | SpectralNorm) else None


def _is_normed(layer: nn.Module, full: str) -> bool:
    hooks = [hook for hook in layer._forward_pre_hooks.values() if _hooked(hook) == full.rpartition(".")[2]]
    return any(isinstance(hook, WeightNorm | SpectralNorm) for hook in hooks)


def _fold(module: nn.Module) -> None:
    """Put the computed tensors in place of those that they are computed from."""
    modes = {child: child.training for child in module.modules()}
    module.eval()  # spectral norms go on iterating in training
    # The parts of a norm may be pruned themselves, so that masks are the first to go.
    for full, _, child in sorted(_computed(module), key=lambda found: _is_normed(found[2], found[0])):
        name = full.rpartition(".")[2]
        if parametrize.is_parametrized(child, name):
            with torch.no_grad():
                once, twice = getattr(child, name).clone(), getattr(child, name)
            if not torch.equal(once, twice):
                raise ArtefactError(
                    f"Expected the parametrization of {full} to compute the same weights each time, but they differ "
                    "from call to call. Hand over the network with one of them: "
                    f"torch.nn.utils.parametrize.remove_parametrizations(layer, {name!r})."
                )
            parametrize.remove_parametrizations(child, name, leave_parametrized=True)
            value = getattr(child, name)
            if isinstance(value, nn.Parameter):
                setattr(child, name, nn.Parameter(value.detach().clone(), value.requires_grad))
            continue
        for key, hook in list(child._forward_pre_hooks.items()):
            if _hooked(hook) != name:
                continue
            if isinstance(hook, BasePruningMethod):
                remove_pruning(child, name)  # type: ignore[no-untyped-call]
            elif isinstance(hook, WeightNorm | SpectralNorm):
                hook.remove(child)
                del child._forward_pre_hooks[key]
                _forget(child, hook)
    for child, mode in modes.items():
        child.training = mode


def _forget(layer: nn.Module, hook: object) -> None:
    """Remove what a spectral norm left to be called when its layer is saved or loaded."""
    for hooks in (layer._state_dict_hooks, layer._load_state_dict_pre_hooks):
        for key, other in list(hooks.items()):
            if getattr(getattr(other, "hook", other), "fn", None) is hook:
                del hooks[key]


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy; hooks leave tensors with a history as attributes, which copy.deepcopy refuses."""
    memo: dict[int, object] = {
        id(value): value.detach().clone()
        for child in module.modules()
        for value in vars(child).values()
        if isinstance(value, Tensor)
    }
    return copy.deepcopy(module, memo)


def _masked(module: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights that their layer masks, as they are then, and those beside a mask that nobody can judge."""
    found: dict[str, Tensor] = {}
    unknown: list[str] = []
    for prefix, layer in module.named_modules():
        dot = f"{prefix}." if prefix else ""
        if isinstance(layer, nn.Linear | _ConvNd) and has_own_forward(layer) and _is_plain(layer.weight):
            values = _with_zeros(layer, layer.weight.detach())
            if values is not None:
                found[f"{dot}weight"] = values
                continue
        for name, kept in _masks(layer):
            applied = ignores(layer, name, ~kept)
            if applied:
                parameter = layer.get_parameter(name).detach()
                if bool(parameter[~kept].any()):
                    found[f"{dot}{name}"] = parameter * kept
            elif applied is None:
                unknown.append(f"{dot}{name}")
    return found, unknown


def _is_plain(weight: Tensor | None) -> bool:
    lazy = isinstance(weight, nn.UninitializedParameter)
    return weight is not None and not lazy and not weight.is_meta and weight.is_floating_point()


def _with_zeros(layer: nn.Module, weight: Tensor) -> Tensor | None:
    """Return the kernel if it has zeros that `weight` has not, and putting it in the weight's place changes nothing.

    A kernel that is zero altogether is no masked one: a gain that begins at zero, as in NF networks, makes it so.
    """
    made = kernel(layer, weight) if keeps_zeros(layer) else None
    if made is None or not bool(made.any()) or not bool(((made == 0) & (weight != 0)).any()):
        return None
    again = kernel(layer, made)
    return made.clone() if again is not None and torch.equal(again, made) else None


def _masks(layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield (parameter, what is kept of it) for buffers that look like its mask: named so, 0 and 1, some of each."""
    held = [(name, value) for name, value in layer.named_buffers(recurse=False) if "mask" in name.lower()]
    for name, parameter in layer.named_parameters(recurse=False):
        if parameter.ndim < 2 or not _is_plain(parameter):
            continue
        for buffer, value in held:
            stem = buffer.lower().replace("mask", "").strip("_")
            if value.shape != parameter.shape or stem not in ("", name.lower()):
                continue
            kept = value != 0
            if bool((value[kept] == 1).all()) and bool(kept.any()) and not bool(kept.all()):
                yield name, kept


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''}"
