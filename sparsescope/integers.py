"""Networks that compute with whole numbers: torch's quantized layers, and torchao's tensors."""

import copy
import hashlib
import io
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.mask import Sparsity, account_by_names
from sparsescope.modules import RuntimeModule

__all__ = ["INTEGERS", "IntegerNetwork", "integer_network"]

INTEGERS = "its weights are whole numbers, which have no gradients"
"""Why neither gradients nor second derivatives of such a network are measured."""


class IntegerNetwork(RuntimeModule):
    """A network whose weights are no parameters that could be looked at one by one; it gives its answers on the CPU.

    Args:
        network: with layers of torch.ao.nn.quantized, or weights of torchao; a copy is kept.
    """

    def __init__(self, network: nn.Module) -> None:
        stored = io.BytesIO()
        torch.save(network.state_dict(), stored)
        content = repr(network).encode() + stored.getvalue()
        super().__init__(hashlib.sha256(content).hexdigest())
        inside = copy.deepcopy(network).eval()
        for child in inside.modules():
            vars(child).pop("extra_repr", None)  # torchao's, which cannot be sent to another process
        self._inside = (inside,)  # in a tuple: no module of this one

    @override
    def forward(self, images: Tensor) -> Any:
        with torch.no_grad():
            return self._inside[0](images.cpu())


@dataclass(frozen=True)
class Found:
    """A network of whole numbers as a module of its own, and the share of its weights that are zero."""

    module: IntegerNetwork
    sparsity: Sparsity


def integer_network(module: nn.Module) -> Found | None:
    """Return a network of whole numbers with its sparsity; None for every other network.

    Weights that rounding made zero count as removed: nobody can tell them from those that pruning removed.
    """
    layers = {name: child for name, child in module.named_modules() if _is_quantized(child)}
    tensors = {name: parameter for name, parameter in module.named_parameters() if _is_integer(parameter)}
    if not layers and not tensors:
        return None
    weights: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        weights[name] = parameter.dequantize() if name in tensors else parameter.detach()
    for name, layer in layers.items():
        for part in ("weight", "bias"):
            read = getattr(layer, part, None)
            value = read() if callable(read) else None
            if isinstance(value, Tensor):
                weights[f"{name}.{part}".removeprefix(".")] = value.dequantize() if value.is_quantized else value
    return Found(IntegerNetwork(module), account_by_names(weights))


def _is_quantized(module: nn.Module) -> bool:
    place = type(module).__module__
    return place.startswith("torch.") and ".quantized" in place


def _is_integer(parameter: Tensor) -> bool:
    return type(parameter).__module__.startswith("torchao.")
