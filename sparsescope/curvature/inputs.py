"""Trace and top eigenvalue of the Hessian of the cross-entropy in each image, in pixel units."""

from collections.abc import Callable
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
from sparsescope.curvature.refusals import refuse_straight_through
from sparsescope.differentiable import differentiating, has_gradient
from sparsescope.errors import NotEvaluated
from sparsescope.passes import Passes
from sparsescope.randomness import generator, rademacher
from sparsescope.units import FloatArray

__all__ = [
    "InputCurvatures",
    "Method",
    "comes_exactly",
    "exact_curvatures",
    "forward_passes",
    "input_curvatures",
    "is_exact",
    "planned_passes",
    "sampled_curvatures",
]

Method = Literal["auto", "exact", "hutchinson"]

_JACOBIAN_ENTRIES = 1 << 25
"""Jacobian entries held at once: 128 MiB in float32."""
_MOST_CLASSES = 129
"""With more, K - 1 vector-Jacobian products take longer than sampling, and images vary more than probes anyway."""
_PRODUCT = 4
"""A Hessian-vector product costs about as much as this many vector-Jacobian products, by a rule."""
_LANCZOS_PRODUCTS = 4
_TOLERANCE = 1e-2
"""Relative residual at which Lanczos stops; the error of the eigenvalue goes by its square."""
_VECTOR_ENTRIES = 1 << 26
"""Entries of Lanczos vectors held at once, should it take all its steps: 512 MiB in float64."""
_LANCZOS_VECTORS = 64


@dataclass(frozen=True)
class InputCurvatures:
    """Curvature of n images.

    Args:
        trace: tr ∇²_x L, float64 (n,); nan where it was not asked for.
        top_eigenvalue: λ_max of ∇²_x L (n,); likewise.
        residual: bound on the error of `top_eigenvalue` (n,); 0 where it is exact; likewise.
        gradient: whether the logits have a gradient in the image, finite and not zero throughout: bool (n,).
        exact: whether the numbers are exact rather than sampled.
    """

    trace: FloatArray
    top_eigenvalue: FloatArray
    residual: FloatArray
    gradient: NDArray[np.bool_]
    exact: bool


_Parts = tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]
"""Trace, top eigenvalue, residual and gradient, each (n,)."""


