"""Equal-width, right-closed probability bins and the calibration gap summed over them: what ECE and SCE share."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.units import FloatArray

__all__ = ["Gap", "absolute_gap", "bin_edges", "bin_index", "debiased_gap"]

ROUNDING = 1e-12
"""Variances below are those of empty bins, whose root would not be small."""

Gap = Callable[[FloatArray, NDArray[Any], FloatArray, int], FloatArray]
"""`absolute_gap` or `debiased_gap`."""


def bin_edges(n_bins: int) -> FloatArray:
    """Return the edges m/M (M + 1,), m = 0 … M, each the float64 nearest to the fraction (linspace misses some)."""
    return np.arange(n_bins + 1) / n_bins


def bin_index(probabilities: FloatArray, n_bins: int) -> NDArray[np.intp]:
    """Return the bin 0 … M-1 of each probability: bin m is (m/M, (m+1)/M], and 0 belongs to the first.

    Compares p with the edges themselves: p M is rounded, so ceil(p M) puts some p just above m/M one bin too low.

    Example:
        >>> import numpy as np
        >>> from sparsescope.metrics.calibration_bins import bin_index
        >>> bin_index(np.array([0.0, 0.2, 0.21, 1.0]), 5).tolist()
        [0, 0, 1, 4]
    """
    return np.searchsorted(bin_edges(n_bins)[1:-1], probabilities, side="left")


def absolute_gap(probabilities: FloatArray, outcomes: NDArray[Any], weights: FloatArray, n_bins: int) -> FloatArray:
    """Return sum_k sum_m abs(sum_i w_i (o_ik - p_ik) [p_ik in bin m]), each column binned by itself.

    A bin's n_m abs(frequency - mean probability) is the absolute value of its summed o - p, so no bin is divided by its
    count.

    Args:
        probabilities: (n, K), in [0, 1].
        outcomes: (n, K), 0 or 1.
        weights: (n,) or (R, n).
        n_bins: M.

    Returns:
        shape () or (R,).

    Example:
        >>> import numpy as np
        >>> from sparsescope.metrics.calibration_bins import absolute_gap
        >>> confidence, correct = np.array([[0.75], [0.75]]), np.array([[1], [0]])
        >>> float(absolute_gap(confidence, correct, np.ones(2), n_bins=10)) / 2
        0.25
    """
    sums = _sums(outcomes - probabilities, bin_index(probabilities, n_bins), weights, n_bins)
    total: FloatArray = np.abs(sums).sum(axis=(-2, -1))
    return total


def debiased_gap(probabilities: FloatArray, outcomes: NDArray[Any], weights: FloatArray, n_bins: int) -> FloatArray:
    """Return `absolute_gap` without most of its bias, by the generalised jackknife (Schucany, Gray & Owen 1971).

    The absolute value of a bin's sum S is too large on average: by 0.8 standard deviations where the bin is calibrated.
    Relative to n that bias is of order 1/sqrt(n), so it is sqrt(2) times as large on half of the images. What random
    halves give on average, with every image counted twice, is E abs(N(S, V)) with V = sum g^2 - S^2/n and g = o - p.
    Extrapolated from the two, a bin contributes

        abs(S) - (E abs(N(S, V)) - abs(S)) / (sqrt(2) - 1),

    which may be negative. V is that of the images themselves, also where the weights resample them. To subtract
    E abs(N(S, V)) - abs(S) alone (Kumar et al. 2019) leaves more than half of a calibrated bin's bias.

    Args:
        probabilities: (n, K), in [0, 1].
        outcomes: (n, K), 0 or 1.
        weights: (n,) or (R, n), each row with the sum n.
        n_bins: M.

    Returns:
        shape () or (R,).
    """
    gaps, bins, ones = outcomes - probabilities, bin_index(probabilities, n_bins), np.ones(len(probabilities))
    variance = _sums(gaps**2, bins, ones, n_bins) - _sums(gaps, bins, ones, n_bins) ** 2 / len(gaps)
    gap = np.abs(_sums(gaps, bins, weights, n_bins))
    excess = _folded_normal_excess(gap, np.sqrt(np.where(variance > ROUNDING, variance, 0)))
    total: FloatArray = (gap - excess / (math.sqrt(2) - 1)).sum(axis=(-2, -1))
    return total


def _folded_normal_excess(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return E abs(N(mean, deviation^2)) - mean for mean >= 0: that of the folded normal distribution."""
    from scipy.special import erfc

    scaled = np.divide(mean, math.sqrt(2) * deviation, out=np.full_like(mean, np.inf), where=deviation > 0)
    excess: FloatArray = deviation * math.sqrt(2 / math.pi) * np.exp(-(scaled**2)) - mean * erfc(scaled)
    return excess


def _sums(amounts: FloatArray, bins: NDArray[np.intp], weights: FloatArray, n_bins: int) -> FloatArray:
    """Return the weighted sums of amounts (n, K) by column and bin, shape (..., K, M).

    All columns together take one dense product; only the amounts above the first bin, of which a softmax row has fewer
    than M, are sorted into bins (a sparse product), and the first bin is what remains.
    """
    from scipy.sparse import csr_array

    rows, columns = np.nonzero(bins)
    upper_bins = n_bins - 1
    upper = csr_array(
        (amounts[rows, columns], (rows, columns * upper_bins + bins[rows, columns] - 1)),
        shape=(len(amounts), amounts.shape[1] * upper_bins),
    )
    in_upper = (weights @ upper).reshape(*weights.shape[:-1], amounts.shape[1], upper_bins)
    in_first = weights @ amounts - in_upper.sum(axis=-1)
    return np.concatenate([in_first[..., None], in_upper], axis=-1)
