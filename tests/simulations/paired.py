"""Error rates of intervals for two proportions of the same images: exact sums over all outcomes, no drawing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sparsescope.metrics.paired import paired_interval
from sparsescope.proportions import score_interval

LEVEL = 0.95
MARGIN = 0.01
NEGLIGIBLE = 1e-9
"""Outcomes of all counts beyond are left out, in all less than a billionth."""
Counts = NDArray[np.int64]
Ends = tuple[NDArray[np.float64], NDArray[np.float64]]
Method = Callable[[Counts, Counts, Counts, int], Ends]
"""From images that both get right, lost, gained, and n."""


@dataclass(frozen=True)
class Rates:
    """Of a method at one true difference: how often the interval holds it, and what the verdict says."""

    coverage: float
    passes: float
    fails: float


def tango(both: Counts, lost: Counts, gained: Counts, n: int) -> Ends:
    return score_interval(lost, gained, n, LEVEL)


def newcombe(both: Counts, lost: Counts, gained: Counts, n: int) -> Ends:
    return paired_interval(both, lost, gained, np.full_like(both, n), LEVEL)


def percentile(both: Counts, lost: Counts, gained: Counts, n: int) -> Ends:
    """The bootstrap as it was: percentiles of 2,000 resamples, with t, and an exact bound where nothing differs."""
    rng, tail = np.random.default_rng(0), (1 - LEVEL) / 2
    wider = stats.t.isf(tail, n - 1) / stats.norm.isf(tail) * (n / (n - 1)) ** 0.5
    low, high = np.empty(lost.shape), np.empty(lost.shape)
    for place, (minus, plus) in enumerate(zip(lost.tolist(), gained.tolist(), strict=True)):
        drawn = rng.multinomial(n, [minus / n, plus / n, 1 - (minus + plus) / n], 2000)
        value, ends = (plus - minus) / n, np.quantile((drawn[:, 1] - drawn[:, 0]) / n, [tail, 1 - tail])
        low[place], high[place] = value - max(value - ends[0], 0) * wider, value + max(ends[1] - value, 0) * wider
        if minus + plus == 0:
            high[place] = 1 - tail ** (1 / n)
            low[place] = -high[place]
    return low, high


def rates(method: Method, n: int, differing: float, difference: float, accuracy: float | None = None) -> Rates:
    """Return the exact error rates of a method.

    Args:
        method: gives the intervals.
        n: images.
        differing: share of images that only one model gets right, at least |difference|.
        difference: the true one, candidate minus dense.
        accuracy: of dense, for a method whose interval depends on it.
    """
    p_gained, p_lost = (differing + difference) / 2, (differing - difference) / 2
    lost, gained = (_likely(n, share) for share in (p_lost, p_gained))
    lost, gained = (grid.ravel() for grid in np.meshgrid(lost, gained))
    possible = lost + gained <= n
    lost, gained = lost[possible], gained[possible]
    chance = stats.binom.pmf(lost, n, p_lost) * stats.binom.pmf(gained, n - lost, p_gained / (1 - p_lost))
    kept = chance > NEGLIGIBLE / len(chance)
    lost, gained, chance = lost[kept], gained[kept], chance[kept]
    both = np.zeros_like(lost)
    if accuracy is not None:
        share = (accuracy - p_lost) / (1 - differing)
        alike = _likely(n, share)
        same = n - lost - gained
        chance = (chance[:, None] * stats.binom.pmf(alike, same[:, None], share)).ravel()
        lost, gained, both = (grid.ravel() for grid in np.broadcast_arrays(lost[:, None], gained[:, None], alike))
        kept = chance > NEGLIGIBLE / len(chance)
        lost, gained, both, chance = (each[kept] for each in (lost, gained, both, chance))
    low, high = method(both, lost, gained, n)
    return Rates(
        coverage=float(chance[(low <= difference) & (difference <= high)].sum()),
        passes=float(chance[low >= -MARGIN - 1e-12].sum()),
        fails=float(chance[high < -MARGIN - 1e-12].sum()),
    )


def _likely(n: int, share: float) -> Counts:
    low, high = stats.binom.ppf([NEGLIGIBLE, 1 - NEGLIGIBLE], n, share)
    return np.arange(int(low), int(high) + 1)
