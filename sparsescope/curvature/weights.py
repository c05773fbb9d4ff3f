"""Quadratic forms, trace estimates and products of the Hessian of the mean cross-entropy in the surviving weights."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sparsescope.classifier import Classifier
from sparsescope.curvature.derivatives import check_finite, gradients_in, twice_differentiable
from sparsescope.differentiable import differentiating, require_gradient
from sparsescope.randomness import rademacher
from sparsescope.units import FloatArray

__all__ = ["Support", "gauss_newton_forms", "hessian_forms", "hessian_product", "surviving_weights"]


@dataclass(frozen=True)
class Support:
    """The coordinates of a weight Hessian: every floating parameter entry that the mask does not remove.

    Vectors have one entry for every parameter entry, removed ones included, so that they are the same for a dense
    network and its pruned versions; entries outside the support count as 0.

    Args:
        parameters: name -> parameter, in the network's order.
        kept: name -> bool tensor, for the parameters that the mask speaks of.
    """

    parameters: dict[str, nn.Parameter]
    kept: dict[str, Tensor]

    @cached_property
    def size(self) -> int:
        """Length of a vector: number of floating parameter entries."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    @cached_property
    def surviving(self) -> int:
        """Order of the Hessian: number of entries in the support."""
        return self.size - sum(int((~kept).sum()) for kept in self.kept.values())

    def restricted(self, name: str, tensor: Tensor) -> Tensor:
        """Return a parameter-shaped tensor with 0 outside the support."""
        return tensor * self.kept[name] if name in self.kept else tensor

    def split(self, vector: NDArray[np.floating]) -> list[Tensor]:
        """Return a vector (size,) as parameter-shaped tensors, 0 outside the support."""
        tensors, start = [], 0
        for name, parameter in self.parameters.items():
            part = torch.from_numpy(vector[start : start + parameter.numel()]).to(parameter)
            tensors.append(self.restricted(name, part.reshape(parameter.shape)))
            start += parameter.numel()
        return tensors

    def join(self, tensors: Sequence[Tensor]) -> FloatArray:
        """Return parameter-shaped tensors as one vector float64 (size,), 0 outside the support."""
        parts = [self.restricted(name, t).flatten() for name, t in zip(self.parameters, tensors, strict=True)]
        return torch.cat(parts).cpu().double().numpy()


@contextlib.contextmanager
def surviving_weights(classifier: Classifier) -> Iterator[Support]:
    """Yield the support of a classifier's weight Hessian, its parameters requiring gradients; undone afterwards."""
    with gradients_in(classifier.module) as parameters:
        mask: Mapping[str, Tensor] = classifier.mask or {}
        kept = {name: mask[name].to(parameter.device) for name, parameter in parameters.items() if name in mask}
        yield Support(parameters, kept)


def gauss_newton_forms(
    classifier: Classifier,
    support: Support,
    images: Tensor,
    rng: np.random.Generator,
    probes: int,
    batch_size: int,
) -> FloatArray:
    """Return unbiased samples (probes, T) of the trace of the Gauss-Newton matrix, split by parameter tensor.

    The Gauss-Newton part of the Hessian of the mean loss over n images is (1/n) Σ_i J_iᵀ S_i J_i, with J = ∂z/∂θ and
    S = diag(p) - ppᵀ = AAᵀ, A = diag(√p) - p√pᵀ. A sample is (1/n) ‖Σ_i J_iᵀ A_i u_i‖² for Rademacher u_i in {-1, 1}^K:
    one gradient, where vᵀHv takes about three, and less noise, because the signs run over n K outputs instead of all
    the weights. The mean over u is the Hessian's own trace wherever the network is layerwise linear.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        support: of the same model, from `surviving_weights`.
        images: float32 (n, C, H, W) in [0, 1].
        rng: source of the signs.
        probes: number of samples.
        batch_size: images per pass; changes no number but for float rounding.
    """
    parameters = list(support.parameters.values())
    sums = [[torch.zeros_like(parameter) for parameter in parameters] for _ in range(probes)]
    signs = None
    for start in range(0, len(images), batch_size):
        chunk = images[start : start + batch_size]
        with differentiating(classifier), torch.enable_grad():
            logits = classifier(chunk)
        require_gradient(classifier, logits, "its weights")
        check_finite(classifier, logits)
        if signs is None:
            signs = rademacher(rng, probes * len(images) * logits.shape[1]).reshape(probes, len(images), -1)
        p = logits.detach().cpu().double().softmax(1).numpy()
        for probe in range(probes):
            scaled = np.sqrt(p) * signs[probe, start : start + len(chunk)]
            cotangent = torch.from_numpy(scaled - p * scaled.sum(axis=1, keepdims=True)).to(logits)
            with differentiating(classifier):
                gradients = torch.autograd.grad(
                    logits, parameters, cotangent, retain_graph=probe < probes - 1, allow_unused=True
                )
            classifier.passes.weight_gradients += len(chunk)
            for total, gradient in zip(sums[probe], gradients, strict=True):
                if gradient is not None:
                    total += gradient
    squares = [
        [_sum(support.restricted(n, t).square()) for n, t in zip(support.parameters, s, strict=True)] for s in sums
    ]
    return np.array(squares) / len(images)


