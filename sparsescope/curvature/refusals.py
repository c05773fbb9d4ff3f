"""Gradients that say nothing of a network, found by one backward pass on a few images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.curvature.derivatives import check_finite, twice_differentiable
from sparsescope.curvature.facts import fact
from sparsescope.curvature.linearity import noise_images, signs_like
from sparsescope.curvature.weights import Support
from sparsescope.differentiable import differentiating, require_gradient
from sparsescope.errors import NotEvaluated

__all__ = ["refuse_hidden_second_derivatives", "refuse_straight_through", "require_weight_gradient"]

_LARGEST_SHARE = 0.9
"""Share of surviving weights without gradient beyond which a Hessian would be one of biases and normalization."""


@fact
def refuse_straight_through(classifier: Classifier, shape: Sequence[int]) -> bool:
    """Return True; raise NotEvaluated if the gradient belongs to other answers: it never changes, unlike theirs.

    So it is where a network rounds its activations and passes gradients on as if it did not. Criterion: at two images
    of uniform noise, a random combination of the logits has one and the same gradient g, and changes by another amount
    than ⟨g, x₁ - x₀⟩. Of a linear network, or two images in one region of a piecewise-linear one, it does not.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        shape: (C, H, W) of the images it takes.

    Raises:
        NotEvaluated: as above, or the model cuts the gradient.
    """
    with differentiating(classifier), torch.enable_grad():
        pixels = noise_images(shape).to(classifier.device).requires_grad_()
        logits = classifier(pixels)
        require_gradient(classifier, logits, "the images")
        answers = (logits * signs_like(logits[0])).sum(1)
        (gradient,) = torch.autograd.grad(answers.sum(), pixels)
        classifier.passes.input_gradients += len(pixels)
    answers = answers.detach()
    first, second = gradient.double()
    size = first.norm()
    if not (size > 0 and (first - second).norm() <= 1e-6 * size):
        return True
    start, end = pixels.detach().double()
    foretold, change = float((first * (end - start)).sum()), float(answers[1] - answers[0])
    noise = 1e-3 * float(answers.abs().max())
    if abs(change - foretold) > max(0.05 * (abs(change) + abs(foretold)), noise):
        raise NotEvaluated(
            f"the gradient of {classifier.name} is the same for all images, but its answers are not linear in them "
            "(a straight-through estimate?)"
        )
    return True


def require_weight_gradient(classifier: Classifier, support: Support, images: Tensor) -> None:
    """Raise NotEvaluated if the logits have no gradient in most surviving weights and yet depend on them.

    So it is where weights are rounded. Where pruning cut layers off, or a normalization still multiplies them by the 0
    of its beginning, they have no effect, and their gradient of 0 is right. Tensors that no path leads to, such as
    those of heads for training alone, are left out.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        support: of the same model, from `surviving_weights`.
        images: float32 (n, C, H, W) in [0, 1]; a few are enough.
    """
    with differentiating(classifier), torch.enable_grad():
        logits = classifier(images)
        require_gradient(classifier, logits, "its weights")
        check_finite(classifier, logits)
        parameters = list(support.parameters.values())
        gradients = torch.autograd.grad(logits, parameters, signs_like(logits), allow_unused=True)
    classifier.passes.weight_gradients += len(images)
    found = [(name, g) for name, g in zip(support.parameters, gradients, strict=True) if g is not None]
    sizes = {name: int(support.restricted(name, torch.ones_like(gradient)).sum()) for name, gradient in found}
    flat = [name for name, gradient in found if not bool(gradient.any())]
    share = sum(sizes[name] for name in flat) / max(1, sum(sizes.values()))
    if share > _LARGEST_SHARE and _matter(classifier, [support.parameters[name] for name in flat], images, logits):
        raise NotEvaluated(
            f"no gradient in {share:.0%} of the weights of {classifier.name}, which its answers depend on"
        )


def _matter(classifier: Classifier, weights: Sequence[Tensor], images: Tensor, logits: Tensor) -> bool:
    """Return whether other logits come out if the weights change their sign; they get it back."""
    with torch.no_grad():
        try:
            for weight in weights:
                weight.neg_()
            changed = classifier(images)
        finally:
            for weight in weights:
                weight.neg_()
    return not torch.allclose(changed, logits, rtol=1e-3, atol=1e-3 * float(logits.detach().abs().max()))


def refuse_hidden_second_derivatives(classifier: Classifier, support: Support, images: Tensor) -> None:
    """Raise NotEvaluated if a part of the second derivatives in the weights is hidden, or there are none.

    The gradient Jᵀc of the logits is linear in c, so autograd must find cᵀ(∂/∂c)⟨Jᵀc, v⟩ = ⟨Jᵀc, v⟩ along any v.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        support: of the same model, from `surviving_weights`.
        images: float32 (n, C, H, W) in [0, 1]; a few are enough.
    """
    with twice_differentiable(classifier):
        logits = classifier(images)
        require_gradient(classifier, logits, "its weights")
        c = signs_like(logits).requires_grad_()
        parameters = list(support.parameters.values())
        found = torch.autograd.grad(logits, parameters, c, create_graph=True, allow_unused=True)
        classifier.passes.weight_gradients += len(images)
        classifier.passes.weight_products += len(images)
        gradients = [gradient for gradient in found if gradient is not None]
        slopes = [(gradient * signs_like(gradient)).sum() for gradient in gradients]
        seen = [slope for slope in slopes if slope.requires_grad]
        (rate,) = torch.autograd.grad(seen, c, allow_unused=True) if seen else (None,)
    with torch.no_grad():
        missing = sum(float(slope) for slope in slopes) - (0.0 if rate is None else float((rate * c).sum()))
        size = sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5
    if abs(missing) > 1e-2 * size:
        raise NotEvaluated(f"{classifier.name} has an operation that hides its second derivatives")
