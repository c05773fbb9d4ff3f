"""What every curvature needs of autograd: gradients in frozen weights, second derivatives, clear refusals."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sparsescope.classifier import Classifier
from sparsescope.curvature.operations import ExactOperations
from sparsescope.differentiable import differentiating, require_gradient
from sparsescope.errors import NotFiniteError

__all__ = ["check_finite", "differentiable_images", "gradients_in", "twice_differentiable"]


@contextlib.contextmanager
def twice_differentiable(classifier: Classifier) -> Iterator[None]:
    """Run a block that differentiates twice; raises NotEvaluated where an operation of the model cannot.

    Attention runs on its plain kernel, because the fused ones have no second derivative; other operations that lack
    one are replaced where there is an exact identity: see `operations`.
    """
    with differentiating(classifier), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), ExactOperations():
        yield


@contextlib.contextmanager
def gradients_in(module: nn.Module) -> Iterator[dict[str, nn.Parameter]]:
    """Yield the module's floating parameters by name, all requiring gradients; restores `requires_grad` afterwards."""
    parameters = {name: p for name, p in module.named_parameters() if p.is_floating_point()}
    before = {name: p.requires_grad for name, p in parameters.items()}
    try:
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        yield parameters
    finally:
        for name, parameter in parameters.items():
            parameter.requires_grad_(before[name])


def check_finite(classifier: Classifier, logits: Tensor) -> None:
    """Raise NotFiniteError if logits are not finite: eigenvalues of such a loss would end in an error of LAPACK's."""
    if not bool(logits.isfinite().all()):
        raise NotFiniteError(
            f"{classifier.name} returns logits that are not finite for some of the images whose loss is "
            "differentiated. Check its weights, its BatchNorm statistics and --mean/--std."
        )


def differentiable_images(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return (pixels, logits): the images as a leaf on the classifier's device, and the logits that depend on it.

    Raises:
        NotEvaluated: the model cuts the gradient.
        NotFiniteError: the model returns nan or infinity.
    """
    pixels = images.detach().to(classifier.device).requires_grad_()
    logits = classifier(pixels)
    require_gradient(classifier, logits, "the images")
    check_finite(classifier, logits)
    return pixels, logits
