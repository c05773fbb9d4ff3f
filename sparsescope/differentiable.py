"""What a network must have before its gradients are measured, and the words where it lacks that."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, SparsescopeError

__all__ = ["differentiating", "has_gradient", "require_gradient"]

_MEANINGS = {
    "is not implemented": "has no second derivatives",
    "differentiate twice": "has no second derivatives",
    "double backwards": "has no second derivatives",
    "donated buffers": "is compiled without second derivatives",
    "modified by an inplace operation": "changes values in place that its gradient needs",
    "nference tensor": "computes in inference mode, which has no gradients",
    "does not require grad": "switches gradients off in its forward pass",
}
"""What autograd's errors mean; the first that fits counts."""


@contextlib.contextmanager
def differentiating(classifier: Classifier) -> Iterator[None]:
    """Run a block that differentiates a network; whatever that raises becomes NotEvaluated, with its first line.

    A foreign forward or backward pass may raise anything. It costs the metrics that need it, and nothing else.
    """
    try:
        yield
    except SparsescopeError:
        raise
    except Exception as error:
        line = str(error).partition("\n")[0]
        if isinstance(error, torch.OutOfMemoryError):
            meaning = "cannot be differentiated in this memory"
        else:
            known = (meaning for text, meaning in _MEANINGS.items() if text in line)
            meaning = next(known, f"cannot be differentiated ({type(error).__name__})")
        raise NotEvaluated(f"{classifier.name} {meaning}: {line}") from error


def require_gradient(classifier: Classifier, logits: Tensor, variable: Literal["the images", "its weights"]) -> None:
    """Raise NotEvaluated unless the logits depend on the variable in a way that autograd sees."""
    if not logits.requires_grad:
        raise NotEvaluated(
            f"the logits of {classifier.name} have no gradient in {variable}: its forward pass switches gradients off "
            "(no_grad, detach) or goes through whole numbers"
        )


def has_gradient(gradient: Tensor) -> Tensor:
    """Return whether the gradient (n, ...) of each image is finite and not zero throughout: bool (n,)."""
    rows = gradient.detach().flatten(1)
    return rows.isfinite().all(1) & (rows != 0).any(1)
