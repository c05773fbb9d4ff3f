"""Paired differences of proportions: who changed sides between two models on the same images, in total and by class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.units import FloatArray

__all__ = ["LISTED", "by_class", "changed_sides", "paired_interval", "wilson_interval"]

LISTED = 100
"""At most so many image indices are listed; the counts are always complete."""

Bools = NDArray[np.bool_]


def changed_sides(own: Bools, dense: Bools) -> dict[str, Any]:
    """Return the images that only one of two models gets right: compression-identified exemplars.

    Args:
        own: whether the model is right (n,).
        dense: whether its dense parent is right (n,).

    Returns:
        `lost` (dense right, own wrong) and `gained` (the reverse), each with `n` and `images`, the lowest indices.

    Source: after Hooker et al. 2019, who compare the majority votes of populations of models; here it is one pair.
    """
    sides = {"lost": dense & ~own, "gained": own & ~dense}
    return {
        name: {"n": int(rows.sum()), "images": np.flatnonzero(rows)[:LISTED].tolist()} for name, rows in sides.items()
    }


def by_class(own: Bools, dense: Bools, labels: NDArray[np.int64], classes: int, confidence: float) -> dict[str, Any]:
    """Return both models' accuracy on the images of every class, and own - dense with simultaneous intervals.

    All intervals cover together with the confidence level: each of the K classes that have images gets the level
    1 - (1 - confidence) / K (Bonferroni).

    Args:
        own: whether the model is right (n,).
        dense: whether its dense parent is right (n,).
        labels: classes of the images (n,).
        classes: number of classes.
        confidence: simultaneous level of all intervals.

    Returns:
        lists with one entry per class: `n`, `lost`, `gained`, `dense`, `own`, `difference`, `lower`, `upper`; the last
        five are nan for a class without images. Beside them `confidence` and `method`.
    """
    count, both, lost, gained = (
        np.bincount(labels[rows], minlength=classes)
        for rows in (np.ones_like(own), own & dense, dense & ~own, own & ~dense)
    )
    present = count > 0
    level = 1 - (1 - confidence) / max(int(present.sum()), 1)
    columns = {name: np.full(classes, np.nan) for name in ("dense", "own", "difference", "lower", "upper")}
    n = count[present]
    columns["dense"][present] = (both + lost)[present] / n
    columns["own"][present] = (both + gained)[present] / n
    columns["difference"][present] = (gained - lost)[present] / n
    columns["lower"][present], columns["upper"][present] = paired_interval(
        both[present], lost[present], gained[present], n, level
    )
    return {
        "confidence": confidence,
        "method": "Newcombe 1998, method 10; Bonferroni over the classes",
        "n": count.tolist(),
        "lost": lost.tolist(),
        "gained": gained.tolist(),
        **{name: column.tolist() for name, column in columns.items()},
    }


def paired_interval(
    both: NDArray[np.int64], lost: NDArray[np.int64], gained: NDArray[np.int64], n: NDArray[np.int64], level: float
) -> tuple[FloatArray, FloatArray]:
    """Return intervals of p_own - p_dense = (gained - lost) / n, from paired counts.

    With Wilson intervals [l, u] of p_own = (both + gained) / n and [l', u'] of p_dense = (both + lost) / n, and the
    phi coefficient of the 2 x 2 table (its numerator lowered by n/2, but not below 0, where positive; 0 in a table with
    an empty margin):

        lower = d - sqrt((p_own - l)^2 - 2 phi (p_own - l)(u' - p_dense) + (u' - p_dense)^2)
        upper = d + sqrt((u - p_own)^2 - 2 phi (u - p_own)(p_dense - l') + (p_dense - l')^2)

    Unlike the normal approximation, it covers where few images change sides, down to none, and so also at the high
    levels that many classes need. Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.

    Args:
        both: images that both models get right (K,).
        lost: images that only dense gets right (K,).
        gained: images that only the other gets right (K,).
        n: images (K,), at least 1 each.
        level: confidence level of each interval.
    """
    own, dense = (both + gained) / n, (both + lost) / n
    own_lower, own_upper = wilson_interval(own, n, level)
    dense_lower, dense_upper = wilson_interval(dense, n, level)
    phi = _corrected_phi(both, lost, gained, n)
    below, above = own - own_lower, own_upper - own
    dense_below, dense_above = dense - dense_lower, dense_upper - dense
    difference = (gained - lost) / n
    lower = difference - np.sqrt(np.maximum(below**2 - 2 * phi * below * dense_above + dense_above**2, 0))
    upper = difference + np.sqrt(np.maximum(above**2 - 2 * phi * above * dense_below + dense_below**2, 0))
    return lower, upper


def wilson_interval(share: FloatArray, n: NDArray[np.int64], level: float) -> tuple[FloatArray, FloatArray]:
    """Return the score intervals (lower, upper) of proportions (K,) of n (K,) units each. Source: Wilson 1927."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return centre - half, centre + half


def _corrected_phi(
    both: NDArray[np.int64], lost: NDArray[np.int64], gained: NDArray[np.int64], n: NDArray[np.int64]
) -> FloatArray:
    neither = n - both - lost - gained
    numerator = (both * neither - lost * gained).astype(np.float64)
    numerator = np.where(numerator > 0, np.maximum(numerator - n / 2, 0), numerator)
    margins = np.stack([both + gained, neither + lost, both + lost, neither + gained]).astype(np.float64)
    scale = np.sqrt(margins.prod(axis=0))
    phi: FloatArray = np.where(scale > 0, numerator, 0) / np.where(scale > 0, scale, 1)
    return phi
