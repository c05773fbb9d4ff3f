"""Predictions on images after one adversarial step (FGSM), over a grid of sizes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.attacks.ball import project
from sparsescope.attacks.fgsm import RANDOM_START_STEP, fgsm_start
from sparsescope.attacks.gradients import Loss, gradient_signs
from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.curvature import refuse_straight_through
from sparsescope.differentiable import has_gradient
from sparsescope.measurements.attacked_images import AttackedImages, Shown
from sparsescope.measurements.predictions import predict
from sparsescope.passes import Passes
from sparsescope.units import Arrays

__all__ = ["Adversarial"]

_LOSSES: tuple[Loss, ...] = ("cross_entropy", "margin")


@dataclass(frozen=True)
class Adversarial(AttackedImages):
    """Whether test images are still classified correctly after one gradient-sign step (FGSM).

    Args:
        epsilon: step in every pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.
        epsilons: further sizes, for the curve of accuracy against ε. Without a random start the direction does not
            depend on ε: one gradient serves them all.
        random_start: whether to step from a random place within ε.
        step: length of the step in multiples of ε, > 0; None: 1, and 1.25 from a random start.

    Arrays: `correct` bool (n,) after the cross-entropy step; `correct_margin` bool (n,) after the margin-loss step;
    `gradient` bool (n,), whether the image has a gradient to step along; `curve` bool (n, len(grid)) after
    cross-entropy steps of every size of `grid`.
    """

    label: ClassVar[str] = "FGSM attack"
    version: ClassVar[int] = 2
    facts: ClassVar[tuple[str, ...]] = ("refuse_straight_through",)

    epsilon: float = 8 / 255
    images: int | None = None
    epsilons: tuple[float, ...] = ()
    random_start: bool = False
    step: float | None = None

    @property
    def grid(self) -> tuple[float, ...]:
        """All sizes, `epsilon` among them and 0 where it is free, ascending."""
        free = () if self.random_start else (0.0,)  # the gradient's own forward pass is the clean prediction
        return tuple(sorted({self.epsilon, *self.epsilons, *free}))

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """One forward and two backward passes for a gradient, a forward pass for every perturbed image."""
        sizes = len(self.grid)
        return 4.5 * sizes + 1 if self.random_start else sizes + 3.5

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        starts = len(self.grid) if self.random_start else 1
        moved = sum(epsilon > 0 for epsilon in self.grid) + (self.epsilon > 0)
        return Passes(forward=starts + moved, tracked=starts, input_gradients=len(_LOSSES) * starts)

    @override
    def measure(self, classifier: Classifier, shown: Shown, given: Arrays, batch_size: int) -> Arrays:
        images, labels, ids, seed = shown
        refuse_straight_through(classifier, images.shape[1:])
        batches = [slice(first, first + batch_size) for first in range(0, len(images), batch_size)]
        parts = [self._batch(classifier, (images[rows], labels[rows], ids[rows], seed)) for rows in batches]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _batch(self, classifier: Classifier, shown: Shown) -> Arrays:
        images, labels, _, _ = shown
        fixed = None if self.random_start else self._direction(classifier, shown, self.epsilon)
        usual = RANDOM_START_STEP if self.random_start else 1.0
        alpha = usual if self.step is None else self.step
        curve: list[NDArray[np.bool_]] = []
        arrays: dict[str, NDArray[np.bool_]] = {}
        for epsilon in self.grid:
            start, logits, signs = fixed or self._direction(classifier, shown, epsilon)
            right = []
            for sign in signs if epsilon == self.epsilon else signs[:1]:
                moved = project(start + alpha * epsilon * sign, images, epsilon)
                answer = predict(classifier, moved, len(moved)) if epsilon > 0 else logits.numpy()
                right.append(answer.argmax(axis=1) == labels)
            curve.append(right[0])
            if epsilon == self.epsilon:
                arrays = {
                    "correct": right[0],
                    "correct_margin": right[1],
                    "gradient": has_gradient(signs[0]).numpy(),
                }
        return {**arrays, "curve": np.stack(curve, axis=1)}

    def _direction(self, classifier: Classifier, shown: Shown, epsilon: float) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return where the steps begin, the logits there, and the signs for each of the losses."""
        images, labels, ids, seed = shown
        start = fgsm_start(images, epsilon, ids, seed) if self.random_start else images
        logits, signs = gradient_signs(classifier, start, torch.from_numpy(labels), _LOSSES)
        return start, logits, signs
