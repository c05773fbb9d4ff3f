"""The largest eigenvalue of symmetric matrices that are known only by their products with vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sparsescope.units import FloatArray

__all__ = ["Extremes", "top_eigenvalue", "top_eigenvalues"]


@dataclass(frozen=True)
class Extremes:
    """Extreme eigenvalues of n matrices.

    Args:
        value: largest eigenvalue, float64 (n,).
        residual: ‖Au - λu‖ of the unit Ritz vector u (n,): an eigenvalue lies within this distance of `value`.
        magnitude: largest |λ| seen (n,); larger than `value` only where a negative eigenvalue is larger in size.
        products: matrix-vector products used (n,).
    """

    value: FloatArray
    residual: FloatArray
    magnitude: FloatArray
    products: FloatArray


def top_eigenvalues(
    product: Callable[[FloatArray], FloatArray], start: FloatArray, *, tolerance: float = 1e-3, max_products: int = 60
) -> Extremes:
    """Return the largest eigenvalue of n symmetric matrices at once by Lanczos with full reorthogonalisation.

    Each matrix stops for itself as soon as residual <= tolerance |value|, so its numbers do not depend on the others.
    Of one with a product that is not finite all numbers are nan.

    Args:
        product: maps vectors (n, d) to the matrices' products with them (n, d), an array of its own.
        start: start vectors (n, d), not zero; random ones reach every eigenvector.
        tolerance: relative residual at which a matrix is done.
        max_products: where to stop without that; the residual then tells how far it came.

    Source: Lanczos 1950; Parlett 1998, chapter 13.
    """
    n, d = start.shape
    result = np.full((4, n), np.nan)
    open_ = np.ones(n, dtype=bool)
    basis = [_normalised(start)]
    diagonal: list[FloatArray] = []
    off_diagonal: list[FloatArray] = []
    limit = min(d, max_products)
    while open_.any():
        image = product(basis[-1])
        broken = ~np.isfinite(image).all(axis=1)
        image[broken] = 0
        diagonal.append(np.einsum("nd,nd->n", image, basis[-1]))
        for _ in range(2):  # a second sweep restores the orthogonality that rounding costs the first
            image = _orthogonal(image, basis)
        off_diagonal.append(np.linalg.norm(image, axis=1))
        ritz, weights = np.linalg.eigh(_tridiagonal(diagonal, off_diagonal))
        residual = np.abs(off_diagonal[-1] * weights[:, -1, -1])
        last = len(diagonal) == limit
        done = open_ & ~broken & ((residual <= tolerance * np.abs(ritz[:, -1])) | last)
        count = np.full(n, float(len(diagonal)))
        result[:, done] = np.stack([ritz[:, -1], residual, np.abs(ritz).max(axis=1), count])[:, done]
        open_ &= ~(done | broken)
        basis.append(_normalised(image))
    return Extremes(*result)


def top_eigenvalue(
    product: Callable[[FloatArray], FloatArray],
    size: int,
    rng: np.random.Generator,
    tolerance: float = 1e-3,
    max_products: int = 60,
) -> Extremes:
    """Return the largest eigenvalue of one symmetric matrix (size, size): see `top_eigenvalues`, with n = 1.

    Args:
        product: maps a vector (size,) to the matrix's product with it (size,).
        size: order of the matrix.
        rng: source of the normal start vector.
        tolerance: relative residual at which to stop.
        max_products: where to stop without that.

    Example:
        >>> import numpy as np
        >>> from sparsescope.curvature import top_eigenvalue
        >>> matrix = np.diag([1.0, 2.0, 5.0])
        >>> found = top_eigenvalue(lambda vector: matrix @ vector, 3, np.random.default_rng(0))
        >>> round(float(found.value[0]), 6)
        5.0
    """
    start = rng.standard_normal((1, size))
    return top_eigenvalues(
        lambda vectors: product(vectors[0])[None], start, tolerance=tolerance, max_products=max_products
    )


def _orthogonal(image: FloatArray, basis: Sequence[FloatArray]) -> FloatArray:
    """Return the part of vectors (n, d) that no basis vector has; one by one, as the basis fills the memory already."""
    rest = image.copy()
    for vectors in basis:
        rest -= np.einsum("nd,nd->n", vectors, image)[:, None] * vectors
    return rest


def _normalised(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.where(norms > 0, norms, 1)
    return unit


def _tridiagonal(diagonal: list[FloatArray], off_diagonal: list[FloatArray]) -> FloatArray:
    steps = len(diagonal)
    matrices = np.zeros((len(diagonal[0]), steps, steps))
    matrices[:, range(steps), range(steps)] = np.stack(diagonal, axis=1)
    if steps > 1:
        beside = np.stack(off_diagonal[:-1], axis=1)
        matrices[:, range(1, steps), range(steps - 1)] = beside
        matrices[:, range(steps - 1), range(1, steps)] = beside
    return matrices
