"""Whether numbers grow with the iterations: a slope with its standard error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

BLOCKS = 12
"""Neighbouring samples depend on each other, as a freed page comes back later; means of long blocks hardly do."""


@dataclass(frozen=True)
class Growth:
    """How much a quantity grows per 1,000 iterations, the standard error of that, and its last level."""

    slope: float
    error: float
    level: float

    def exceeds(self, tolerance: float) -> bool:
        """Return whether the slope is above the tolerance beyond chance: its lower 99.9 % bound is."""
        return bool(self.slope - float(stats.t.isf(0.001, BLOCKS - 2)) * self.error > tolerance)


def growth(values: Sequence[float]) -> Growth:
    """Return the growth of a quantity, by least squares over the means of equal blocks.

    The first sixth is left out, in which caches of imported packages fill.

    Args:
        values: one of each iteration, at least `2 * BLOCKS`.
    """
    settled = np.asarray(values[len(values) // 6 :], dtype=float)
    blocks = np.array_split(settled, BLOCKS)
    places = np.array([block.mean() for block in np.array_split(np.arange(len(settled)) / 1000, BLOCKS)])
    line = stats.linregress(places, [block.mean() for block in blocks])
    return Growth(float(line.slope), float(line.stderr), float(blocks[-1].mean()))
