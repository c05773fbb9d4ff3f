"""How much of a network is removed, by layer and in all."""

from dataclasses import dataclass

from torch import nn

from sparsescope.mask.mask import Mask
from sparsescope.mask.weights import prunable_weights, removable_weights

__all__ = ["LayerSparsity", "Sparsity", "account"]


@dataclass(frozen=True)
class LayerSparsity:
    """Sparsity of one weight tensor: `sparsity` is the fraction removed."""

    name: str
    shape: tuple[int, ...]
    sparsity: float


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
