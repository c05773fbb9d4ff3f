"""What the measurements of attacks share: they run on the test images of the clean predictions, with labels and ids."""

import abc
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Capability
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.predictions import Predictions

__all__ = ["AttackedImages", "Shown"]

Shown = tuple[Tensor, NDArray[np.int64], NDArray[np.int64], int]
"""Images, labels, ids and the seed of the random draws."""


class AttackedImages(Measurement, abc.ABC):
    """A measurement of attacks on test images, as many as its option `images` says.

    Attributes:
        images: how many test images, drawn stratified by class; None means all.
    """

    needs: ClassVar[frozenset[Capability]] = frozenset({"gradients"})
    images: int | None

    @property
    def _clean(self) -> Predictions:
        return Predictions("test", self.images)

    @override
    @property
    def population(self) -> str:
        return self._clean.population

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        return self._clean.unit_ids(benchmark, seed)

    @override
    def strata(self, benchmark: Benchmark, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._clean.strata(benchmark, ids)

    @override
    def image_sets(self, benchmark: Benchmark) -> tuple[str, ...]:
        return self._clean.image_sets(benchmark)

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> Shown:
        images, labels = self._clean.prepare(benchmark, ids, seed)
        return images, labels, ids, seed
