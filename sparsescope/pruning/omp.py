"""One-shot magnitude pruning: remove the weights that are smallest in absolute value, over the whole network."""

from torch import nn

from sparsescope.mask import Mask
from sparsescope.pruning.collapse import warn_of_collapse
from sparsescope.pruning.masking import make_mask
from sparsescope.pruning.subject import Scores, Subject, candidates

__all__ = ["magnitude", "omp"]


def magnitude(subject: Subject) -> Scores:
    """Score |w|: the larger a weight, the better it is kept. Source: Han et al. 2015."""
    return {name: weight.detach().abs() for name, weight in subject.weights.items()}


def omp(module: nn.Module, sparsity: float) -> Mask:
    """Return the mask of one-shot global magnitude pruning: score |w|, head excluded. Source: Han et al. 2015.

    Args:
        module: a trained network; it is not changed (`Mask.apply` does that).
        sparsity: fraction of the prunable weights removed, 0 <= sparsity < 1.

    Raises:
        OptionError: sparsity out of range.
        InputError: the network has nothing to prune, or weights that are not finite.
    """
    scores = {name: weight.detach().abs() for name, weight in candidates(module).items()}
    mask = make_mask(scores, sparsity, scope="global", method="omp")
    warn_of_collapse(mask)
    return mask
