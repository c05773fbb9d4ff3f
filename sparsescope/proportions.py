"""Two proportions of the same units: the score interval of their difference, and how many units a margin needs."""

import math

import numpy as np
from numpy.typing import ArrayLike

from sparsescope.units import FloatArray

__all__ = ["score_interval", "units_for_margin"]

HALVINGS = 60
"""Of an interval within [-1, 1]: to the last bit."""


def score_interval(lost: ArrayLike, gained: ArrayLike, n: ArrayLike, level: float) -> tuple[FloatArray, FloatArray]:
    """Return intervals of p_own - p_dense = (gained - lost) / n: the differences D that the score test accepts,

        (gained - lost - n D)^2 <= z^2 n (2 q + D (1 - D)),

    q the likeliest share of lost units where the difference is D. It depends on lost, gained and n alone, has no width
    of 0, and where nothing differs reaches z^2 / (n + z^2) either way. Source: Tango 1998, Statistics in Medicine 17,
    891-908.

    Args:
        lost: units that only dense gets right, (...).
        gained: units that only the other gets right, (...).
        n: units, at least 1, (...).
        level: confidence level.

    Returns:
        lower and upper ends (...), within [-1, 1].

    Example:
        >>> from sparsescope.proportions import score_interval
        >>> low, high = score_interval(lost=7, gained=1, n=21, level=0.95)
        >>> round(float(low), 3), round(float(high), 3)
        (-0.517, -0.026)
    """
    from scipy.special import ndtri

    lost, gained, n = np.broadcast_arrays(*(np.asarray(count, dtype=np.float64) for count in (lost, gained, n)))
    square, difference = float(ndtri((1 + level) / 2)) ** 2, (gained - lost) / n

    def accepted(value: FloatArray) -> FloatArray:
        variance = _variance(lost / n, gained / n, value)
        result: FloatArray = n * (difference - value) ** 2 <= square * variance
        return result

    ends = []
    for outside in (-1.0, 1.0):
        out, inside = np.full_like(difference, outside), difference
        for _ in range(HALVINGS):
            middle = (out + inside) / 2
            within = accepted(middle)
            out, inside = np.where(within, out, middle), np.where(within, middle, inside)
        ends.append((out + inside) / 2)
    return ends[0], ends[1]


def units_for_margin(differing: float, margin: float, z: float, z_power: float) -> float:
    """Return how many units let the score interval lie above -margin where both proportions are the same.

    n = ((z s_0 + z_power s_1) / margin)^2, with s_1^2 the share of units that differ and s_0^2 the variance under a
    difference of -margin.

    Args:
        differing: share of units that only one of the two gets right, half of them each, in [0, 1].
        margin: in (0, 1).
        z: normal quantile of the interval.
        z_power: normal quantile of the chance.

    Example:
        >>> import math
        >>> from sparsescope.proportions import units_for_margin
        >>> math.ceil(units_for_margin(0.0, 0.01, 1.959964, 0.841621))
        381
    """
    null = float(_variance(np.asarray(differing / 2), np.asarray(differing / 2), np.asarray(-margin)))
    root = (z * math.sqrt(null) + z_power * math.sqrt(differing)) / margin
    return root * root


def _variance(lost: FloatArray, gained: FloatArray, difference: FloatArray) -> FloatArray:
    """Return the variance of one unit's difference, at the likeliest shares of which the difference is this one."""
    slope = (2 - gained + lost) * difference - gained - lost
    root = np.sqrt(np.maximum(slope**2 + 8 * lost * difference * (1 - difference), 0))
    only_dense = np.maximum((root - slope) / 4, 0)
    variance: FloatArray = np.maximum(2 * only_dense + difference * (1 - difference), 0)
    return variance
