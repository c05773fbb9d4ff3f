"""Predictions on images after projected gradient descent (PGD)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from typing_extensions import override

from sparsescope.attacks.gradients import Loss
from sparsescope.attacks.pgd import Pgd
from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.curvature import refuse_straight_through
from sparsescope.measurements.attacked_images import AttackedImages, Shown
from sparsescope.passes import Passes
from sparsescope.units import Arrays

__all__ = ["PgdAttack"]


@dataclass(frozen=True)
class PgdAttack(AttackedImages):
    """Whether test images are still classified correctly after PGD.

    Args:
        epsilon: largest change of a pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.
        steps: gradient steps.
        step_size: of each, in pixel units; None means 2.5 ε / steps.
        random_start: whether to start at a random place within ε.
        restarts: random starts; an image must stand them all.
        loss: which loss the steps raise.

    Arrays: `correct` bool (n,) after the attack; `clean` bool (n,) before it; `gradient` bool (n,), whether a
    step found a gradient, of images right before.
    """

    label: ClassVar[str] = "PGD attack"
    version: ClassVar[int] = 2
    facts: ClassVar[tuple[str, ...]] = ("refuse_straight_through",)

    epsilon: float = 8 / 255
    images: int | None = None
    steps: int = 10
    step_size: float | None = None
    random_start: bool = True
    restarts: int = 1
    loss: Loss = "cross_entropy"

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """A forward and a backward pass for every step; most networks fall to the first few, and then it stops."""
        return 2 + 2.25 * self.steps * self.restarts

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        steps = self.steps * self.restarts
        return Passes(forward=2 + steps, tracked=steps, input_gradients=steps)

    @override
    def measure(self, classifier: Classifier, shown: Shown, given: Arrays, batch_size: int) -> Arrays:
        images, labels, ids, seed = shown
        refuse_straight_through(classifier, images.shape[1:])
        attack = Pgd(self.epsilon, self.steps, self.step_size, self.random_start, self.restarts, self.loss)
        search = attack.search(classifier, images, torch.from_numpy(labels), seed=seed, ids=ids, batch_size=batch_size)
        return {
            "correct": search.right_after.numpy(),
            "clean": search.right_before.numpy(),
            "gradient": search.gradient.numpy(),
        }
