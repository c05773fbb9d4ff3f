"""Networks with fewer channels than their architecture: layers take the sizes of the weights that are left."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sparsescope.mask import head_weights, weight_tensors

__all__ = ["narrow", "take_sizes"]

Shapes = Mapping[str, tuple[int, ...]]


def narrow(module: nn.Module, shapes: Shapes) -> list[str]:
    """Give the layers of `module` the smaller numbers of channels that `shapes` says, in place; return which changed.

    Only plain convolutions, linear layers and batch normalisation become narrower, never kernels, grouped
    convolutions, the network's inputs or its outputs. What the tensors hold afterwards is undefined: weights are to be
    loaded. Where anything else differs nothing is changed, and [] is returned.

    Args:
        module: a network, such as its architecture builds it.
        shapes: shape by name of every tensor of the state dict; `num_batches_tracked` may be absent.
    """
    own = {name: tensor for name, tensor in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    if own.keys() != {name for name in shapes if not name.endswith("num_batches_tracked")}:
        return []
    differing = {name for name, tensor in own.items() if tuple(tensor.shape) != shapes[name]}
    layers = dict(module.named_modules())
    changed = list(dict.fromkeys(name.rpartition(".")[0] for name in own if name in differing))
    first, heads = next(iter(weight_tensors(module)), None), head_weights(module)
    if first is None or not heads or not all(_may_narrow(layers[name], _under(name, shapes)) for name in changed):
        return []
    if shapes[first][1:2] != own[first].shape[1:2] or any(shapes[head][:1] != own[head].shape[:1] for head in heads):
        return []
    for name in changed:
        for attribute, shape in _under(name, shapes).items():
            _resize(layers[name], attribute, shape)
        take_sizes(layers[name])
    return changed


def take_sizes(layer: nn.Module) -> None:
    """Let a convolution, linear or normalisation layer state the sizes that its weights have."""
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = layer.weight.shape[:2]
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, _BatchNorm):
        vector = layer.weight if layer.weight is not None else layer.running_mean
        assert vector is not None
        layer.num_features = len(vector)


def _under(layer: str, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a layer's own tensors by attribute."""
    named = {name.rpartition("."): shape for name, shape in shapes.items()}
    return {
        parts[2]: shape for parts, shape in named.items() if parts[0] == layer and parts[2] != "num_batches_tracked"
    }


def _may_narrow(layer: nn.Module, shapes: Shapes) -> bool:
    """Return whether a layer stays one of its kind with these shapes of its tensors."""
    if not isinstance(layer, nn.Conv2d | nn.Linear | _BatchNorm):
        return False
    own = {name: tuple(getattr(layer, name).shape) for name in shapes}
    smaller = all(
        len(shape) == len(own[name]) and all(0 < new <= old for new, old in zip(shape, own[name], strict=True))
        for name, shape in shapes.items()
    )
    if not smaller or len({shape[:1] for shape in shapes.values()}) != 1:
        return False
    return not isinstance(layer, nn.Conv2d) or (layer.groups == 1 and shapes["weight"][2:] == own["weight"][2:])


def _resize(layer: nn.Module, attribute: str, shape: tuple[int, ...]) -> None:
    tensor = getattr(layer, attribute)
    empty = torch.empty(shape, dtype=tensor.dtype, device=tensor.device)
    if isinstance(tensor, nn.Parameter):
        setattr(layer, attribute, nn.Parameter(empty, tensor.requires_grad))
    else:
        setattr(layer, attribute, empty)
