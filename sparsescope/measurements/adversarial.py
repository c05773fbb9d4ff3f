"""Predictions on adversarial images, each made against the model that is measured."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.attacks import Loss, gradient_signs, step
from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.predictions import Predictions, predict
from sparsescope.units import Arrays

__all__ = ["Adversarial"]

_LOSSES: tuple[Loss, ...] = ("cross_entropy", "margin")


@dataclass(frozen=True)
class Adversarial(Measurement):
    """Whether test images are still classified correctly after one gradient-sign step (FGSM).

    Args:
        epsilon: step in every pixel, in pixel units, >= 0.
        images: how many test images, drawn stratified by class; None means all.

    Arrays: `correct` bool (n,) after the cross-entropy step; `correct_margin` bool (n,) after the margin-loss step.
    """

    epsilon: float = 8 / 255
    images: int | None = None

    @property
    def population(self) -> str:
        """See `Measurement.population`."""
        return self._clean.population

    @property
    def _clean(self) -> Predictions:
        return Predictions("test", self.images)

    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        """See `Measurement.unit_ids`."""
        return self._clean.unit_ids(benchmark, seed)

    def cost(self, benchmark: Benchmark) -> float:
        """One forward and two backward passes for the gradients, two forward passes on the perturbed images."""
        return 5.5

    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> tuple[Tensor, NDArray[np.int64]]:
        """Return (images, labels)."""
        return self._clean.prepare(benchmark, ids, seed)

    def measure(
        self, classifier: Classifier, shown: tuple[Tensor, NDArray[np.int64]], given: Arrays, batch_size: int
    ) -> Arrays:
        """See `Measurement.measure`."""
        images, labels = shown
        correct: dict[Loss, list[NDArray[np.bool_]]] = {loss: [] for loss in _LOSSES}
        for start in range(0, len(images), batch_size):
            chunk, truth = images[start : start + batch_size], labels[start : start + batch_size]
            signs = gradient_signs(classifier, chunk, torch.from_numpy(truth), _LOSSES)
            for loss, sign in zip(_LOSSES, signs, strict=True):
                logits = predict(classifier, step(chunk, sign.to(chunk.device), self.epsilon), batch_size)
                correct[loss].append(logits.argmax(axis=1) == truth)
        return {
            "correct": np.concatenate(correct["cross_entropy"]),
            "correct_margin": np.concatenate(correct["margin"]),
        }
