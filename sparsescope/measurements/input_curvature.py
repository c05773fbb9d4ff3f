"""Curvature of the loss in each image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Capability, Classifier
from sparsescope.curvature import is_piecewise_linear
from sparsescope.curvature.inputs import Method, forward_passes, input_curvatures, planned_passes
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.predictions import Predictions
from sparsescope.passes import Passes
from sparsescope.units import Arrays

__all__ = ["InputCurvature"]

_Shown = tuple[Tensor, NDArray[np.int64], NDArray[np.int64], int]


@dataclass(frozen=True)
class InputCurvature(Measurement):
    """Trace and top eigenvalue of ∇²_x L(x_i), L the cross-entropy, in pixel units.

    Args:
        image_set: `train` or `test`.
        images: how many images, drawn stratified by class; None means all.
        method: `exact` (piecewise-linear networks), `hutchinson`, or `auto`; see `curvature.input_curvatures`.
        probes: Rademacher probes of each image, where the trace is sampled.

    Arrays: `trace` (n,), `top_eigenvalue` (n,), `residual` (n,) of the eigenvalue, `gradient` bool (n,),
    whether the image has a gradient, `exact` bool (n,). Numbers are nan where derivatives are not finite.
    """

    label: ClassVar[str] = "input Hessian"
    version: ClassVar[int] = 3
    facts: ClassVar[tuple[str, ...]] = ("is_piecewise_linear", "refuse_straight_through")
    needs: ClassVar[frozenset[Capability]] = frozenset({"gradients", "second derivatives"})

    image_set: str = "train"
    images: int | None = 2000
    method: Method = "auto"
    probes: int = 20

    @override
    @property
    def population(self) -> str:
        return self._clean.population

    @property
    def _clean(self) -> Predictions:
        return Predictions(self.image_set, self.images)

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        return self._clean.unit_ids(benchmark, seed)

    @override
    def strata(self, benchmark: Benchmark, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._clean.strata(benchmark, ids)

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """The classes are those of the test images."""
        return forward_passes(_classes(benchmark), method=self.method, probes=self.probes)

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        linear = is_piecewise_linear(classifier, benchmark.test.shape)
        return planned_passes(_classes(benchmark), linear, method=self.method, probes=self.probes)

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> _Shown:
        """Return (images, labels, ids, seed)."""
        images, labels = self._clean.prepare(benchmark, ids, seed)
        return images, labels, ids, seed

    @override
    def measure(self, classifier: Classifier, shown: _Shown, given: Arrays, batch_size: int) -> Arrays:
        images, labels, ids, seed = shown
        curvatures = input_curvatures(
            classifier,
            images,
            labels,
            ids,
            method=self.method,
            probes=self.probes,
            seed=seed,
            batch_size=batch_size,
        )
        return {
            "trace": curvatures.trace,
            "top_eigenvalue": curvatures.top_eigenvalue,
            "residual": curvatures.residual,
            "gradient": curvatures.gradient,
            "exact": np.full(len(images), curvatures.exact),
        }


def _classes(benchmark: Benchmark) -> int:
    return int(benchmark.test.required_labels().max()) + 1
