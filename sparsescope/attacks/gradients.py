"""The sign of the loss gradient in the pixels: the direction that every attack here steps along."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.differentiable import differentiating, has_gradient, require_gradient

__all__ = ["Loss", "gradient_signs"]

Loss = Literal["cross_entropy", "margin"]


def gradient_signs(
    classifier: Classifier, images: Tensor, labels: Tensor, losses: Sequence[Loss]
) -> tuple[Tensor, list[Tensor]]:
    """Return the logits and sign(∇_x L), one tensor (N, C, H, W) per loss, all from one forward pass.

    Both losses have ∇_x L = c Jᵀ(q - e_y) with J = ∂z/∂x and a scale c > 0 for each image: q is the softmax over the
    wrong classes for the cross-entropy, where c = 1 - p_y, and the one-hot best wrong class for the margin. Leaving
    c out keeps the sign and removes the underflow by which confident models seem robust in float32. An image whose
    gradient is not finite has signs of 0, as one whose gradient is 0.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: (N, C, H, W) in [0, 1].
        labels: true labels, integers (N,).
        losses: which losses the steps raise.

    Returns:
        the logits (N, K) without graph, and the signs in the order of `losses`, all on the device of `images`.

    Raises:
        NotEvaluated: the model cuts the gradient.
    """
    with differentiating(classifier), torch.enable_grad():
        pixels = images.detach().to(classifier.device).requires_grad_()
        logits = classifier(pixels)
    require_gradient(classifier, logits, "the images")
    truth = labels.to(logits.device).unsqueeze(1)
    wrong = logits.detach().scatter(1, truth, -torch.inf)
    signs = []
    for position, loss in enumerate(losses, start=1):
        q = (
            wrong.softmax(1)
            if loss == "cross_entropy"
            else torch.zeros_like(wrong).scatter(1, wrong.argmax(1, True), 1)
        )
        cotangent = q.scatter(1, truth, -1.0)
        with differentiating(classifier):
            (gradient,) = torch.autograd.grad(logits, pixels, cotangent, retain_graph=position < len(losses))
        classifier.passes.input_gradients += len(images)
        moves = has_gradient(gradient).view(-1, *[1] * (gradient.ndim - 1))
        signs.append(torch.where(moves, gradient.sign(), 0).to(images.device))
    return logits.detach().to(images.device), signs