def hessian_forms(
    classifier: Classifier,
    support: Support,
    images: Tensor,
    labels: NDArray[np.int64],
    probes: Sequence[NDArray[np.floating]],
    batch_size: int,
) -> FloatArray:
    """Return vᵀHv (probes, T), split by parameter tensor, of the Hessian H of the mean cross-entropy over n images.

    Double backward, with one retained graph for all probes on a chunk of images; vᵀHv adds up over chunks.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        support: of the same model, from `surviving_weights`.
        images: float32 (n, C, H, W) in [0, 1].
        labels: true labels (n,).
        probes: vectors (size,) of the support, such as Rademacher signs.
        batch_size: images per pass; changes no number but for float rounding.

    Raises:
        NotEvaluated: the model has no second derivatives.
    """
    directions = [support.split(probe) for probe in probes]
    forms = np.zeros((len(directions), len(support.parameters)))
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        product = _chunk_product(classifier, support, images[rows], labels[rows])
        for row, direction in enumerate(directions):
            forms[row] += [_sum(v * hv) for v, hv in zip(direction, product(direction), strict=True)]
    return forms / len(images)


def hessian_product(
    classifier: Classifier, support: Support, images: Tensor, labels: NDArray[np.int64], batch_size: int
) -> Callable[[FloatArray], FloatArray]:
    """Return the map v (size,) -> Hv (size,) of the Hessian in the support of the mean cross-entropy over n images.

    The graph is kept between products where the images fit into one batch, else it is rebuilt chunk by chunk.

    Args:
        classifier, support, images, labels, batch_size: see `hessian_forms`.

    Raises:
        NotEvaluated: the model has no second derivatives.
    """
    kept = _chunk_product(classifier, support, images, labels) if len(images) <= batch_size else None

    def product(vector: FloatArray) -> FloatArray:
        direction = support.split(vector)
        total = np.zeros(support.size)
        for start in range(0, len(images), batch_size):
            rows = slice(start, start + batch_size)
            chunk = kept or _chunk_product(classifier, support, images[rows], labels[rows])
            total += support.join(chunk(direction))
        return total / len(images)

    return product


def _chunk_product(
    classifier: Classifier, support: Support, images: Tensor, labels: NDArray[np.int64]
) -> Callable[[list[Tensor]], list[Tensor]]:
    """Return the map from a direction to the product with the Hessian of the summed loss, on one retained graph."""
    parameters = list(support.parameters.values())
    with twice_differentiable(classifier):
        logits = classifier(images)
        require_gradient(classifier, logits, "its weights")
        check_finite(classifier, logits)
        loss = functional.cross_entropy(logits, torch.from_numpy(labels).to(logits.device), reduction="sum")
        gradients = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    classifier.passes.weight_gradients += len(images)
    used = [(k, gradient) for k, gradient in enumerate(gradients) if gradient is not None and gradient.requires_grad]

    def product(direction: list[Tensor]) -> list[Tensor]:
        with twice_differentiable(classifier):
            changes = torch.autograd.grad(
                [gradient for _, gradient in used],
                parameters,
                [direction[k] for k, _ in used],
                retain_graph=True,
                allow_unused=True,
            )
        classifier.passes.weight_products += len(images)
        return [
            torch.zeros_like(p) if change is None else change for p, change in zip(parameters, changes, strict=True)
        ]

    return product


def _sum(tensor: Tensor) -> float:
    return float(tensor.sum().cpu())
