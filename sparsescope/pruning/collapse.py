"""Layer collapse: a mask that removes a whole layer, which may cut the network in two."""

import warnings

from sparsescope.errors import SparsescopeWarning
from sparsescope.mask import Mask

__all__ = ["collapsed_layers", "warn_of_collapse"]


def collapsed_layers(mask: Mask) -> list[str]:
    """Return the parameters of which `mask` keeps nothing, shortcuts included, in the network's order."""
    return [name for name, kept in mask.items() if not bool(kept.any())]


def warn_of_collapse(mask: Mask) -> None:
    """Warn (SparsescopeWarning), naming the layers, if `mask` removes a whole layer. Source: Tanaka et al. 2020."""
    layers = collapsed_layers(mask)
    if layers:
        warnings.warn(
            f"Layer collapse: the mask{f' of {mask.method}' if mask.method else ''} removes every weight of "
            f"{', '.join(layers)}. A layer without weights passes no signal: unless a shortcut goes around it, the "
            "network cannot learn. Prune less, or use scope='layerwise' or 'erk'"
            f"{'.' if mask.method == 'synflow' else ', or SynFlow.'}",
            SparsescopeWarning,
            stacklevel=3,
        )
