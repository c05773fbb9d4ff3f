"""The fast gradient sign method."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.attacks.ball import check_sizes, image_ids, project, uniform_start
from sparsescope.attacks.gradients import Loss, gradient_signs
from sparsescope.classifier import Classifier

__all__ = ["RANDOM_START_STEP", "fgsm", "fgsm_start"]

RANDOM_START_STEP = 1.25
"""Step after a random start, in multiples of ε: what Wong et al. 2020 found best."""


def fgsm(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    epsilon: float = 8 / 255,
    *,
    random_start: bool = False,
    step_size: float | None = None,
    loss: Loss = "cross_entropy",
    seed: int = 0,
    ids: NDArray[np.int64] | None = None,
    batch_size: int = 32,
) -> Tensor:
    """Return adversarial images by one gradient-sign step away from the true labels.

    x' = Π(x₀ + α sign(∇_x L(x₀, y))), with Π the projection to [0, 1] and to within ε of x in every pixel. Without a
    random start x₀ = x and α = ε; with one, x₀ is uniform within ε of x, clipped to [0, 1], and α = 1.25 ε. L is the
    cross-entropy, or the margin max_{j≠y} z_j - z_y of the logits z, which does not change its direction when the
    model is more or less confident.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: float32 (N, C, H, W) in [0, 1].
        labels: true labels, integers (N,).
        epsilon: largest change of a pixel, in pixel units, >= 0.
        random_start: whether to start at a random place within ε.
        step_size: α, in pixel units, >= 0; default: as above.
        loss: which loss the step raises.
        seed: key of the random starts.
        ids: ids (N,) of the images, which key their starts; default: row numbers.
        batch_size: images per pass; changes no number but for float rounding.

    Returns:
        float32 (N, C, H, W) in [0, 1], on the device of `images`, within ε of `images` but for float rounding.

    Raises:
        OptionError: epsilon or step_size is negative or no number, or the ids do not fit.
        NotEvaluated: the model cuts the gradient.

    Source: Goodfellow et al. 2015; random start: Wong et al. 2020; margin loss: Carlini & Wagner 2017.

    Example:
        >>> import torch
        >>> from sparsescope import Classifier
        >>> from sparsescope.attacks import fgsm
        >>> from torch import nn
        >>> images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> with Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3))).prepared() as classifier:
        ...     adversarial = fgsm(classifier, images, labels, epsilon=8 / 255)
        >>> bool((adversarial - images).abs().max() <= 8 / 255 + 1e-6)
        True
    """
    check_sizes(epsilon, step_size)
    names = image_ids(ids, len(images))
    alpha = epsilon * (RANDOM_START_STEP if random_start else 1) if step_size is None else step_size
    adversarial = []
    for first in range(0, len(images), batch_size):
        rows = slice(first, first + batch_size)
        start = fgsm_start(images[rows], epsilon, names[rows], seed) if random_start else images[rows]
        _, (signs,) = gradient_signs(classifier, start, labels[rows], [loss])
        adversarial.append(project(start + alpha * signs, images[rows], epsilon))
    return torch.cat(adversarial)


def fgsm_start(images: Tensor, epsilon: float, ids: NDArray[np.int64], seed: int) -> Tensor:
    """Return the random starts of FGSM; see `uniform_start`."""
    return uniform_start(images, epsilon, ids, seed, "attack/fgsm")
