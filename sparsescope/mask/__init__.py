"""Which weights survive, which of them count, and how sparse that makes a network.

mask         Mask: parameter name -> which weights are kept
layers       the layers that pruning works on
weights      which parameters are weights, and which of them pruning may remove
head_layers  classification heads, which are left alone by default
kernels      what a layer of a user's class really multiplies with
folding      weights that are computed from others become plain ones, on a copy
sparsity     how much of a network is removed
"""

from sparsescope.mask.folding import fold_computed_weights, refuse_computed_weights
from sparsescope.mask.head_layers import head_weight, head_weights
from sparsescope.mask.kernels import standardization_notes, standardized_weights
from sparsescope.mask.mask import MASK_FORMAT, Mask
from sparsescope.mask.sparsity import LayerSparsity, Sparsity, account, account_by_names
from sparsescope.mask.weights import every_weight, passed_over, prunable_weights, removable_weights, weight_tensors

__all__ = [
    "MASK_FORMAT",
    "LayerSparsity",
    "Mask",
    "Sparsity",
    "account",
    "account_by_names",
    "every_weight",
    "fold_computed_weights",
    "head_weight",
    "head_weights",
    "passed_over",
    "prunable_weights",
    "refuse_computed_weights",
    "removable_weights",
    "standardization_notes",
    "standardized_weights",
    "weight_tensors",
]
