"""LIME's fidelity and stability, written slowly and literally after Chen et al. 2022 and Ribeiro et al. 2016."""

import math

import numpy as np
from numpy.typing import NDArray


def perturbed(image: NDArray, segments: NDArray, row: NDArray, colour: float) -> NDArray:
    """Return the image (C, H, W) with every superpixel whose entry in `row` is 0 painted over."""
    result = image.copy()
    channels, height, width = image.shape
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                if row[segments[i, j]] == 0:
                    result[c, i, j] = colour
    return result


def distance(a: NDArray, b: NDArray, kind: str) -> float:
    """Return the distance between two rows of Z."""
    if kind == "hamming":
        return sum(1 for p, q in zip(a, b, strict=True) if p != q) / len(a)
    length_a, length_b = math.sqrt(sum(p * p for p in a)), math.sqrt(sum(q * q for q in b))
    if length_a == 0 or length_b == 0:
        return 1.0
    return 1 - sum(p * q for p, q in zip(a, b, strict=True)) / (length_a * length_b)


def weights_around(z: NDArray, centre: NDArray, kind: str, width: float) -> NDArray:
    """Return sqrt(exp(-D(z_i, centre)^2 / width^2)) for every row."""
    return np.array([math.sqrt(math.exp(-(distance(row, centre, kind) ** 2) / width**2)) for row in z])


def ridge(z: NDArray, y: NDArray, weights: NDArray, alpha: float) -> tuple[NDArray, float]:
    """Return (coefficients, intercept) by least squares on the augmented system: one extra row per penalty."""
    d = z.shape[1]
    system = np.vstack(
        [np.sqrt(weights)[:, None] * np.hstack([z, np.ones((len(z), 1))]), math.sqrt(alpha) * np.eye(d, d + 1)]
    )
    right = np.concatenate([np.sqrt(weights) * y, np.zeros(d)])
    solution = np.linalg.lstsq(system, right, rcond=None)[0]
    return solution[:d], float(solution[d])


def fidelity(z: NDArray, y: NDArray, kind: str, width: float, alpha: float) -> float:
    """Return mean_i (g_x(z_i) - y_i)^2."""
    coefficients, intercept = ridge(z, y, weights_around(z, z[0], kind, width), alpha)
    return sum((coefficients @ row + intercept - value) ** 2 for row, value in zip(z, y, strict=True)) / len(y)


def fidelity_r2(z: NDArray, y: NDArray, kind: str, width: float, alpha: float) -> float:
    """Return 1 - weighted MSE / weighted variance of y."""
    weights = weights_around(z, z[0], kind, width)
    coefficients, intercept = ridge(z, y, weights, alpha)
    mean = sum(weights * y) / sum(weights)
    return 1 - sum(weights * (z @ coefficients + intercept - y) ** 2) / sum(weights * (y - mean) ** 2)


def stability(z: NDArray, y: NDArray, pivots: NDArray, kind: str, width: float, alpha: float) -> float:
    """Return the mean over pivots x' of |e(x) - e(x')|^2.

    As the paper's code does it: the pivot's row goes to the top, the others follow, and everything is fitted again.
    """
    explanation, _ = ridge(z, y, weights_around(z, z[0], kind, width), alpha)
    total = 0.0
    for pivot in pivots:
        order = [pivot, *[i for i in range(len(z)) if i != pivot]]
        z_again, y_again = z[order], y[order]
        again, _ = ridge(z_again, y_again, weights_around(z_again, z_again[0], kind, width), alpha)
        total += sum((explanation - again) ** 2)
    return total / len(pivots)
