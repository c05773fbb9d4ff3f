"""What is wrong or remarkable about the numbers in a state dict and the sparsity that follows from them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.mask import every_weight, weight_tensors

__all__ = ["conversion_warnings", "narrow_warnings", "sparsity_warnings", "value_problems"]

_DENSE_BELOW = 0.01


def value_problems(tensors: Mapping[str, Tensor], module: nn.Module | None) -> list[str]:
    """Return why the tensors cannot be used: types that hold no real weights, NaN, infinities.

    Args:
        tensors: the state dict.
        module: the network they belong to, which says where real numbers are expected; None where it is unknown, and
            then every weight of two or more axes counts.
    """
    own = {} if module is None else module.state_dict()
    problems = []
    for name, tensor in tensors.items():
        is_weight = tensor.ndim >= 2 and name.endswith("weight")
        real_expected = own[name].is_floating_point() if name in own else is_weight
        if tensor.is_quantized or tensor.is_meta or (real_expected and not tensor.is_floating_point()):
            kind = "no values (meta device)" if tensor.is_meta else str(tensor.dtype).removeprefix("torch.")
            problems.append(
                f"{name}: expected real floating-point values, but got {kind}. Save the weights as float32 "
                "(quantised networks: dequantise them first)."
            )
        elif tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            nan = int(tensor.float().isnan().sum())
            infinite = int(tensor.float().isinf().sum())
            problems.append(
                f"{name}: {nan} NaN and {infinite} infinite values of {tensor.numel()}. Such a network predicts "
                "nothing; use a checkpoint from before training diverged."
            )
    return problems


def conversion_warnings(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return one warning where tensors are not stored as float32, the type that everything is measured in."""
    kinds = sorted(
        {str(t.dtype).removeprefix("torch.") for t in tensors.values() if t.is_floating_point()} - {"float32"}
    )
    if not kinds:
        return ()
    return (f"weights are stored as {', '.join(kinds)}: converted to float32, in which everything is measured.",)


def narrow_warnings(narrowed: Sequence[str], architecture: str | None) -> tuple[str, ...]:
    """Return one warning where layers are narrower than those of the architecture."""
    if not narrowed:
        return ()
    names = f"{', '.join(narrowed[:4])}{', …' if len(narrowed) > 4 else ''}"
    return (
        f"{len(narrowed)} layers are narrower than those of {architecture or 'the dense network'}: {names}. "
        "Channels were removed, so sparsity counts only the weights that are still there: compare parameters.",
    )


def sparsity_warnings(classifier: Classifier, dense: Classifier | None = None) -> tuple[str, ...]:
    """Return warnings about layers without any weight left, and about a candidate that looks like `dense` itself."""
    warnings = []
    dead = [name for name, weight in weight_tensors(classifier.module).items() if not bool(weight.any())]
    if dead:
        warnings.append(
            f"layer collapse: every weight of {', '.join(dead[:8])}{', …' if len(dead) > 8 else ''} is zero, so what "
            "the layer returns does not depend on the image."
        )
    sparsity = classifier.sparsity
    whole = dense is not None and sparsity.parameters >= dense.sparsity.parameters  # a smaller network needs no zeros
    if whole and every_weight(classifier.module) and max(sparsity.prunable, sparsity.total) < _DENSE_BELOW:
        warnings.append(
            f"looks dense: only {sparsity.prunable:.2%} of the prunable weights are removed. Was the mask "
            "applied? Hand over the mask file, or the weights with zeros in place."
        )
    return tuple(warnings)
