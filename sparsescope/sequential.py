"""Looking more than once at data that come in: how far intervals must reach so that all of them hold together.

Units are measured in nested blocks; after each block, at a *look*, an interval is made of what there is. Intervals of
95 % made again and again miss the truth at some look far more often than in 5 % of cases. Those made here reach
further, the earlier the further, so that each end misses the truth at any look in at most 2.5 % of cases, whatever the
rule by which somebody stops: repeated confidence intervals (Jennison & Turnbull 1989).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from sparsescope.units import FloatArray

__all__ = ["SHARES", "Look", "crossing", "looks", "reaches", "spent"]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
"""Shares of the units at which one looks."""
FURTHEST = 8.0
"""Standard errors; beyond, levels cannot be told from 1 in floating point."""
_NODES = 400
_FAR = 9.0
"""Standard deviations below which nothing of a normal distribution is left to integrate."""


@dataclass(frozen=True)
class Look:
    """One of several looks at growing data.

    Args:
        number: counted from 1.
        share: of all units.
        level: confidence level of the interval made here.
        spent: chance with which intervals up to this one miss the truth, of at most 1 - confidence in all.
    """

    number: int
    share: float
    level: float
    spent: float


@lru_cache
def looks(confidence: float, shares: Sequence[float] = SHARES) -> tuple[Look, ...]:
    """Return the looks at some shares of the units, whose intervals hold together with a confidence.

    Example:
        >>> from sparsescope.sequential import looks
        >>> [round(look.level, 4) for look in looks(0.95, (0.5, 1.0))]
        [0.9969, 0.951]
    """
    from scipy.special import ndtr

    tail = (1 - confidence) / 2
    ends = reaches(shares, tail)
    chances = 2 * spent(shares, tail)
    return tuple(
        Look(number, float(share), float(1 - 2 * ndtr(-end)), float(chance))
        for number, (share, end, chance) in enumerate(zip(shares, ends, chances, strict=True), start=1)
    )


def spent(shares: ArrayLike, tail: float) -> FloatArray:
    """Return what of a one-sided error may be spent up to each share t of the data, 2 - 2 Phi(z / sqrt(t)),

    z the upper tail/2 quantile: next to nothing in the beginning, as the boundaries of O'Brien & Fleming 1979 do.
    Source: Lan & DeMets 1983.

    Example:
        >>> from sparsescope.sequential import spent
        >>> spent([0.5, 1.0], 0.025).round(5).tolist()
        [0.00153, 0.025]
    """
    from scipy.special import ndtr, ndtri

    result: FloatArray = 2 * ndtr(ndtri(tail / 2) / np.sqrt(np.asarray(shares, dtype=np.float64)))
    return result


def reaches(shares: Sequence[float], tail: float) -> FloatArray:
    """Return how many standard errors c_l (L,) one side of an interval must reach at each look.

    With Z_l the error of the estimate in standard errors, normal with corr(Z_k, Z_l) = sqrt(t_k / t_l) as for any mean
    of the first share t of independent units, c_l solves

        P(Z_1 < c_1, ..., Z_{l-1} < c_{l-1}, Z_l >= c_l) = spent(t_l) - spent(t_{l-1})

    by integration, look after look (Armitage, McPherson & Rowe 1969).

    Args:
        shares: t_1 < ... < t_L = 1.
        tail: one-sided error over all looks.
    """
    from scipy.optimize import brentq

    walk, found, before = _Walk(), [], 0.0
    for share, budget in zip(shares, spent(shares, tail), strict=True):
        wanted = float(budget) - before

        def excess(reach: float, share: float = share, wanted: float = wanted) -> float:
            return walk.beyond(reach, share) - wanted

        reach = FURTHEST if excess(FURTHEST) >= 0 else float(brentq(excess, -FURTHEST, FURTHEST, xtol=1e-10))
        found.append(reach)
        before += walk.beyond(reach, share)
        walk.step(reach, share)
    return np.array(found)


def crossing(bounds: Sequence[float], shares: Sequence[float], drift: float = 0.0, *, both: bool = False) -> FloatArray:
    """Return the chances (L,) that Z first reaches its bound at each look.

    Args:
        bounds: in standard errors, one for each look.
        shares: of the data at each look.
        drift: expectation of Z at the share 1.
        both: whether -bounds ends it too; chances are then those of either.
    """
    walk, found = _Walk(drift), []
    for bound, share in zip(bounds, shares, strict=True):
        found.append(walk.beyond(bound, share) + (walk.below(-bound, share) if both else 0.0))
        walk.step(bound, share, -bound if both else None)
    return np.array(found)


@lru_cache
def _rule() -> tuple[FloatArray, FloatArray]:
    """Return points in [-1, 1] and weights of Gauss and Legendre's rule."""
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    return points, weights


class _Walk:
    """The distribution of S = sqrt(t) Z where no bound has been reached: independent normal steps, on a grid."""

    def __init__(self, drift: float = 0.0) -> None:
        self._drift, self._share = drift, 0.0
        self._nodes, self._masses = np.zeros(1), np.ones(1)

    def beyond(self, reach: float, share: float) -> float:
        """Return the chance that Z is at least `reach` at the next share."""
        return float(self._masses @ self._upper_tail(reach, share))

    def below(self, reach: float, share: float) -> float:
        """Return the chance that Z is at most `reach` there."""
        return float(self._masses @ (1 - self._upper_tail(reach, share)))

    def step(self, upper: float, share: float, lower: float | None = None) -> None:
        """Go on to the next share with what is left between the bounds."""
        width = np.sqrt(share)
        low = self._drift * share - _FAR * width if lower is None else lower * width
        points, weights = _rule()
        half = (upper * width - low) / 2
        nodes = low + half * (points + 1)
        step = share - self._share
        apart = (nodes[:, None] - self._nodes - self._drift * step) / np.sqrt(step)
        densities = np.exp(-(apart**2) / 2) / np.sqrt(2 * np.pi * step)
        self._masses = half * weights * (densities @ self._masses)
        self._nodes, self._share = nodes, share

    def _upper_tail(self, reach: float, share: float) -> FloatArray:
        from scipy.special import ndtr

        step = share - self._share
        mean = self._nodes + self._drift * step
        result: FloatArray = ndtr((mean - reach * np.sqrt(share)) / np.sqrt(step))
        return result
