"""Structured pruning: whole channels with small filters, and a smaller network without them."""

import copy
from collections.abc import Collection

import torch
from torch import Tensor, nn

from sparsescope.architectures.narrow import take_sizes
from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.pruning.channel_graph import InnerLayer, inner_layers
from sparsescope.values import is_number

__all__ = ["channel_mask", "remove_channels"]


def channel_mask(module: nn.Module, fraction: float, *, skip: Collection[str] = ()) -> Mask:
    """Return the mask that removes the channels with the smallest L1 norm of their filters.

    Of a layer with C channels round(fraction x C) go, at most C - 1: their filters, and the weights that read them in
    the layers behind. Only channels that nothing else sees can go: all but the last convolution of a plain network, the
    inner ones of every residual block (what is added to a shortcut stays, as in the paper). Layers do not look at each
    other's choice (the paper's "independent" strategy). Where the head reads a convolution's channels, weights of the
    head go too. Source: Li et al. 2017.

    Args:
        module: a trained network that `torch.fx` can trace; it is not changed.
        fraction: of the channels of each layer, 0 <= fraction < 1.
        skip: names of convolutions to leave alone, as the paper does with sensitive layers.

    Raises:
        OptionError: fraction out of range, or `skip` names no layer that could be pruned.
        ArtefactError: weights are computed from others in the forward pass.
        InputError: there is nothing to prune, the network cannot be traced, or weights are not finite.

    Example:
        >>> from sparsescope.pruning import channel_mask
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, 2))
        >>> mask = channel_mask(network, 0.5)
        >>> int(mask["0.weight"].flatten(1).any(1).sum())
        4
    """
    if not (is_number(fraction) and 0 <= fraction < 1):
        raise OptionError(f"Expected a fraction of channels of at least 0 and below 1, but got {fraction}.")
    if isinstance(skip, str):
        raise OptionError(f"Expected skip to be names in a list, but got {skip!r}.")
    inner = inner_layers(module)
    names = [layer.name for layer in inner]
    if not inner:
        raise InputError(
            "Expected a network with convolutions whose channels can be removed alone, but there are none."
        )
    if unknown := sorted(set(skip) - set(names)):
        raise OptionError(f"Cannot skip {', '.join(unknown)}: channels can be removed from {', '.join(names)}.")
    layers = dict(module.named_modules())
    kept: dict[str, Tensor] = {}
    for layer in inner:
        weight = _weight(layers[layer.name])
        channels = torch.ones(len(weight), dtype=torch.bool)
        if layer.name not in skip:
            norms = weight.detach().abs().flatten(1).cpu().double().sum(1)
            if not bool(torch.isfinite(norms).all()):
                raise InputError(f"Expected finite weights, but {layer.name} has nan or infinite ones.")
            count = min(round(fraction * len(weight)), len(weight) - 1)
            channels[torch.argsort(norms, stable=True)[:count]] = False
        for name in (layer.name, *(consumer.name for consumer in layer.consumers)):
            kept.setdefault(f"{name}.weight", torch.ones(_weight(layers[name]).shape, dtype=torch.bool))
        kept[f"{layer.name}.weight"][~channels] = False
        for consumer in layer.consumers:
            kept[f"{consumer.name}.weight"][:, ~channels.repeat_interleave(consumer.block)] = False
    return Mask(kept, method="channels")


def remove_channels(module: nn.Module, mask: Mask) -> nn.Module:
    """Return a smaller network without the channels that, under `mask`, no layer reads any more.

    It computes what the masked network computes, in training and evaluation, up to the rounding of sums that are now
    shorter; it has fewer parameters and fewer multiplications. Removed weights elsewhere are zero in it.

    Args:
        module: a network that `torch.fx` can trace; it is not changed.
        mask: such as `channel_mask` returns.

    Raises:
        ArtefactError: the mask does not fit.
        InputError: the network cannot be traced.

    Example:
        >>> from sparsescope.pruning import channel_mask, remove_channels
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, 2))
        >>> smaller = remove_channels(network, channel_mask(network, 0.5))
        >>> smaller[0].weight.shape, smaller[2].weight.shape
        (torch.Size([4, 3, 3, 3]), torch.Size([2, 4, 3, 3]))
    """
    mask.check(module)
    smaller = copy.deepcopy(module)
    mask.apply(smaller)
    layers = dict(smaller.named_modules())
    cuts = [(layer, _channels_read(layer, mask, len(_weight(layers[layer.name])))) for layer in inner_layers(smaller)]
    for layer, channels in cuts:
        if not bool(channels.all()):
            _cut(layer, channels, layers)
    return smaller


def _channels_read(layer: InnerLayer, mask: Mask, channels: int) -> Tensor:
    """Return which channels (C,) are read by a weight that is left; one channel is, whatever the mask says."""
    read = torch.zeros(channels, dtype=torch.bool)
    for consumer in layer.consumers:
        kept = mask.get(f"{consumer.name}.weight")
        if kept is None:
            return torch.ones(channels, dtype=torch.bool)
        read |= kept.transpose(0, 1).reshape(channels, -1).any(1)
    if not bool(read.any()):
        read[0] = True
    return read


def _cut(layer: InnerLayer, channels: Tensor, layers: dict[str, nn.Module]) -> None:
    for attribute in ("weight", "bias"):
        _keep(layers[layer.name], attribute, channels, axis=0)
    for name in layer.norms:
        for attribute in ("weight", "bias", "running_mean", "running_var"):
            _keep(layers[name], attribute, channels, axis=0)
    for consumer in layer.consumers:
        _keep(layers[consumer.name], "weight", channels.repeat_interleave(consumer.block), axis=1)
    for name in (layer.name, *layer.norms, *(consumer.name for consumer in layer.consumers)):
        take_sizes(layers[name])


def _keep(layer: nn.Module, attribute: str, entries: Tensor, axis: int) -> None:
    """Keep only some entries of a parameter or buffer along one axis."""
    tensor = getattr(layer, attribute)
    if tensor is None:
        return
    index = entries.nonzero().flatten().to(tensor.device)
    cut = tensor.detach().index_select(axis, index)
    setattr(layer, attribute, nn.Parameter(cut, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else cut)


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight
