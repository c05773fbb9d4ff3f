"""Ranking quality of a score between a positive and a negative class: AUROC, average precision, FPR at a TPR."""

import numpy as np

from sparsescope.units import FloatArray

__all__ = ["auroc", "average_precision", "false_positive_rate"]

_BLOCK = 1 << 22
"""Weights worked on at a time, so that memory does not grow with the number of replicates."""


def auroc(
    positive: FloatArray, negative: FloatArray, positive_weights: FloatArray, negative_weights: FloatArray
) -> FloatArray:
    """Return the weighted area under the ROC curve, sum_ij w_i v_j ([s_i > t_j] + [s_i = t_j]/2) / (sum w sum v).

    The scores are sorted once; each row of weights then takes O(n + m). Source: Hanley & McNeil 1982.

    Args:
        positive: scores s (n,) of the positive class.
        negative: scores t (m,) of the negative class.
        positive_weights: w (n,) or (R, n).
        negative_weights: v (m,) or (R, m).

    Returns:
        shape () or (R,); nan where either class has no weight.

    Example:
        >>> import numpy as np
        >>> from sparsescope.metrics.ranking import auroc
        >>> float(auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1]), np.ones(2), np.ones(2)))
        0.875
    """
    order = np.argsort(negative)
    below = np.searchsorted(negative[order], positive, side="left")
    not_above = np.searchsorted(negative[order], positive, side="right")
    tied = np.flatnonzero(below != not_above)
    w = np.atleast_2d(positive_weights)
    v = np.atleast_2d(negative_weights)
    won = np.empty(len(w))
    step = max(1, _BLOCK // max(1, len(positive) + len(negative)))
    for start in range(0, len(w), step):
        rows = slice(start, start + step)
        cumulative = np.zeros((len(v[rows]), len(negative) + 1))
        np.cumsum(v[rows][:, order], axis=1, out=cumulative[:, 1:])
        beaten = cumulative[:, below]
        beaten[:, tied] = (beaten[:, tied] + cumulative[:, not_above[tied]]) / 2
        won[rows] = np.einsum("rn,rn->r", w[rows], beaten)
    with np.errstate(invalid="ignore"):
        area: FloatArray = (won / (w.sum(axis=1) * v.sum(axis=1))).reshape(positive_weights.shape[:-1])
    return area


def average_precision(positive: FloatArray, negative: FloatArray) -> float:
    """Return the area under the precision–recall curve, sum_t (recall_t - recall_{t-1}) precision_t.

    Steps, not trapezes; equal scores make one step. Source: Davis & Goadrich 2006.

    Args:
        positive: scores (n,) of the positive class, n >= 1; higher means more positive.
        negative: scores (m,) of the negative class.

    Example:
        >>> import numpy as np
        >>> from sparsescope.metrics.ranking import average_precision
        >>> average_precision(np.array([0.9, 0.4]), np.array([0.5, 0.1]))
        0.8333333333333333
    """
    thresholds, hits = np.unique(positive, return_counts=True)
    found = hits[::-1].cumsum()[::-1]
    false_alarms = len(negative) - np.searchsorted(np.sort(negative), thresholds, side="left")
    return float((hits / len(positive) * found / (found + false_alarms)).sum())


def false_positive_rate(positive: FloatArray, negative: FloatArray, true_positive_rate: float) -> float:
    """Return the share of negatives at or above the highest threshold that keeps `true_positive_rate` of the positives.

    Args:
        positive: scores (n,) of the positive class, n >= 1.
        negative: scores (m,) of the negative class, m >= 1.
        true_positive_rate: in (0, 1].
    """
    # the least count k with k/n >= TPR; a quantile would interpolate to a score that no image has
    kept = 1 + int(np.argmax(np.arange(1, len(positive) + 1) / len(positive) >= true_positive_rate))
    threshold = np.sort(positive)[len(positive) - kept]
    return float((negative >= threshold).mean())