def input_curvatures(
    classifier: Classifier,
    images: Tensor,
    labels: NDArray[np.int64],
    ids: NDArray[np.int64],
    *,
    method: Method = "auto",
    probes: int = 4,
    eigenvalue: bool = True,
    seed: int = 0,
    batch_size: int = 32,
) -> InputCurvatures:
    """Return the curvature of the cross-entropy L(x_i, y_i) in each image.

    Exactly where the network is piecewise linear in the image and has no more than 129 classes; else by Hutchinson's
    estimator and Lanczos. Of a piecewise-linear network with many classes the trace is sampled in the space of the
    classes, which takes a third of the time and, over fewer coordinates, usually has less variance; with the method
    `hutchinson` always in the space of the pixels. Numbers of images whose derivatives are not finite are nan.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        images: float32 (n, C, H, W) in [0, 1].
        labels: true labels (n,).
        ids: keys of the images' random probes (n,), >= 0.
        method: `exact`, `hutchinson`, or `auto`: exact where it is valid and needs no more passes.
        probes: Rademacher probes of each image, where the trace is sampled; 0: it is not asked for.
        eigenvalue: whether the eigenvalue is asked for, where it takes passes of its own.
        seed: key of the probes.
        batch_size: images per pass; changes no number but for float rounding.

    Raises:
        NotEvaluated: no gradient, or one that does not belong to the answers; no second derivatives; or `exact` was
            asked of a network that is not piecewise linear.
    """
    refuse_straight_through(classifier, images.shape[1:])
    linear = is_piecewise_linear(classifier, images.shape[1:]) and method != "hutchinson"
    if method == "exact" and not linear:
        raise NotEvaluated(f"{classifier.name} is not piecewise linear, so its input curvature has no exact form")
    exact, held = False, _VECTOR_ENTRIES // _LANCZOS_VECTORS
    if linear:
        classes = _classes(classifier, images)
        exact = is_exact(classes, method)
        held = _JACOBIAN_ENTRIES // classes if exact else held
    batch_size = min(batch_size, max(1, held // images[0].numel()))
    parts = []
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        if exact:
            parts.append(exact_curvatures(classifier, images[rows]))
        else:
            shown = (images[rows], labels[rows], ids[rows], probes, seed)
            parts.append(sampled_curvatures(classifier, *shown, in_classes=linear, eigenvalue=eigenvalue))
    trace, top, residual, gradient = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return InputCurvatures(trace, top, residual, gradient, exact)


def is_exact(classes: int, method: Method = "auto") -> bool:
    """Return whether the curvature of a piecewise-linear network is computed, not sampled: by a rule, not a timing."""
    return method == "exact" or (method == "auto" and classes <= _MOST_CLASSES)


def comes_exactly(classifier: Classifier, images: Tensor, method: Method = "auto") -> bool:
    """Return whether `input_curvatures` of images (n, C, H, W) is exact, with the eigenvalue as a matter of course."""
    return is_piecewise_linear(classifier, images.shape[1:]) and is_exact(_classes(classifier, images), method)


def _classes(classifier: Classifier, images: Tensor) -> int:
    with torch.no_grad():
        return classifier(images[:1]).shape[1]


def planned_passes(
    classes: int, linear: bool, *, method: Method = "auto", probes: int = 4, eigenvalue: bool = True
) -> Passes:
    """Return about which passes `input_curvatures` of one image takes; see `is_piecewise_linear`."""
    if linear and is_exact(classes, method):
        return Passes(forward=1, tracked=1, input_gradients=classes - 1)
    in_classes = linear and method != "hutchinson"
    products = eigenvalue * _LANCZOS_PRODUCTS + (0 if in_classes else probes)
    gradients = 1 + (products > 0) + (probes if in_classes else 0)
    return Passes(forward=1, tracked=1, input_gradients=gradients, input_products=products)


def forward_passes(classes: int, *, method: Method = "auto", probes: int = 4, eigenvalue: bool = True) -> float:
    """Return roughly how many forward passes that is, of a piecewise-linear network and by a rule: it sizes shards."""
    if is_exact(classes, method):
        return classes
    passes = planned_passes(classes, True, method=method, probes=probes, eigenvalue=eigenvalue)
    return 1 + passes.input_gradients + _PRODUCT * passes.input_products


def exact_curvatures(classifier: Classifier, images: Tensor) -> _Parts:
    """Return trace, top eigenvalue, residual 0 and gradient for images (n, C, H, W) of a piecewise-linear network.

    With J = ∂z/∂x (K, D), p the softmax and S = diag(p) - ppᵀ: ∇²_x L = Jᵀ S J = AᵀA for A = √p (J - pᵀJ), row by row.
    So the trace is ‖A‖² and the eigenvalues are those of the K x K matrix AAᵀ. A stays the same when all rows of J
    shift by one vector, so the K - 1 vector-Jacobian products of z_k - z_0 are enough. Labels play no part.
    """
    with differentiating(classifier), torch.enable_grad():
        pixels, logits = differentiable_images(classifier, images)
    n, classes = logits.shape
    jacobian = torch.zeros(n, classes, images[0].numel(), dtype=torch.float32, device=pixels.device)
    for k in range(1, classes):
        cotangent = torch.zeros_like(logits)
        cotangent[:, k], cotangent[:, 0] = 1, -1
        with differentiating(classifier):
            (row,) = torch.autograd.grad(logits, pixels, cotangent, retain_graph=k < classes - 1)
        jacobian[:, k] = row.flatten(1)
        classifier.passes.input_gradients += n
    gradient = has_gradient(jacobian).cpu().numpy()
    p = logits.detach().cpu().double().softmax(1).unsqueeze(2).numpy()
    rows = jacobian.cpu().double().numpy()
    rows -= np.matmul(p.transpose(0, 2, 1), rows)
    rows *= np.sqrt(p)
    gram = np.matmul(rows, rows.transpose(0, 2, 1))
    trace = np.trace(gram, axis1=1, axis2=2)
    gram[~np.isfinite(trace)] = 0
    top = np.where(np.isfinite(trace), np.linalg.eigvalsh(gram)[:, -1], np.nan)
    return trace, top, np.zeros(n), gradient


def sampled_curvatures(
    classifier: Classifier,
    images: Tensor,
    labels: NDArray[np.int64],
    ids: NDArray[np.int64],
    probes: int,
    seed: int,
    *,
    in_classes: bool = False,
    eigenvalue: bool = True,
) -> _Parts:
    """Return trace, top eigenvalue, residual and gradient for images (n, C, H, W) of any twice differentiable network.

    In eval mode images do not interact, so one Hessian-vector product of the summed loss gives every image's own Hv.
    Trace: mean of vᵀHv over Rademacher probes v (Hutchinson 1990); eigenvalue: Lanczos, see `_start`. Without probes
    there is no trace, and `eigenvalue` says whether there is one: nan elsewhere.

    With `in_classes`, for piecewise-linear networks alone, where ∇²_x L = AᵀA as in `exact_curvatures`: mean of ‖Aᵀε‖²
    over Rademacher ε of one entry per class, since tr AᵀA = tr AAᵀ. Each takes one vector-Jacobian product.
    """
    n, size = len(images), images[0].numel()
    top = residual = np.full(n, np.nan)
    with twice_differentiable(classifier):
        pixels, logits = differentiable_images(classifier, images)
        (margin,) = torch.autograd.grad(logits, pixels, _top_margin(logits), retain_graph=True)
        classifier.passes.input_gradients += n
        forms: list[FloatArray] = []
        if in_classes and probes:
            forms = _class_forms(classifier, pixels, logits, _signs(ids, probes, logits.shape[1], seed))
        if eigenvalue or (probes and not in_classes):
            product = _hessian_product(classifier, pixels, logits, labels)
            if not in_classes and probes:
                signs = _signs(ids, probes, size, seed)
                forms = [np.einsum("nd,nd->n", signs[:, k], product(signs[:, k])) for k in range(probes)]
            if eigenvalue:
                extremes = top_eigenvalues(product, _start(margin, ids, seed), tolerance=_TOLERANCE)
                top, residual = extremes.value, extremes.residual
    trace = np.mean(forms, axis=0) if forms else np.full(n, np.nan)
    return trace, top, residual, has_gradient(margin).cpu().numpy()


def _hessian_product(
    classifier: Classifier, pixels: Tensor, logits: Tensor, labels: NDArray[np.int64]
) -> Callable[[FloatArray], FloatArray]:
    """Return the map from vectors (n, D) to the products of every image's own Hessian with them."""
    loss = functional.cross_entropy(logits, torch.from_numpy(labels).to(logits.device), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels, create_graph=True)
    classifier.passes.input_gradients += len(pixels)

    def product(vectors: FloatArray) -> FloatArray:
        direction = torch.from_numpy(vectors).to(gradient).reshape(gradient.shape)
        (change,) = torch.autograd.grad(gradient, pixels, direction, retain_graph=True)
        classifier.passes.input_products += len(pixels)
        return change.flatten(1).cpu().double().numpy()

    return product


def _start(margin: Tensor, ids: NDArray[np.int64], seed: int) -> FloatArray:
    """Return where Lanczos starts (n, D): the gradient of the margin, and a tenth of random noise.

    The curvature of the cross-entropy is largest along that gradient, or nearly, so that few products are left to do;
    the noise reaches what is orthogonal to it.
    """
    noise = np.stack(
        [generator(seed, "input_top_eigenvalue", i).standard_normal(margin[0].numel()) for i in ids.tolist()]
    )
    ahead = margin.detach().flatten(1).cpu().double().numpy()
    ahead[~np.isfinite(ahead).all(axis=1)] = 0
    length = np.linalg.norm(ahead, axis=1, keepdims=True)
    start: FloatArray = ahead / np.where(length > 0, length, 1)
    start += 0.1 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return start


def _top_margin(logits: Tensor) -> Tensor:
    """Return the cotangent of the margin between the two largest logits: the loss's own gradient may underflow."""
    first, second = logits.detach().topk(2, dim=1).indices.unbind(1)
    rows = torch.arange(len(logits), device=logits.device)
    cotangent = torch.zeros_like(logits)
    cotangent[rows, first], cotangent[rows, second] = 1, -1
    return cotangent


def _signs(ids: NDArray[np.int64], probes: int, size: int, seed: int) -> FloatArray:
    """Return Rademacher probes (n, probes, size), keyed by image."""
    signs = np.stack([rademacher(generator(seed, "input_trace", i), probes * size) for i in ids.tolist()])
    return signs.reshape(len(ids), probes, size).astype(np.float64)


def _class_forms(classifier: Classifier, pixels: Tensor, logits: Tensor, signs: FloatArray) -> list[FloatArray]:
    """Return ‖Jᵀ(s - p Σ_k s_k)‖² (n,) for s = √p ε and every probe ε of `signs` (n, probes, K), p the softmax."""
    p = logits.detach().cpu().double().softmax(1).numpy()
    forms = []
    for probe in range(signs.shape[1]):
        scaled = np.sqrt(p) * signs[:, probe]
        cotangent = torch.from_numpy(scaled - p * scaled.sum(axis=1, keepdims=True)).to(logits)
        (gradient,) = torch.autograd.grad(logits, pixels, cotangent, retain_graph=True)
        classifier.passes.input_gradients += len(pixels)
        forms.append(np.square(gradient.flatten(1).cpu().double().numpy()).sum(axis=1))
    return forms
