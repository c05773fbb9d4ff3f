"""Weighted ridge regressions on one neighbourhood, solved together, and what fidelity and stability read off them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sparsescope.units import FloatArray

__all__ = ["Fits", "fidelity", "fidelity_r2", "is_constant", "stability", "stability_relative", "weighted_ridge"]

SINGULAR = 1e-10
"""Share of the largest squared Cholesky pivot below which a Gram matrix counts as singular."""

NOISE = 1e-6
"""Spread of probabilities, relative to the largest, that float32 logits cannot tell from none."""


@dataclass(frozen=True)
class Fits:
    """P linear models on one neighbourhood.

    Args:
        coefficients: (P, d), without the intercept: the explanations e(x).
        intercepts: (P,).
        singular: bool (P,), True where the equations had no unique solution and the one of least norm was taken.
    """

    coefficients: FloatArray
    intercepts: FloatArray
    singular: NDArray[np.bool_]


def weighted_ridge(z: FloatArray, y: FloatArray, weights: FloatArray, alpha: float) -> Fits:
    """Fit y on z for every row of weights: argmin_(b, c) sum_i w_i (y_i - c - z_i b)^2 + alpha |b|^2.

    The intercept c is not penalised, so it drops out when z and y are centred at their weighted means, and
    b = (Z' W Z + alpha I)^-1 Z' W y on the centred data. Where that matrix is singular (alpha = 0 and superpixels that
    always come together, or weights that have vanished) b is the solution of least norm, the limit alpha -> 0.

    Args:
        z: (n, d).
        y: (n,).
        weights: (P, n), >= 0.
        alpha: >= 0.

    Returns:
        the P fits.
    """
    total = np.maximum(weights.sum(axis=1), np.finfo(np.float64).tiny)
    z_mean = weights @ z / total[:, None]
    y_mean = weights @ y / total
    root = np.sqrt(weights)
    zs = (z - z_mean[:, None, :]) * root[:, :, None]
    ys = (y - y_mean[:, None]) * root
    gram = zs.transpose(0, 2, 1) @ zs + alpha * np.eye(z.shape[1])
    moment = (ys[:, None, :] @ zs)[:, 0]
    coefficients, singular = _solve(gram, moment)
    return Fits(coefficients, y_mean - (z_mean * coefficients).sum(axis=1), singular)


def _solve(gram: FloatArray, moment: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram))
    pivots = factor.diagonal(dim1=1, dim2=2).square().numpy()
    with np.errstate(invalid="ignore"):
        singular = (failed.numpy() != 0) | ~(pivots.min(axis=1) > SINGULAR * pivots.max(axis=1))
    solution: FloatArray = torch.cholesky_solve(torch.from_numpy(moment)[..., None], factor)[..., 0].numpy()
    if singular.any():
        inverse = np.linalg.pinv(gram[singular], rcond=SINGULAR, hermitian=True)
        solution[singular] = (inverse @ moment[singular][..., None])[..., 0]
    return solution, singular


def fidelity(y: FloatArray, predicted: FloatArray) -> float:
    """Return the unweighted mean of (g(z_i) - y_i)^2 over the neighbourhood; 0 is best. Source: Chen et al. 2022."""
    return float(np.mean((predicted - y) ** 2))


def is_constant(y: FloatArray, weights: FloatArray) -> bool:
    """Say whether the probabilities y (n,) do not move under weights (n,), up to float32 noise."""
    mean = np.average(y, weights=weights)
    return bool(np.average((y - mean) ** 2, weights=weights) <= (NOISE * np.abs(y).max()) ** 2)


def fidelity_r2(y: FloatArray, predicted: FloatArray, weights: FloatArray) -> float:
    """Return 1 - weighted mean squared error / weighted variance of y; 1 is best. y must not be constant."""
    mean = np.average(y, weights=weights)
    return float(1 - (weights @ (predicted - y) ** 2) / (weights @ (y - mean) ** 2))


def stability(explanation: FloatArray, refits: FloatArray) -> float:
    """Return the mean over pivots of |e(x) - e(x')|^2, e (d,), e' (J, d); 0 is best. Source: Chen et al. 2022."""
    return float(np.mean(np.sum((refits - explanation) ** 2, axis=1)))


def stability_relative(explanation: FloatArray, refits: FloatArray) -> float:
    """Return `stability` / |e(x)|^2; 0 is best. e must not be 0."""
    return stability(explanation, refits) / float(explanation @ explanation)
