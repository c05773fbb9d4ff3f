"""Equal-width, right-closed probability bins and the calibration gap summed over them: what ECE and SCE share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.units import FloatArray

__all__ = ["absolute_gap", "bin_edges", "bin_index"]


def bin_edges(n_bins: int) -> FloatArray:
    """Return the edges m/M (M + 1,), m = 0 … M, each the float64 nearest to the fraction (linspace misses some)."""
    return np.arange(n_bins + 1) / n_bins


def bin_index(probabilities: FloatArray, n_bins: int) -> NDArray[np.intp]:
    """Return the bin 0 … M-1 of each probability: bin m is (m/M, (m+1)/M], and 0 belongs to the first.

    Compares p with the edges themselves: p M is rounded, so ceil(p M) puts some p just above m/M one bin too low.
    """
    return np.searchsorted(bin_edges(n_bins)[1:-1], probabilities, side="left")


def absolute_gap(probabilities: FloatArray, outcomes: NDArray[Any], weights: FloatArray, n_bins: int) -> FloatArray:
    """Return sum_k sum_m abs(sum_i w_i (o_ik - p_ik) [p_ik in bin m]), each column binned by itself.

    A bin's n_m abs(frequency - mean probability) is the absolute value of its summed o - p, so no bin is divided by its
    count. All columns together take one dense product; only the probabilities above the first bin, of which a
    softmax row has fewer than M, are sorted into bins (a sparse product), and the first bin is what remains.

    Args:
        probabilities: (n, K), in [0, 1].
        outcomes: (n, K), 0 or 1.
        weights: (n,) or (R, n).
        n_bins: M.

    Returns:
        shape () or (R,).
    """
    from scipy.sparse import csr_array

    gaps = outcomes - probabilities
    bins = bin_index(probabilities, n_bins)
    rows, columns = np.nonzero(bins)
    upper_bins = n_bins - 1
    upper = csr_array(
        (gaps[rows, columns], (rows, columns * upper_bins + bins[rows, columns] - 1)),
        shape=(len(gaps), gaps.shape[1] * upper_bins),
    )
    in_upper = (weights @ upper).reshape(*weights.shape[:-1], gaps.shape[1], upper_bins)
    in_first = weights @ gaps - in_upper.sum(axis=-1)
    total: FloatArray = np.abs(in_upper).sum(axis=(-2, -1)) + np.abs(in_first).sum(axis=-1)
    return total
