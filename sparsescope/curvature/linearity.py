"""Which networks allow an exact or a cheaper Hessian, decided by second derivatives at fixed random images.

Asking autograd instead of module types sees functional calls and user modules too: in a piecewise-linear network the
second derivative of every logit is zero, in a smooth one it is not. The images come from a fixed key, never from the
data, so that the answer is a property of the model alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.curvature.derivatives import differentiable_images, gradients_in, twice_differentiable
from sparsescope.curvature.facts import fact
from sparsescope.differentiable import require_gradient
from sparsescope.errors import NotEvaluated
from sparsescope.randomness import generator, rademacher

__all__ = ["is_layerwise_linear", "is_piecewise_linear", "noise_images", "signs_like"]

_IMAGES = 2
_TOLERANCE = 1e-4
"""Largest relative change of a gradient, over a step as long as what is changed, that counts as none."""


@fact
def is_piecewise_linear(classifier: Classifier, shape: Sequence[int]) -> bool:
    """Return whether the logits z are piecewise linear in the image, so that ∇²_x L = Jᵀ S J exactly.

    Criterion: ‖∇²_x(cᵀz) v‖ <= 1e-4 ‖∇_x(cᵀz)‖ for random signs c and v, at two images of uniform noise. Exactly zero
    for the ReLU family, pooling and eval-mode BatchNorm; of order one for smooth activations.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        shape: (C, H, W) of the images it takes.

    Raises:
        NotEvaluated: the model cuts the gradient, or cannot be differentiated twice.
    """
    with twice_differentiable(classifier):
        pixels, logits = differentiable_images(classifier, noise_images(shape))
        c = signs_like(logits).requires_grad_()
        (gradient,) = torch.autograd.grad(logits, pixels, c, create_graph=True)
        classifier.passes.input_gradients += len(pixels)
        classifier.passes.input_products += len(pixels)
        return _is_constant(classifier, gradient, pixels, signs_like(pixels), c)


@fact
def is_layerwise_linear(classifier: Classifier, shape: Sequence[int]) -> bool:
    """Return whether the logits z are piecewise linear in each parameter tensor while the others are held fixed.

    Then ∂²z/∂θ_j² = 0 for every single weight, so that the Hessian and its Gauss-Newton part have the same diagonal
    and the same trace. True of ReLU networks; false where an activation is smooth or a weight is used twice in a row.
    Criterion: as in `is_piecewise_linear`, tensor by tensor, with steps of the tensor's own root mean square.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        shape: (C, H, W) of the images it takes.

    Raises:
        NotEvaluated: the model has no gradient in its weights, or cannot be differentiated twice.
    """
    with twice_differentiable(classifier), gradients_in(classifier.module) as parameters:
        tensors = list(parameters.values())
        logits = classifier(noise_images(shape))
        require_gradient(classifier, logits, "its weights")
        c = signs_like(logits).requires_grad_()
        gradients = torch.autograd.grad(logits, tensors, c, create_graph=True, allow_unused=True)
        classifier.passes.weight_gradients += len(logits)
        # Each tensor's own product runs through what lies behind it alone: half of the network, on average.
        classifier.passes.weight_products += len(logits) * sum(g is not None for g in gradients) / 2
        return all(
            _is_constant(classifier, gradient, tensor, signs_like(tensor) * (_root_mean_square(tensor) or 1.0), c)
            for tensor, gradient in zip(tensors, gradients, strict=True)
            if gradient is not None
        )


def noise_images(shape: Sequence[int]) -> Tensor:
    """Return the fixed images of uniform noise (2, C, H, W)."""
    pixels = generator(0, "linearity/images", 0).random((_IMAGES, *shape), dtype="float32")
    return torch.from_numpy(pixels)


def signs_like(like: Tensor) -> Tensor:
    """Return fixed random signs in the shape of a tensor, with its type and device."""
    signs = rademacher(generator(0, "linearity/directions", 0), like.numel())
    return torch.from_numpy(signs).reshape(like.shape).to(like)


def _root_mean_square(tensor: Tensor) -> float:
    return float(tensor.detach().square().mean().sqrt())


def _is_constant(classifier: Classifier, gradient: Tensor, argument: Tensor, direction: Tensor, c: Tensor) -> bool:
    """Return whether the gradient Jᵀc stays the same along a direction v of its argument.

    Jᵀc is linear in c, so autograd must find cᵀ(∂/∂c)⟨Jᵀc, v⟩ = ⟨Jᵀc, v⟩: less means that an operation of the model
    hides part of its second derivatives, which would look like linearity.
    """
    inputs = (argument, c)
    change, rate = (
        torch.autograd.grad(gradient, inputs, direction, retain_graph=True, allow_unused=True)
        if gradient.requires_grad
        else (None, None)
    )
    size = gradient.detach().norm()
    seen = 0.0 if rate is None else (rate * c.detach()).sum()
    if (seen - (gradient.detach() * direction).sum()).abs() > 1e-3 * size * direction.norm():
        raise NotEvaluated(f"{classifier.name} has an operation that hides its second derivatives")
    return change is None or bool(change.norm() <= _TOLERANCE * size)
