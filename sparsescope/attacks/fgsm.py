"""The fast gradient sign method."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, OptionError

__all__ = ["Loss", "fgsm", "gradient_signs", "step"]

Loss = Literal["cross_entropy", "margin"]


def fgsm(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    epsilon: float = 8 / 255,
    *,
    loss: Loss = "cross_entropy",
    batch_size: int = 32,
) -> Tensor:
    """Return adversarial images by one gradient-sign step away from the true labels.

    x' = clip(x + ε sign(∇_x L(x, y)), 0, 1), without a random start. L is the cross-entropy, or the margin
    max_{j≠y} z_j - z_y of the logits z, which does not change its direction when the model is more or less confident.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: float32 (N, C, H, W) in [0, 1].
        labels: true labels, integers (N,).
        epsilon: step in every pixel, in pixel units, >= 0.
        loss: which loss the step raises.
        batch_size: images per pass; changes no number but for float rounding.

    Returns:
        float32 (N, C, H, W) in [0, 1], on the device of `images`, within ε of `images` but for float rounding.

    Raises:
        OptionError: epsilon is negative or no number.

    Source: Goodfellow et al. 2015; the margin loss is that of Carlini & Wagner 2017.
    """
    if not epsilon >= 0:
        raise OptionError(f"Expected epsilon >= 0, in pixel units such as 8/255, but got {epsilon:g}.")
    adversarial = []
    for chunk, truth in zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True):
        (signs,) = gradient_signs(classifier, chunk, truth, [loss])
        adversarial.append(step(chunk, signs.to(chunk.device), epsilon))
    return torch.cat(adversarial)


def step(images: Tensor, signs: Tensor, epsilon: float) -> Tensor:
    """Return clip(images + ε signs, 0, 1)."""
    return (images + epsilon * signs).clamp(0, 1)


def gradient_signs(classifier: Classifier, images: Tensor, labels: Tensor, losses: Sequence[Loss]) -> list[Tensor]:
    """Return sign(∇_x L), one tensor (N, C, H, W) on the classifier's device per loss, all from one forward pass.

    Both losses have ∇_x L = c Jᵀ(q - e_y) with J = ∂z/∂x and a scale c > 0 for each image: q is the softmax over the
    wrong classes for the cross-entropy, where c = 1 - p_y, and the one-hot best wrong class for the margin. Leaving
    c out keeps the sign and removes the underflow by which confident models seem robust in float32.

    Raises:
        NotEvaluated: the model cuts the gradient.
    """
    with torch.enable_grad():
        pixels = images.detach().to(classifier.device).requires_grad_()
        logits = classifier(pixels)
    if not logits.requires_grad:
        raise NotEvaluated(f"the logits of {classifier.name} have no gradient in the images")
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
        (gradient,) = torch.autograd.grad(logits, pixels, cotangent, retain_graph=position < len(losses))
        classifier.passes.backward += len(images)
        signs.append(gradient.sign())
    return signs
