"""Trace and top eigenvalue of the Hessian of the cross-entropy in each image, in pixel units."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sparsescope.classifier import Classifier
from sparsescope.curvature.derivatives import differentiable_images, twice_differentiable
from sparsescope.curvature.lanczos import top_eigenvalues
from sparsescope.curvature.linearity import is_piecewise_linear
from sparsescope.errors import NotEvaluated
from sparsescope.randomness import generator, rademacher
from sparsescope.units import FloatArray

__all__ = ["InputCurvatures", "Method", "exact_curvatures", "input_curvatures", "sampled_curvatures"]

Method = Literal["auto", "exact", "hutchinson"]

_JACOBIAN_ENTRIES = 1 << 25
"""Jacobian entries held at once: 128 MiB in float32."""
_PRODUCT = 4
"""A Hessian-vector product costs about as much as this many vector-Jacobian products."""
_LANCZOS_PRODUCTS = 12


@dataclass(frozen=True)
class InputCurvatures:
    """Curvature of n images.

    Args:
        trace: tr ∇²_x L, float64 (n,).
        top_eigenvalue: λ_max of ∇²_x L (n,).
        residual: bound on the error of `top_eigenvalue` (n,); 0 where it is exact.
        exact: whether the numbers are exact rather than sampled.
    """

    trace: FloatArray
    top_eigenvalue: FloatArray
    residual: FloatArray
    exact: bool


def input_curvatures(
    classifier: Classifier,
    images: Tensor,
    labels: NDArray[np.int64],
    ids: NDArray[np.int64],
    *,
    method: Method = "auto",
    probes: int = 20,
    seed: int = 0,
    batch_size: int = 32,
) -> InputCurvatures:
    """Return the curvature of the cross-entropy L(x_i, y_i) in each image.

    Exactly where the network is piecewise linear in the image; else by Hutchinson's estimator and Lanczos.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: float32 (n, C, H, W) in [0, 1].
        labels: true labels (n,).
        ids: keys of the images' random probes (n,), >= 0.
        method: `exact`, `hutchinson`, or `auto`: exact where it is valid and needs no more passes.
        probes: Rademacher probes of each image, where the trace is sampled.
        seed: key of the probes.
        batch_size: images per pass; changes no number but for float rounding.

    Raises:
        NotEvaluated: no gradient or no second derivatives, or `exact` was asked of a network that is not piecewise
            linear.
    """
    exact = is_piecewise_linear(classifier, images.shape[1:]) and method != "hutchinson"
    if method == "exact" and not exact:
        raise NotEvaluated(f"{classifier.name} is not piecewise linear, so its input curvature has no exact form")
    if exact:
        with torch.no_grad():
            classes = classifier(images[:1]).shape[1]
        exact = method == "exact" or classes - 1 <= _PRODUCT * (probes + _LANCZOS_PRODUCTS)
        batch_size = min(batch_size, max(1, _JACOBIAN_ENTRIES // (classes * images[0].numel())))
    parts = []
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        if exact:
            parts.append(exact_curvatures(classifier, images[rows]))
        else:
            parts.append(sampled_curvatures(classifier, images[rows], labels[rows], ids[rows], probes, seed))
    trace, eigenvalue, residual = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return InputCurvatures(trace, eigenvalue, residual, exact)


def exact_curvatures(classifier: Classifier, images: Tensor) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (trace, top eigenvalue, residual 0), each (n,), for images (n, C, H, W) of a piecewise-linear network.

    With J = ∂z/∂x (K, D), p the softmax and S = diag(p) - ppᵀ: ∇²_x L = Jᵀ S J = AᵀA for A = √p (J - pᵀJ), row by row.
    So the trace is ‖A‖² and the eigenvalues are those of the K x K matrix AAᵀ. A stays the same when all rows of J
    shift by one vector, so the K - 1 vector-Jacobian products of z_k - z_0 are enough. Labels play no part.
    """
    with torch.enable_grad():
        pixels, logits = differentiable_images(classifier, images)
    n, classes = logits.shape
    jacobian = torch.zeros(n, classes, images[0].numel(), dtype=torch.float32, device=pixels.device)
    for k in range(1, classes):
        cotangent = torch.zeros_like(logits)
        cotangent[:, k], cotangent[:, 0] = 1, -1
        (row,) = torch.autograd.grad(logits, pixels, cotangent, retain_graph=k < classes - 1)
        jacobian[:, k] = row.flatten(1)
        classifier.passes.backward += n
    p = logits.detach().cpu().double().softmax(1).unsqueeze(2).numpy()
    rows = jacobian.cpu().double().numpy()
    rows -= np.matmul(p.transpose(0, 2, 1), rows)
    rows *= np.sqrt(p)
    gram = np.matmul(rows, rows.transpose(0, 2, 1))
    return np.trace(gram, axis1=1, axis2=2), np.linalg.eigvalsh(gram)[:, -1], np.zeros(n)


def sampled_curvatures(
    classifier: Classifier,
    images: Tensor,
    labels: NDArray[np.int64],
    ids: NDArray[np.int64],
    probes: int,
    seed: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (trace, top eigenvalue, residual), each (n,), for images (n, C, H, W) of any twice differentiable network.

    In eval mode images do not interact, so one Hessian-vector product of the summed loss gives every image's own Hv.
    Trace: mean of vᵀHv over Rademacher probes v (Hutchinson 1990); eigenvalue: Lanczos from a normal start vector.
    """
    with twice_differentiable(classifier):
        pixels, logits = differentiable_images(classifier, images)
        loss = functional.cross_entropy(logits, torch.from_numpy(labels).to(logits.device), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels, create_graph=True)
        classifier.passes.backward += len(images)

        def product(vectors: FloatArray) -> FloatArray:
            direction = torch.from_numpy(vectors).to(gradient).reshape(gradient.shape)
            (change,) = torch.autograd.grad(gradient, pixels, direction, retain_graph=True)
            classifier.passes.backward += 2 * len(images)
            return change.flatten(1).cpu().double().numpy()

        size = images[0].numel()
        signs = np.stack([rademacher(generator(seed, "input_trace", i), probes * size) for i in ids.tolist()])
        signs = signs.reshape(len(images), probes, size).astype(np.float64)
        forms = [np.einsum("nd,nd->n", signs[:, k], product(signs[:, k])) for k in range(probes)]
        start = np.stack([generator(seed, "input_top_eigenvalue", i).standard_normal(size) for i in ids.tolist()])
        extremes = top_eigenvalues(product, start)
    return np.mean(forms, axis=0), extremes.value, extremes.residual
