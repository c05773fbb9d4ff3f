"""Projected gradient descent within a largest change of every pixel."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.attacks.ball import check_sizes, image_ids, project, uniform_start
from sparsescope.attacks.gradients import Loss, gradient_signs
from sparsescope.classifier import Classifier
from sparsescope.differentiable import has_gradient
from sparsescope.errors import NotFiniteError, OptionError

__all__ = ["Pgd", "Search", "pgd"]


@dataclass(frozen=True)
class Pgd:
    """The options of PGD, as `pgd` documents them.

    Raises:
        OptionError: a number outside its range.
    """

    epsilon: float = 8 / 255
    steps: int = 10
    step_size: float | None = None
    random_start: bool = True
    restarts: int = 1
    loss: Loss = "cross_entropy"

    def __post_init__(self) -> None:
        check_sizes(self.epsilon, self.step_size)
        for name, count in (("steps", self.steps), ("restarts", self.restarts)):
            if count < 1:
                raise OptionError(f"Expected {name} >= 1, but got {count}.")
        if self.restarts > 1 and not self.random_start:
            raise OptionError(
                f"Expected restarts = 1 without a random start, but got {self.restarts}: they would all be the same."
            )

    @property
    def alpha(self) -> float:
        """Step in every pixel: 2.5 ε / steps where no `step_size` is given, so that every corner can be reached."""
        return 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size

    def search(
        self,
        classifier: Classifier,
        images: Tensor,
        labels: Tensor,
        *,
        seed: int = 0,
        ids: NDArray[np.int64] | None = None,
        batch_size: int = 32,
    ) -> "Search":
        """Attack the images; arguments as of `pgd`."""
        names, truth = image_ids(ids, len(images)), labels.to(images.device)
        logits = _logits(classifier, images, batch_size)
        right, margins, found = logits.argmax(1) == truth, _margins(logits, truth), images.clone()
        running, steep = right.nonzero().squeeze(1), torch.zeros_like(right)
        for restart in range(self.restarts):
            if not len(running):
                break
            start = images[running]
            if self.random_start:
                units = names[running.cpu().numpy()]
                start = uniform_start(start, self.epsilon, units, seed, f"attack/pgd/{restart}")
            reached, heights, wins, slopes = self._climb(classifier, images[running], truth[running], start, batch_size)
            steep[running] |= slopes
            better = heights > margins[running] if restart else torch.ones_like(wins)
            found[running[better]], margins[running[better]] = reached[better], heights[better]
            running = running[wins]
        still = torch.zeros_like(right)
        still[running] = True
        return Search(found, right, still, steep)

    def _climb(
        self, classifier: Classifier, images: Tensor, labels: Tensor, start: Tensor, batch_size: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return where the steps from `start` lead, the margins there, if the model is still right, if it has a slope.

        An image stops where the model first errs.
        """
        current, margins = start.clone(), torch.empty_like(images[:, 0, 0, 0])
        right = torch.ones_like(labels, dtype=torch.bool)
        steep = torch.zeros_like(right)
        running = torch.arange(len(images), device=images.device)
        for step in range(self.steps + 1):
            if not len(running):
                break
            for rows in torch.split(running, batch_size):
                losses = [self.loss] if step < self.steps else []  # after the last step only the answer counts
                logits, signs = gradient_signs(classifier, current[rows], labels[rows], losses)
                margins[rows], right[rows] = _margins(logits, labels[rows]), logits.argmax(1) == labels[rows]
                for sign in signs:
                    steep[rows] |= has_gradient(sign)
                    moved = project(current[rows] + self.alpha * sign, images[rows], self.epsilon)
                    current[rows] = torch.where(right[rows].view(-1, 1, 1, 1), moved, current[rows])
            running = running[right[running]]
        return current, margins, right, steep


@dataclass(frozen=True)
class Search:
    """What an attack found.

    Args:
        images: adversarial images (N, C, H, W); those the model already had wrong are as they were.
        right_before: bool (N,): whether the model had the unchanged image right.
        right_after: bool (N,): whether it still has the attacked image right.
        gradient: bool (N,): whether a step found one, finite and not zero; False of images wrong from the outset.
    """

    images: Tensor
    right_before: Tensor
    right_after: Tensor
    gradient: Tensor


def pgd(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    epsilon: float = 8 / 255,
    *,
    steps: int = 10,
    step_size: float | None = None,
    random_start: bool = True,
    restarts: int = 1,
    loss: Loss = "cross_entropy",
    seed: int = 0,
    ids: NDArray[np.int64] | None = None,
    batch_size: int = 32,
) -> Tensor:
    """Return adversarial images by projected gradient steps away from the true labels.

    x_{t+1} = Π(x_t + α sign(∇_x L(x_t, y))), with Π the projection to [0, 1] and to within ε of x in every pixel, and
    x_0 uniform within ε of x, clipped to [0, 1]. An image stops at the first x_t that the model gets wrong, and one
    that it gets wrong from the outset stays as it is: no pass is spent on them. Of several restarts an image keeps
    the one with the largest margin max_{j≠y} z_j - z_y of the logits z.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: float32 (N, C, H, W) in [0, 1].
        labels: true labels, integers (N,).
        epsilon: largest change of a pixel, in pixel units, >= 0.
        steps: gradient steps, >= 1.
        step_size: α, in pixel units, >= 0; default 2.5 ε / steps.
        random_start: whether x_0 is random; else x_0 = x.
        restarts: how many random starts, >= 1.
        loss: which loss the steps raise: `cross_entropy` or `margin`; see `gradient_signs`.
        seed: key of the random starts.
        ids: ids (N,) of the images, which key their starts; default: row numbers.
        batch_size: images per pass; changes no number but for float rounding.

    Returns:
        float32 (N, C, H, W) in [0, 1], on the device of `images`, within ε of `images` but for float rounding.

    Raises:
        OptionError: a number outside its range, restarts without a random start, or ids that do not fit.
        NotFiniteError: the model returns nan or infinity.
        NotEvaluated: the model cuts the gradient.

    Source: Madry et al. 2018; margin loss: Carlini & Wagner 2017.

    Example:
        >>> import torch
        >>> from sparsescope import Classifier
        >>> from sparsescope.attacks import pgd
        >>> from torch import nn
        >>> images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> with Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3))).prepared() as classifier:
        ...     adversarial = pgd(classifier, images, labels, epsilon=8 / 255, steps=5)
        >>> adversarial.shape, bool((adversarial - images).abs().max() <= 8 / 255 + 1e-6)
        (torch.Size([4, 1, 8, 8]), True)
    """
    attack = Pgd(epsilon, steps, step_size, random_start, restarts, loss)
    return attack.search(classifier, images, labels, seed=seed, ids=ids, batch_size=batch_size).images


def _logits(classifier: Classifier, images: Tensor, batch_size: int) -> Tensor:
    with torch.no_grad():
        logits = torch.cat([classifier(chunk).to(images.device) for chunk in torch.split(images, batch_size)])
    if not logits.isfinite().all():
        raise NotFiniteError(
            f"{classifier.name} returns logits that are not finite for some of the images. Check its weights, its "
            "BatchNorm statistics and --mean/--std."
        )
    return logits


def _margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Return max_{j≠y} z_j - z_y (N,): positive where the model is wrong."""
    truth = labels.unsqueeze(1)
    return logits.scatter(1, truth, -torch.inf).amax(1) - logits.gather(1, truth).squeeze(1)
