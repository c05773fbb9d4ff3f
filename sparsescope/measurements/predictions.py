"""Clean predictions: the logits of one image set, which accuracy, calibration and OoD detection all share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import Benchmark, ImageSet, stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, NotFiniteError
from sparsescope.measurements.base import Measurement
from sparsescope.units import Arrays

__all__ = ["Predictions", "predict"]


@dataclass(frozen=True)
class Predictions(Measurement):
    """Logits and labels of an image set.

    Args:
        image_set: `test`, `train` or `ood:NAME`, as in `Benchmark.sets`.
        images: how many images, drawn stratified by class; None means all.

    Arrays: `logits` float32 (n, K); `label` int64 (n,), -1 where the set has no labels.
    """

    label: ClassVar[str] = "clean images"
    forward_only: ClassVar[bool] = True

    image_set: str = "test"
    images: int | None = None

    @override
    @property
    def population(self) -> str:
        return self.image_set if self.images is None else f"{self.image_set}/{self.images}"

    def _set(self, benchmark: Benchmark) -> ImageSet:
        try:
            return benchmark.sets[self.image_set]
        except KeyError:
            raise NotEvaluated(f"no {self.image_set} images") from None

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        images = self._set(benchmark)
        labels = images.labels if images.labels is not None else np.zeros(len(images), dtype=np.int64)
        return stratified_sample(labels, self.images, seed, f"sample/{self.image_set}")

    @override
    def strata(self, benchmark: Benchmark, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        labels = self._set(benchmark).labels
        return np.zeros(len(ids), dtype=np.int64) if labels is None else labels[ids]

    @override
    def image_sets(self, benchmark: Benchmark) -> tuple[str, ...]:
        return (self.image_set,)

    @override
    def cost(self, benchmark: Benchmark) -> float:
        return 1.0

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> tuple[Tensor, NDArray[np.int64]]:
        """Return (images, labels)."""
        images = self._set(benchmark)
        labels = np.full(len(ids), -1) if images.labels is None else images.labels[ids]
        return images.read(ids), labels

    @override
    def measure(
        self, classifier: Classifier, shown: tuple[Tensor, NDArray[np.int64]], given: Arrays, batch_size: int
    ) -> Arrays:
        images, labels = shown
        return {"logits": predict(classifier, images, batch_size), "label": labels}


def predict(classifier: Classifier, images: Tensor, batch_size: int) -> NDArray[np.float32]:
    """Return the logits float32 (N, K) of images (N, C, H, W) in [0, 1], forwarded in batches without gradients.

    Raises:
        NotFiniteError: the model returns nan or infinity; the text names the model.
    """
    with torch.inference_mode():
        chunks = [classifier(chunk).float().cpu() for chunk in torch.split(images, batch_size)]
    logits = torch.cat(chunks).numpy()
    if not np.isfinite(logits).all():
        row = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
        raise NotFiniteError(
            f"{classifier.name} returns {logits[row][~np.isfinite(logits[row])][0]} for image {row} of a batch of "
            f"{len(images)}. Check its weights, its BatchNorm statistics and --mean/--std."
        )
    return logits
