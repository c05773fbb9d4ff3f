"""Training by SGD with momentum, optionally under a mask that keeps removed weights at zero."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparsescope.benchmark import ImageSet
from sparsescope.classifier import Classifier
from sparsescope.randomness import generator

__all__ = ["Epoch", "Recipe", "train"]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Args:
        epochs: passes over the training images.
        learning_rate: peak of a one-cycle schedule: linear warm-up over the first epoch, then cosine to 0.
        batch_size: images per step.
        momentum: of SGD (Nesterov).
        weight_decay: L2 penalty on all weights.
        shift: images are shifted by up to this many pixels in both directions, filled with their edge.
    """

    epochs: int
    learning_rate: float = 0.1
    batch_size: int = 64
    momentum: float = 0.9
    weight_decay: float = 5e-4
    shift: int = 2


@dataclass(frozen=True)
class Epoch:
    """Mean loss and accuracy over the training images of one epoch, counted from 1."""

    number: int
    loss: float
    accuracy: float


def train(
    classifier: Classifier,
    images: ImageSet,
    recipe: Recipe,
    *,
    seed: int = 0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train `classifier.module` in place and return the history; weights that the classifier's mask removes stay zero.

    Order and shifts of the images depend on (seed, epoch) alone.

    Args:
        classifier: the network with its normalisation and mask; left in eval mode.
        images: labelled training images.
        recipe: how to train.
        seed: key of order and augmentation.
        on_epoch: told after every epoch.
    """
    module, mask = classifier.module, classifier.mask
    labels = torch.from_numpy(images.required_labels())
    optimiser = torch.optim.SGD(
        module.parameters(), lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    steps = math.ceil(len(images) / recipe.batch_size)
    history = []
    module.train()
    for epoch in range(recipe.epochs):
        rng = generator(seed, "train", epoch)
        order = rng.permutation(len(images))
        loss_sum = correct = 0.0
        for step in range(steps):
            rows = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(recipe, epoch + step / steps)
            logits = classifier(_shifted(images.read(rows), recipe.shift, rng))
            target = labels[rows].to(logits.device)
            loss = functional.cross_entropy(logits, target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if mask is not None:
                mask.apply(module)
            loss_sum += float(loss.detach()) * len(rows)
            correct += float((logits.argmax(1) == target).sum())
        history.append(Epoch(epoch + 1, loss_sum / len(images), correct / len(images)))
        if on_epoch is not None:
            on_epoch(history[-1])
    module.eval()
    return history


def _learning_rate(recipe: Recipe, epoch: float) -> float:
    if epoch < 1:
        return recipe.learning_rate * max(epoch, 0.05)
    progress = (epoch - 1) / max(recipe.epochs - 1, 1e-9)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def _shifted(images: Tensor, shift: int, rng: np.random.Generator) -> Tensor:
    """Shift every image by its own whole number of pixels, at most `shift` each way, repeating its edge."""
    n, _, height, width = images.shape
    rows = np.clip(np.arange(height) + rng.integers(-shift, shift + 1, (n, 1)), 0, height - 1)
    columns = np.clip(np.arange(width) + rng.integers(-shift, shift + 1, (n, 1)), 0, width - 1)
    picked = images.numpy()[np.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return torch.from_numpy(np.ascontiguousarray(picked.transpose(0, 3, 1, 2)))
