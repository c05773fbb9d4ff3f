"""Curvature of the loss in the surviving weights, per micro-batch of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Capability, Classifier
from sparsescope.curvature import (
    Support,
    gauss_newton_forms,
    hessian_forms,
    hessian_product,
    is_layerwise_linear,
    refuse_hidden_second_derivatives,
    require_weight_gradient,
    surviving_weights,
    top_eigenvalue,
)
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.predictions import Predictions
from sparsescope.passes import Passes
from sparsescope.randomness import generator, rademacher
from sparsescope.units import Arrays, FloatArray

__all__ = ["LAYER", "MicroBatch", "WeightCurvature", "WeightSpectrum"]

LAYER = "layer:"
"""Prefix of the arrays that hold one parameter tensor's share of the trace."""
_PRODUCTS = 8
"""About so many Hessian-vector products find an eigenvalue."""
_LOOKED_AT = 4
"""Images of each shard that show whether there is a gradient in the weights."""


@dataclass(frozen=True)
class MicroBatch:
    """One sampling unit: its id, images (n, C, H, W), labels (n,) and the evaluation's seed."""

    unit: int
    images: Tensor
    labels: NDArray[np.int64]
    seed: int


@dataclass(frozen=True)
class _MicroBatches(Measurement):
    """A measurement whose sampling units are disjoint micro-batches, dealt at random from a stratified sample.

    Args:
        image_set: `train` or `test`.
        images: how many images, drawn stratified by class; None means all.
        images_per_unit: size of a micro-batch; the last one may be smaller.
    """

    needs: ClassVar[frozenset[Capability]] = frozenset({"gradients", "second derivatives"})

    image_set: str = "train"
    images: int | None = 4000
    images_per_unit: int = 20

    @override
    @property
    def population(self) -> str:
        return f"{self._clean.population}/units of {self.images_per_unit}"

    @property
    def _clean(self) -> Predictions:
        return Predictions(self.image_set, self.images)

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        return np.arange(-(-len(self._clean.unit_ids(benchmark, seed)) // self.images_per_unit))

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> list[MicroBatch]:
        """Return the micro-batches."""
        # Shuffled, because neighbours in a data set are often of one class and would not be a random group.
        order = generator(seed, f"micro-batches/{self.image_set}", 0).permutation(self._clean.unit_ids(benchmark, seed))
        batches = []
        for unit in ids.tolist():
            members = np.sort(order[unit * self.images_per_unit : (unit + 1) * self.images_per_unit])
            batches.append(MicroBatch(unit, *self._clean.prepare(benchmark, members, seed), seed))
        return batches


@dataclass(frozen=True)
class WeightCurvature(_MicroBatches):
    """Unbiased samples of the trace of ∇²_θ L over the surviving weights, L the mean cross-entropy of a micro-batch.

    For layerwise linear networks, such as every ReLU network without tied weights, a sample is that of the Gauss-Newton
    matrix, which has the same trace: `curvature.gauss_newton_forms`. Else it is vᵀHv of a Rademacher probe:
    `curvature.hessian_forms`. Signs and probes belong to the micro-batch and are the same for every model.

    Args:
        probes: samples of each micro-batch.
        method: `auto`, or `hutchinson` to use vᵀHv in any case.

    Arrays: `quadratic` (n, probes), the samples; `images` (n,), size of each micro-batch; `parameters` (n,), number of
    surviving weights; `gauss_newton` bool (n,), how it was sampled; and `layer:NAME` (n,), the share of each parameter
    tensor, mean over probes.
    """

    label: ClassVar[str] = "weight Hessian trace"
    facts: ClassVar[tuple[str, ...]] = ("is_layerwise_linear",)

    probes: int = 2
    method: Literal["auto", "hutchinson"] = "auto"

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """One forward pass and two for each gradient of the micro-batch, in the layerwise linear case."""
        return self.images_per_unit * (1.0 + 2.0 * self.probes)

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        kind = "weight_gradients" if self._is_cheap(classifier, benchmark.test.shape) else "weight_products"
        samples = Passes(**{kind: self.probes})
        built = Passes(forward=1, tracked=1, weight_gradients=kind == "weight_products")
        return (built + samples) * self.images_per_unit

    def _is_cheap(self, classifier: Classifier, shape: Sequence[int]) -> bool:
        return is_layerwise_linear(classifier, shape) and self.method == "auto"

    @override
    def measure(self, classifier: Classifier, shown: list[MicroBatch], given: Arrays, batch_size: int) -> Arrays:
        cheap = self._is_cheap(classifier, shown[0].images.shape[1:])
        with surviving_weights(classifier) as support:
            require_weight_gradient(classifier, support, shown[0].images[:_LOOKED_AT])
            sample = self._gauss_newton if cheap else self._hutchinson
            forms = np.stack([sample(classifier, support, batch, batch_size) for batch in shown])
            names, surviving = list(support.parameters), support.surviving
        n = len(shown)
        return {
            "quadratic": forms.sum(axis=2),
            "images": np.array([len(batch.images) for batch in shown]),
            "parameters": np.full(n, surviving),
            "gauss_newton": np.full(n, cheap),
            **{f"{LAYER}{name}": forms[:, :, k].mean(axis=1) for k, name in enumerate(names)},
        }

    def _gauss_newton(self, model: Classifier, support: Support, batch: MicroBatch, batch_size: int) -> FloatArray:
        rng = generator(batch.seed, "weight_trace/outputs", batch.unit)
        return gauss_newton_forms(model, support, batch.images, rng, self.probes, batch_size)

    def _hutchinson(self, model: Classifier, support: Support, batch: MicroBatch, batch_size: int) -> FloatArray:
        rng = generator(batch.seed, "weight_trace", batch.unit)
        probes = [rademacher(rng, support.size) for _ in range(self.probes)]
        return hessian_forms(model, support, batch.images, batch.labels, probes, batch_size)


@dataclass(frozen=True)
class WeightSpectrum(_MicroBatches):
    """Largest eigenvalue of ∇²_θ L over the surviving weights, for the mean loss of each whole group of images.

    An incomplete last group is left out, because the eigenvalue depends on the size of the group.

    Args:
        tolerance: relative residual at which Lanczos stops.

    Arrays: `top_eigenvalue`, `residual`, `magnitude` (largest |λ|), `products` and `images`, each (n,).
    """

    label: ClassVar[str] = "weight Hessian eigenvalue"

    images: int | None = 400
    images_per_unit: int = 100
    tolerance: float = 1e-3

    @override
    @property
    def population(self) -> str:
        return f"{super().population}, whole"

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        return np.arange(max(1, len(self._clean.unit_ids(benchmark, seed)) // self.images_per_unit))

    @override
    def cost(self, benchmark: Benchmark) -> float:
        """About eight Hessian-vector products of eleven forward passes each."""
        return self.images_per_unit * 88.0

    @override
    def planned_passes(self, benchmark: Benchmark, classifier: Classifier, batch_size: int) -> Passes:
        built = Passes(forward=1, tracked=1, weight_gradients=1) * (
            1 if self.images_per_unit <= batch_size else _PRODUCTS
        )
        return (built + Passes(weight_products=_PRODUCTS)) * self.images_per_unit

    @override
    def measure(self, classifier: Classifier, shown: list[MicroBatch], given: Arrays, batch_size: int) -> Arrays:
        columns: dict[str, list[float]] = {}
        with surviving_weights(classifier) as support:
            require_weight_gradient(classifier, support, shown[0].images[:_LOOKED_AT])
            refuse_hidden_second_derivatives(classifier, support, shown[0].images[:_LOOKED_AT])
            for batch in shown:
                product = hessian_product(classifier, support, batch.images, batch.labels, batch_size)
                rng = generator(batch.seed, "weight_top_eigenvalue", batch.unit)
                extremes = top_eigenvalue(product, support.size, rng, self.tolerance)
                found = {
                    "top_eigenvalue": extremes.value,
                    "residual": extremes.residual,
                    "magnitude": extremes.magnitude,
                    "products": extremes.products,
                    "images": np.array([len(batch.images)]),
                }
                for name, value in found.items():
                    columns.setdefault(name, []).append(float(value[0]))
        return {name: np.array(values) for name, values in columns.items()}
