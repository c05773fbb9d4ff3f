"""A graph made cheaper without another result: BatchNorm in the convolution before it, weights packed beforehand."""

from typing import Any

import torch
from torch import Tensor, fx

from sparsescope.prepacked.capture import Captured, arguments_of

__all__ = ["fold_norms", "pack_convolutions"]

_CONVOLUTION = torch.ops.aten.conv2d.default
_BATCH_NORM = torch.ops.aten.batch_norm.default
_IMAGES = 16
"""Images in a batch for which the layout of packed weights is chosen: a rule, whatever the batches are."""


def fold_norms(captured: Captured) -> int:
    """Fold every BatchNorm into the convolution that it alone reads; return how many were.

    With frozen statistics it multiplies each channel by g = γ / √(σ² + ε) and adds β − g μ: so do the weights g w and
    the bias β + g (b − μ), computed in float64.
    """
    graph, tensors = captured
    folded = 0
    for node in list(graph.nodes):
        if node.target is not _BATCH_NORM:
            continue
        norm = arguments_of(node)
        before = norm["input"]
        if before.target is not _CONVOLUTION or len(before.users) > 1 or norm["training"]:
            continue
        convolution = arguments_of(before)
        known = [
            *(convolution[name] for name in ("weight", "bias")),
            *(norm[name] for name in ("weight", "bias", "running_mean", "running_var")),
        ]
        if convolution["weight"] is None or not all(each is None or each.op == "get_attr" for each in known):
            continue
        weight, bias, gamma, beta, mean, variance = (None if n is None else tensors[n.target].double() for n in known)
        if weight is None or mean is None or variance is None:
            continue
        gain = (variance + norm["eps"]).rsqrt() * (1.0 if gamma is None else gamma)
        shift = gain * ((0.0 if bias is None else bias) - mean) + (0.0 if beta is None else beta)
        with graph.inserting_before(before):
            constants = [
                _constant(captured, f"{before.name}_folded_{name}", tensor.float())
                for name, tensor in (("weight", weight * gain.view(-1, 1, 1, 1)), ("bias", shift))
            ]
        before.args = (before.args[0], *constants, *before.args[3:])
        before.kwargs = {name: value for name, value in before.kwargs.items() if name not in ("weight", "bias")}
        node.replace_all_uses_with(before)
        graph.erase_node(node)
        folded += 1
    return folded


def pack_convolutions(captured: Captured) -> int:
    """Lay out the weights of every convolution as oneDNN wants them, once for all batches; return how many were."""
    graph, tensors = captured
    packed = 0
    for node in list(graph.nodes):
        if node.target is not _CONVOLUTION:
            continue
        found = arguments_of(node)
        weight, bias = found["weight"], found["bias"]
        if weight.op != "get_attr" or not isinstance(size := _size(found["input"]), list):
            continue
        how = [_pair(found["padding"]), _pair(found["stride"]), _pair(found["dilation"]), found["groups"]]
        reordered = torch.ops.mkldnn._reorder_convolution_weight(tensors[weight.target], *how, size)
        with graph.inserting_before(node):
            constant = _constant(captured, f"{node.name}_packed", reordered)
            arguments = (found["input"], constant, bias, *how, "none", [], "")
            new = graph.call_function(torch.ops.mkldnn._convolution_pointwise.default, arguments)
        new.meta = node.meta
        node.replace_all_uses_with(new)
        graph.erase_node(node)
        packed += 1
    return packed


def _constant(captured: Captured, name: str, tensor: Tensor) -> fx.Node:
    """Return a new node, where nodes are being inserted, that reads a new tensor."""
    graph, tensors = captured
    tensors[name] = tensor
    return graph.get_attr(name)


def _pair(value: Any) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values * 2 if len(values) == 1 else values


def _size(node: fx.Node) -> list[int] | None:
    """Return the shape of what a node gives, for a usual number of images; None where it is not known."""
    value = node.meta.get("val")
    if not isinstance(value, Tensor) or any(isinstance(side, torch.SymInt) for side in value.shape[1:]):
        return None
    return [_IMAGES, *value.shape[1:]]
