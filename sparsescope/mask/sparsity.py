"""How much of a network is removed, by layer and in all."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sparsescope.mask.mask import Mask
from sparsescope.mask.weights import prunable_weights, removable_weights

__all__ = ["LayerSparsity", "Sparsity", "account", "account_by_names"]

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class LayerSparsity:
    """Sparsity of one weight tensor: `sparsity` is the fraction removed."""

    name: str
    shape: tuple[int, ...]
    sparsity: float

    @classmethod
    def of(cls, name: str, kept: Tensor) -> "LayerSparsity":
        """Return that of a weight of which the entries that are True are kept."""
        return cls(name, tuple(kept.shape), int((~kept).sum()) / kept.numel() if kept.numel() else 0.0)


@dataclass(frozen=True)
class Sparsity:
    """Sparsity accounting of a network.

    Args:
        parameters: number of parameters, biases and normalisation included.
        nonzero: how many of them are not removed.
        prunable: fraction removed of the prunable weights (see `prunable_weights`).
        total: fraction removed of all parameters.
        layers: per prunable weight tensor, in the network's order.
    """

    parameters: int
    nonzero: int
    prunable: float
    total: float
    layers: tuple[LayerSparsity, ...]


def account(module: nn.Module, mask: Mask | None = None) -> Sparsity:
    """Return the sparsity of `module` under `mask`; without one, zeros in the weights count as removed.

    Weights that pruning passes over, those of heads and of recurrent layers among them, count as prunable as soon as
    some of them are removed. Those that a layer standardizes in its forward pass never count as removed.
    """
    weights = removable_weights(module)
    if mask is None:
        mask = Mask.from_zeros(weights)
    removed = {name: int((~kept).sum()) for name, kept in mask.items() if name in weights}
    prunable = prunable_weights(module)
    counted = {name: weight for name, weight in weights.items() if name in prunable or removed.get(name, 0) > 0}
    parameters = sum(parameter.numel() for parameter in module.parameters())
    gone = sum(removed.values())
    size = sum(weight.numel() for weight in counted.values())
    return Sparsity(
        parameters=parameters,
        nonzero=parameters - gone,
        prunable=sum(removed.get(name, 0) for name in counted) / size if size else 0.0,
        total=gone / parameters if parameters else 0.0,
        layers=tuple(
            LayerSparsity(name, tuple(weight.shape), removed.get(name, 0) / weight.numel())
            for name, weight in counted.items()
        ),
    )


def account_by_names(tensors: Mapping[str, Tensor], mask: Mapping[str, Tensor] | None = None) -> Sparsity:
    """Return the sparsity of a state dict by names and shapes alone, as `account` does it by the layers' types.

    Weights are the tensors of two or more axes whose names end in `weight`; the last of them is taken for the head.

    Args:
        tensors: the state dict, without masks.
        mask: True where a weight is kept, by its name; None: zeros are removed.
    """
    parameters = {name: tensor for name, tensor in tensors.items() if not name.endswith(_STATISTICS)}
    weights = {name: tensor for name, tensor in parameters.items() if tensor.ndim >= 2 and name.endswith("weight")}
    kept = dict(mask) if mask is not None else {name: tensor != 0 for name, tensor in weights.items()}
    removed = {name: int((~entries).sum()) for name, entries in kept.items()}
    head = list(weights)[-1] if len(weights) > 1 else None
    counted = {name: tensor for name, tensor in weights.items() if name != head or removed.get(name, 0)}
    size = sum(tensor.numel() for tensor in parameters.values())
    prunable = sum(weight.numel() for weight in counted.values())
    gone = sum(removed.values())
    return Sparsity(
        parameters=size,
        nonzero=size - gone,
        prunable=sum(removed.get(name, 0) for name in counted) / prunable if prunable else 0.0,
        total=gone / size if size else 0.0,
        layers=tuple(
            LayerSparsity.of(name, kept.get(name, torch.ones(weight.shape, dtype=torch.bool)))
            for name, weight in counted.items()
        ),
    )
