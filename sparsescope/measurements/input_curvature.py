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
from sparsescope.curvature.inputs import (
    Method,
    comes_exactly,
    forward_passes,
    input_curvatures,
    is_exact,
    planned_passes,
)
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.predictions import Predictions
from sparsescope.passes import Passes
from sparsescope.units import Arrays

__all__ = ["InputCurvature", "InputSpectrum"]

_Shown = tuple[Tensor, NDArray[np.int64], NDArray[np.int64], int]
"""Images, labels, ids and the seed."""


@dataclass(frozen=True)
class _OfImages(Measurement):
    """A measurement whose units are images.

    Args:
        image_set: `train` or `test`.
        images: how many images, drawn stratified by class; None means all.
        method: `exact` (piecewise-linear networks), `hutchinson`, or `auto`; see `curvature.input_curvatures`.
    """

    facts: ClassVar[tuple[str, ...]] = ("is_piecewise_linear", "refuse_straight_through")
    needs: ClassVar[frozenset[Capability]] = frozenset({"gradients", "second derivatives"})

    image_set: str = "train"
    images: int | None = 2000
    method: Method = "auto"

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
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> _Shown:
        """Return (images, labels, ids, seed)."""
        images, labels = self._clean.prepare(benchmark, ids, seed)
        return images, labels, ids, seed


@dataclass(frozen=True)
class InputCurvature(_OfImages):
    """Trace of ∇²_x L(x_i), L the cross-entropy, in pixel units; and its top eigenvalue where that comes with it.

    Args:
        probes: Rademacher probes of each image, where the trace is sampled. Images vary much more than probes.

    Arrays: `trace` (n,), `gradient` bool (n,), whether the image has a gradient, `exact` bool (n,), and
    `top_eigenvalue` (n,), nan where it is not exact. Numbers are nan where derivatives are not finite.
    """

    label: ClassVar[str] = "input Hessian"
    version: ClassVar[int] = 4

    probes: int = 4

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """The classes are those of the test images."""
        return forward_passes(_classes(benchmark), method=self.method, probes=self.probes, eigenvalue=False)

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        linear = is_piecewise_linear(classifier, benchmark.test.shape)
        return planned_passes(_classes(benchmark), linear, method=self.method, probes=self.probes, eigenvalue=False)

    @override
    def measure(self, classifier: Classifier, shown: _Shown, given: Arrays, batch_size: int) -> Arrays:
        images, labels, ids, seed = shown
        found = input_curvatures(
            classifier,
            images,
            labels,
            ids,
            method=self.method,
            probes=self.probes,
            eigenvalue=False,
            seed=seed,
            batch_size=batch_size,
        )
        return {
            "trace": found.trace,
            "top_eigenvalue": found.top_eigenvalue,
            "gradient": found.gradient,
            "exact": np.full(len(images), found.exact),
        }


@dataclass(frozen=True)
class InputSpectrum(_OfImages):
    """Top eigenvalue of ∇²_x L(x_i) by Lanczos, of models of which `InputCurvature` does not find it on its way.

    Arrays (n,): `lanczos`, the eigenvalue, and `residual`; both nan where that has the exact one, or where derivatives
    are not finite.
    """

    label: ClassVar[str] = "input Hessian eigenvalue"

    @override
    def cost(self, benchmark: Benchmark) -> float:
        return forward_passes(_SAMPLED, probes=0)

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        linear = is_piecewise_linear(classifier, benchmark.test.shape)
        if linear and is_exact(_classes(benchmark), self.method):
            return Passes()
        return planned_passes(_SAMPLED, linear, method=self.method, probes=0)

    @override
    def measure(self, classifier: Classifier, shown: _Shown, given: Arrays, batch_size: int) -> Arrays:
        images, labels, ids, seed = shown
        if comes_exactly(classifier, images, self.method):
            known = np.full(len(images), np.nan)
            return {"lanczos": known, "residual": known}
        found = input_curvatures(
            classifier, images, labels, ids, method=self.method, probes=0, seed=seed, batch_size=batch_size
        )
        return {"lanczos": found.top_eigenvalue, "residual": found.residual}


_SAMPLED = 1_000_000
"""So many classes that nothing is exact."""


def _classes(benchmark: Benchmark) -> int:
    return int(benchmark.test.required_labels().max()) + 1
