"""Predictions on images after AutoAttack."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.attacks.autoattack import autoattack, require_autoattack
from sparsescope.attacks.gradients import gradient_signs
from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.curvature import refuse_straight_through
from sparsescope.differentiable import has_gradient
from sparsescope.measurements.attacked_images import AttackedImages, Shown
from sparsescope.measurements.predictions import predict
from sparsescope.units import Arrays

__all__ = ["AutoAttack"]


@dataclass(frozen=True)
class AutoAttack(AttackedImages):
    """Whether test images are still classified correctly after AutoAttack "standard".

    Args:
        epsilon: largest change of a pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.

    Arrays: `correct` bool (n,) after the attack; `clean` bool (n,) before it; `gradient` bool (n,), whether the
    image has a gradient.
    """

    label: ClassVar[str] = "AutoAttack"
    version: ClassVar[int] = 2
    facts: ClassVar[tuple[str, ...]] = ("refuse_straight_through",)

    epsilon: float = 8 / 255
    images: int | None = None

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        """NotEvaluated without the package."""
        require_autoattack()
        return super().unit_ids(benchmark, seed)

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """100 steps for an image that falls at once, and 2,000 steps and 5,000 queries for one that stands."""
        return 1000.0

    @override
    def measure(self, classifier: Classifier, shown: Shown, given: Arrays, batch_size: int) -> Arrays:
        images, labels, ids, seed = shown
        refuse_straight_through(classifier, images.shape[1:])
        truth = torch.from_numpy(labels)
        batches = zip(torch.split(images, batch_size), torch.split(truth, batch_size), strict=True)
        steep = [has_gradient(gradient_signs(classifier, *batch, ["margin"])[1][0]) for batch in batches]
        clean = predict(classifier, images, batch_size).argmax(axis=1) == labels
        moved = autoattack(classifier, images, truth, self.epsilon, seed=seed, ids=ids)
        after = predict(classifier, moved, batch_size).argmax(axis=1) == labels
        return {"correct": clean & after, "clean": clean, "gradient": torch.cat(steep).numpy()}
