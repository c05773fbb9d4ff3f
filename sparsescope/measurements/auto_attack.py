"""Predictions on images after AutoAttack."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.attacks.autoattack import autoattack, require_autoattack
from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
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

    Arrays: `correct` bool (n,) after the attack; `clean` bool (n,) before it.
    """

    label: ClassVar[str] = "AutoAttack"

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
        clean = predict(classifier, images, batch_size).argmax(axis=1) == labels
        moved = autoattack(classifier, images, torch.from_numpy(labels), self.epsilon, seed=seed, ids=ids)
        after = predict(classifier, moved, batch_size).argmax(axis=1) == labels
        return {"correct": clean & after, "clean": clean}
