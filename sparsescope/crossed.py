"""Pairs of models crossed with images: how far the mean of their differences may be from that of all trainings."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sparsescope.units import FloatArray

__all__ = ["FEWEST", "Components", "larger_designs"]

FEWEST = 3
"""Pairs of different trainings from which on a method is judged."""
MOST_PAIRS, MOST_TIMES = 100, 1000.0
"""Up to which more pairs, and so many times the images, are told of."""


@dataclass(frozen=True)
class Components:
    """The variance of the mean difference of `pairs` pairs on the same `units` images, by what causes it.

    With d_i the difference of pair i, s^2 their variance, and S the covariance (pairs x pairs) that the images cause,

        variance = s^2 / pairs + shared,    shared = mean of S off its diagonal,

    as all images meet all pairs. Of s^2 the images explain `own` = mean of S on its diagonal - shared, and trainings
    the rest. For means over images these are the mean squares of a crossed analysis of variance. Source: Searle,
    Casella & McCulloch 1992, chapter 4.

    Args:
        pairs: number of pairs, at least 2.
        units: number of images, or of other sampling units.
        trainings: variance of one pair's difference over trainings.
        own: variance of one pair's difference over images, as far as it is no other pair's.
        shared: variance over images that all pairs share.
    """

    pairs: int
    units: int
    trainings: float
    own: float
    shared: float

    @classmethod
    def of(cls, differences: FloatArray, covariance: FloatArray, units: int) -> "Components":
        """Return them for differences (pairs,) and what images cause (pairs, pairs); nothing is estimated below 0."""
        pairs = len(differences)
        between = float(np.var(differences, ddof=1))
        diagonal = float(np.trace(covariance)) / pairs
        shared = (float(covariance.sum()) - pairs * diagonal) / (pairs * (pairs - 1))
        own = min(max(diagonal - shared, 0.0), between)
        return cls(pairs, units, between - own, own, max(shared, 0.0))

    @property
    def of_trainings(self) -> float:
        """The part of the mean's variance that more pairs would lower, and more images would not."""
        return self.trainings / self.pairs

    @property
    def of_images(self) -> float:
        """The part of the mean's variance that more images would lower."""
        return self.own / self.pairs + self.shared

    @property
    def variance(self) -> float:
        """The variance of the mean."""
        return self.of_trainings + self.of_images

    def reach(self, confidence: float) -> float:
        """Return how far the interval reaches from the mean, with Student's t as Cochran 1964 weighs it:

            reach = (t_pairs A + t_units B) / sqrt(A + B),    A = (trainings + own) / pairs,  B = shared,

        t at pairs - 1 and units - 1 degrees of freedom. Satterthwaite's t is too small with three pairs, because few
        pairs that agree by chance make both the variance too small and its degrees of freedom too many.

        Example:
            >>> from sparsescope.crossed import Components
            >>> round(Components(3, 1000, trainings=1e-4, own=0.0, shared=0.0).reach(0.95), 4)
            0.0248
            >>> round(Components(3, 1000, trainings=0.0, own=0.0, shared=1e-4).reach(0.95), 4)
            0.0196
        """
        from scipy.special import stdtrit

        if self.variance == 0:
            return 0.0
        between = (self.trainings + self.own) / self.pairs
        t_pairs, t_units = (float(stdtrit(n - 1, 0.5 + confidence / 2)) for n in (self.pairs, max(self.units, 2)))
        return (t_pairs * between + t_units * self.shared) / math.sqrt(self.variance)

    def with_more(self, pairs: int, times: float = 1.0) -> "Components":
        """Return those of so many pairs on so many times the images, if the rest stays as it is."""
        return Components(pairs, round(self.units * times), self.trainings, self.own / times, self.shared / times)


def larger_designs(found: Components, reach: float, confidence: float) -> tuple[int | None, float | None]:
    """Return how many pairs, or how many times the images, let the interval reach so far only.

    Args:
        found: what was estimated.
        reach: how far the interval may reach from the mean, > 0.
        confidence: of the interval.

    Returns:
        pairs on these images, and the factor of the images with these pairs; None where 100 pairs, or 1,000 times the
        images, do not.
    """
    pairs = next((n for n in range(found.pairs, MOST_PAIRS + 1) if found.with_more(n).reach(confidence) <= reach), None)
    times = next((k for k in _times() if found.with_more(found.pairs, k).reach(confidence) <= reach), None)
    return pairs, times


def _times() -> Iterator[float]:
    """Yield factors from 1 to `MOST_TIMES` in steps of 5 %."""
    factor = 1.0
    while factor <= MOST_TIMES:
        yield factor
        factor *= 1.05
