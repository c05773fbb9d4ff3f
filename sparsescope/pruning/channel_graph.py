"""Which channels of a network can be removed without touching any other layer's shape: found by tracing it."""

import operator
from collections import Counter
from dataclasses import dataclass

from torch import fx, nn

from sparsescope.errors import InputError
from sparsescope.mask import refuse_computed_weights

__all__ = ["Consumer", "InnerLayer", "inner_layers"]

_ELEMENTWISE = (
    nn.Identity,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Dropout,
)
_POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout2d)
_ELEMENTWISE_NAMES = {
    *("relu", "relu_", "relu6", "leaky_relu", "elu", "gelu", "silu", "mish", "hardswish", "sigmoid", "tanh", "dropout"),
    "contiguous",
}
_POOLING_NAMES = {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"}


@dataclass(frozen=True)
class Consumer:
    """A convolution or linear layer that reads the channels; each one is `block` consecutive inputs of it."""

    name: str
    block: int


@dataclass(frozen=True)
class InnerLayer:
    """A convolution whose output channels nothing sees but normalisation, elementwise functions and its consumers.

    Args:
        name: the convolution.
        norms: normalisation layers between it and its consumers.
        consumers: layers that read its channels.
    """

    name: str
    norms: tuple[str, ...]
    consumers: tuple[Consumer, ...]


def inner_layers(module: nn.Module) -> list[InnerLayer]:
    """Return the convolutions whose channels can be removed alone, in the order of the forward pass.

    These are all but the last of a plain network, and the inner ones of each residual block: what is added to a
    shortcut, concatenated, returned, reshaped or used twice keeps its channels. Layers that are called more than once,
    and grouped convolutions, are left alone.

    Raises:
        InputError: `torch.fx` cannot trace the network.
        ArtefactError: weights are computed from others in the forward pass.
    """
    refuse_computed_weights(module)
    try:
        graph = fx.symbolic_trace(module).graph
    except Exception as error:
        raise InputError(
            f"Channels can only be removed from networks that torch.fx traces, but tracing failed: {error}. Of a "
            "network in a wrapper, such as torch.compile or DataParallel, give the network itself."
        ) from error
    layers = dict(module.named_modules())
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    found = []
    for node in graph.nodes:
        layer = layers.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, nn.Conv2d) and layer.groups == 1 and calls[str(node.target)] == 1:
            reach = _follow(node, layers, calls, layer.out_channels)
            if reach is not None and reach[1]:
                found.append(InnerLayer(str(node.target), *reach))
    return found


def _follow(
    node: fx.Node, layers: dict[str, nn.Module], calls: Counter[str], channels: int
) -> tuple[tuple[str, ...], tuple[Consumer, ...]] | None:
    """Return norms and consumers behind `node`; None if anything else reads its channels."""
    norms: list[str] = []
    consumers: list[Consumer] = []
    waiting = [(user, False) for user in node.users]  # (who reads, whether channels and places are one axis by now)
    while waiting:
        user, flat = waiting.pop(0)
        name = str(user.target)
        layer = layers.get(name) if user.op == "call_module" else None
        if layer is not None and calls[name] > 1 and layer.state_dict():
            return None
        if isinstance(layer, nn.Conv2d) and layer.groups == 1 and not flat:
            consumers.append(Consumer(name, 1))
        elif isinstance(layer, nn.Linear) and flat:
            consumers.append(Consumer(name, layer.in_features // channels))
        elif not _reads_batch_size(user):
            after = _flat_after(user, layer, flat)
            if after is None:
                return None
            if isinstance(layer, nn.BatchNorm2d):
                norms.append(name)
            waiting.extend((reader, after) for reader in user.users)
    return tuple(norms), tuple(consumers)


def _flat_after(node: fx.Node, layer: nn.Module | None, flat: bool) -> bool | None:
    """Return whether features behind `node` are flat, (N, C H W), or not, (N, C, H, W); None if it may mix channels."""
    if layer is not None:
        if isinstance(layer, _ELEMENTWISE):
            return flat
        if isinstance(layer, (*_POOLING, nn.BatchNorm2d)) and not flat:
            return False
        return True if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1) else None
    if node.op not in ("call_function", "call_method"):
        return None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name in _ELEMENTWISE_NAMES:
        return flat
    if name in _POOLING_NAMES and not flat:
        return False
    arguments = [*node.args[1:], *node.kwargs.values()]
    if name == "flatten" and arguments == [1]:
        return True
    if name in ("view", "reshape") and len(arguments) == 2 and arguments[1] == -1 and _is_batch_size(arguments[0]):
        return True
    if name == "mean" and not flat and arguments and isinstance(arguments[0], tuple | list):
        both = sorted(axis % 4 for axis in arguments[0] if isinstance(axis, int)) == [2, 3]
        return arguments[1:] != [True] if both and len(arguments) <= 2 else None
    return None


def _reads_batch_size(node: fx.Node) -> bool:
    """Return whether `node` takes nothing but the number of images: x.size(0) or x.shape[0]."""
    if node.op == "call_function" and node.target is getattr and node.args[1] == "shape":
        return all(_is_batch_size(user) for user in node.users)
    return node.op == "call_method" and node.target == "size" and node.args[1:] == (0,)


def _is_batch_size(value: object) -> bool:
    if not isinstance(value, fx.Node):
        return False
    return _reads_batch_size(value) or (value.target is operator.getitem and bool(value.args[1] == 0))
