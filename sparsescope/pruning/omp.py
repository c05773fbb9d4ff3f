"""One-shot magnitude pruning: remove the weights that are smallest in absolute value, over the whole network."""

from torch import nn

from sparsescope.mask import Mask, prunable_weights
from sparsescope.pruning.masking import global_mask

__all__ = ["omp"]


def omp(module: nn.Module, sparsity: float) -> Mask:
    """Return the mask of one-shot global magnitude pruning: score |w|, head excluded. Source: Han et al. 2015.

    Args:
        module: a trained network; it is not changed (`Mask.apply` does that).
        sparsity: fraction of the prunable weights removed, 0 <= sparsity < 1.

    Raises:
        OptionError: sparsity out of range.
        InputError: the network has nothing to prune, or weights that are not finite.
    """
    scores = {name: weight.detach().abs() for name, weight in prunable_weights(module).items()}
    return global_mask(scores, sparsity, method="omp")
