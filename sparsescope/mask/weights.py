"""Which parameters of a network are weights, and which of them pruning may remove."""

import re

from torch import nn

from sparsescope.mask.head_layers import head_weights
from sparsescope.mask.kernels import standardized_weights
from sparsescope.mask.layers import weight_tensors

__all__ = ["every_weight", "passed_over", "prunable_weights", "removable_weights", "weight_tensors"]

_WEIGHT = re.compile(r"(?:^|_)(?:w[qkvo]?|weights?|kernels?|filters?|experts?)\d*(?:$|_)", re.IGNORECASE)
_NO_WEIGHT = re.compile(r"bias|norm|pos|scale|token", re.IGNORECASE)


def every_weight(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return all weights by name: those of `weight_tensors`, then those of layers that pruning passes over.

    These are recurrent layers, embeddings, bilinear layers, and layers of a user's class: parameters with at least two
    axes longer than 1 whose name says weight, kernel, filter or expert. Biases, normalization, positions and tokens
    are no weights.
    """
    found = dict(weight_tensors(module))
    seen = set(found.values())
    for prefix, child in module.named_modules():
        for attribute, parameter in child.named_parameters(prefix, recurse=False):
            if parameter not in seen and _is_weight(child, attribute, parameter):
                seen.add(parameter)
                found[attribute] = parameter
    return found


def removable_weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return all weights whose zeros are removed connections, by name: not those that a layer standardizes."""
    standardized = set(standardized_weights(module))
    return {name: weight for name, weight in every_weight(module).items() if name not in standardized}


def prunable_weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights of all convolutions and linear layers but the heads, by name.

    Biases and normalization are never counted, and heads are not by convention (Frankle & Carbin 2019 prune them apart
    or not at all); `account` counts one as soon as a mask removes some of it. Weights that their layer standardizes
    are prunable only where there are no others.
    """
    weights = weight_tensors(module)
    left_alone = set(head_weights(module)) if len(weights) > 1 else set()
    chosen = {name: weight for name, weight in weights.items() if name not in left_alone}
    standardized = set(standardized_weights(module))
    return {name: weight for name, weight in chosen.items() if name not in standardized} or chosen


def passed_over(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that are neither prunable nor a head's, by name."""
    others = prunable_weights(module).keys() | set(head_weights(module))
    return {name: weight for name, weight in every_weight(module).items() if name not in others}


def _is_weight(layer: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    """Return whether a parameter of `layer`, with its full name, is a weight."""
    if isinstance(parameter, nn.UninitializedParameter) or not parameter.is_floating_point():
        return False
    if sum(side > 1 for side in parameter.shape) < 2 or _NO_WEIGHT.search(type(layer).__name__):
        return False
    listed = isinstance(layer, nn.ParameterList | nn.ParameterDict)
    own = ".".join(name.split(".")[-2 if listed else -1 :])
    return bool(_WEIGHT.search(own.replace(".", "_"))) and not _NO_WEIGHT.search(own)
