"""How many weights every layer keeps: the same density everywhere, or Erdős–Rényi with kernels (ERK)."""

from collections.abc import Sequence
from math import floor, prod

__all__ = ["quotas"]


def quotas(
    shapes: Sequence[tuple[int, ...]], total: int, *, scope: str, capacities: Sequence[int] | None = None
) -> list[int]:
    """Return how many weights each layer keeps; they add up to `total` exactly.

    Layerwise, layer l keeps a number proportional to its size, so that all layers have one density. With ERK its
    density is eps (n_in + n_out + k_h + k_w) / (n_in n_out k_h k_w), so it keeps a number proportional to the sum of
    its weight's axes. A layer that would keep more than it has keeps all, and the others share what is left.
    Whole numbers by the method of largest remainders, the first layer first among equals: no layer is further than one
    weight from its share. Source: Evci et al. 2020, section 3 and appendix.

    Args:
        shapes: shape of each layer's weight.
        total: number of weights kept in all layers together.
        scope: `"layerwise"` or `"erk"`.
        capacities: most that each layer may keep; by default its size.

    Example:
        >>> from sparsescope.pruning.quotas import quotas
        >>> shapes = [(16, 3, 3, 3), (32, 16, 3, 3)]
        >>> quotas(shapes, 1008, scope="layerwise"), quotas(shapes, 1008, scope="erk")
        ([86, 922], [319, 689])
    """
    most = list(capacities) if capacities is not None else [prod(shape) for shape in shapes]
    weights = [float(sum(shape) if scope == "erk" else prod(shape)) for shape in shapes]
    shares = _shares(weights, most, total)
    counts = [floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda layer: counts[layer] - shares[layer])
    room = [layer for layer in by_remainder if counts[layer] < most[layer]]
    for layer in room[: total - sum(counts)]:
        counts[layer] += 1
    return counts


def _shares(weights: Sequence[float], most: Sequence[int], total: int) -> list[float]:
    """Return min(most, eps * weight) of every layer, with the eps that makes them add up to `total`."""
    full: set[int] = set()
    while True:
        left = total - sum(most[layer] for layer in full)
        scale = sum(weight for layer, weight in enumerate(weights) if layer not in full)
        eps = left / scale if scale else 0.0
        over = {layer for layer, weight in enumerate(weights) if layer not in full and eps * weight > most[layer]}
        if not over:
            return [float(most[layer]) if layer in full else eps * weight for layer, weight in enumerate(weights)]
        full |= over
