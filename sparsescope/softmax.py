"""Softmax quantities of logits (N, K) in float64, exact in the tails: what calibration and OoD detection read."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.units import FloatArray

__all__ = ["brier_score", "log_max_softmax", "log_normaliser", "negative_log_likelihood", "softmax"]

_BLOCK = 1 << 20
"""Logits brought to float64 at a time, so that memory stays bounded at 1,000 classes."""


def log_max_softmax(logits: NDArray[Any]) -> FloatArray:
    """Return log max_k softmax(z)_k (N,) = -log(1 + sum_{k != top} exp(z_k - z_top)).

    Leaving the top class out of the sum keeps confident images apart that would tie at log 1 = 0 otherwise: in float32
    softmax from a margin of about 17 on, in a plain float64 log-softmax from 37 on; here from 745 on.
    """
    return _by_blocks(_log_max_softmax, logits)


def softmax(logits: NDArray[Any]) -> FloatArray:
    """Return exp(z_k) / sum_j exp(z_j) (N, K).

    Example:
        >>> import numpy as np
        >>> from sparsescope.softmax import softmax
        >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    return _by_blocks(_softmax, logits)


def log_normaliser(logits: NDArray[Any]) -> FloatArray:
    """Return log sum_k exp(z_k) (N,): the negative energy at temperature 1."""
    top: FloatArray = logits.max(axis=1).astype(np.float64)
    return top - log_max_softmax(logits)


def negative_log_likelihood(logits: NDArray[Any], labels: NDArray[np.int64]) -> FloatArray:
    """Return -log softmax(z)_y (N,) for labels (N,); finite for all finite logits.

    Example:
        >>> import numpy as np
        >>> from sparsescope.softmax import negative_log_likelihood
        >>> negative_log_likelihood(np.array([[0.0, 1000.0]]), np.array([0])).tolist()
        [1000.0]
    """
    picked = logits[np.arange(len(logits)), labels].astype(np.float64)
    behind: FloatArray = logits.max(axis=1) - picked
    return behind - log_max_softmax(logits)


def brier_score(logits: NDArray[Any], labels: NDArray[np.int64]) -> FloatArray:
    """Return sum_k (softmax(z)_k - [k = y])^2 (N,), between 0 and 2. Source: Brier 1950."""
    squares = _by_blocks(_sum_of_squared_probabilities, logits)
    score: FloatArray = squares + 1 - 2 * np.exp(-negative_log_likelihood(logits, labels))
    return score


def _by_blocks(function: Callable[[FloatArray], FloatArray], logits: NDArray[Any]) -> FloatArray:
    rows = max(1, _BLOCK // logits.shape[1])
    starts = range(0, max(1, len(logits)), rows)
    return np.concatenate([function(logits[start : start + rows].astype(np.float64)) for start in starts])


def _log_max_softmax(logits: FloatArray) -> FloatArray:
    top = logits.argmax(axis=1)
    rows = np.arange(len(logits))
    others = np.exp(logits - logits[rows, top][:, None])
    others[rows, top] = 0
    result: FloatArray = -np.log1p(others.sum(axis=1))
    return result


def _softmax(logits: FloatArray) -> FloatArray:
    probabilities: FloatArray = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities


def _sum_of_squared_probabilities(logits: FloatArray) -> FloatArray:
    squares: FloatArray = np.square(_softmax(logits)).sum(axis=1)
    return squares
