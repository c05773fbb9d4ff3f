"""Units (what was measured, one row per sampling unit), their resampling weights, and the Estimate they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.randomness import generator

__all__ = ["Arrays", "Estimate", "FloatArray", "Units", "reduced", "resampling_weights", "weighted_mean"]

Arrays = Mapping[str, NDArray[Any]]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Units:
    """Named per-unit arrays of one population, made of one or more strata that are resampled separately.

    Args:
        strata: stratum name -> number of units, in the order of the rows. Strata of the same name and size share their
            resampling weights across models and metrics: that is what makes every comparison a paired one.
        arrays: name -> array (n, ...), with n the sum of the strata.
        common: name -> array of any shape that belongs to no unit but to the model as a whole; never resampled.

    Example:
        >>> import numpy as np
        >>> from sparsescope import Units
        >>> units = Units({"test": 3, "train": 2}, {"correct": np.array([1, 0, 1, 1, 1])})
        >>> len(units), units["correct"][units.rows("train")].tolist()
        (5, [1, 1])
    """

    strata: Mapping[str, int]
    arrays: Arrays
    common: Arrays = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, array in self.arrays.items():
            if len(array) != len(self):
                raise ValueError(f"Expected array {name!r} to have {len(self)} rows (one per unit), got {len(array)}.")

    def __len__(self) -> int:
        return sum(self.strata.values())

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    def rows(self, stratum: str) -> slice:
        """Return the rows of one stratum."""
        start = 0
        for name, size in self.strata.items():
            if name == stratum:
                return slice(start, start + size)
            start += size
        raise KeyError(stratum)

    def uniform_weights(self) -> FloatArray:
        """Return the weights (n,) that make a reduction the reported value: all ones."""
        return np.ones(len(self))


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty.

    Args:
        value: the estimate, in the metric's unit.
        interval: bootstrap confidence interval (lower, upper); None where n is too small for one.
        standard_error: standard deviation of the bootstrap replicates; None likewise.
        n: number of sampling units behind the value.
        replicates: number of bootstrap replicates used.

    Example:
        >>> from sparsescope import Estimate
        >>> accuracy = Estimate(0.91, (0.89, 0.93), 0.01, n=1000, replicates=2000)
        >>> accuracy.value, accuracy.interval
        (0.91, (0.89, 0.93))
    """

    value: float
    interval: tuple[float, float] | None
    standard_error: float | None
    n: int
    replicates: int


def resampling_weights(strata: Mapping[str, int], replicates: range, seed: int) -> FloatArray:
    """Return multinomial bootstrap weights (len(replicates), n): how often each unit is drawn in each replicate.

    Replicate b of stratum s depends on (seed, s, b) and the stratum's size alone, so metrics and models that share a
    stratum share its weights, and replicates can be made in chunks of any size. Source: Efron 1979.

    Example:
        >>> from sparsescope.units import resampling_weights
        >>> weights = resampling_weights({"test": 5}, range(3), seed=0)
        >>> weights.shape, weights.sum(axis=1).tolist()
        ((3, 5), [5.0, 5.0, 5.0])
    """
    columns = []
    for name, size in strata.items():
        draws = np.empty((len(replicates), size))
        for row, replicate in enumerate(replicates):
            picks = generator(seed, f"bootstrap/{name}", replicate).integers(0, size, size)
            draws[row] = np.bincount(picks, minlength=size)
        columns.append(draws)
    return np.concatenate(columns, axis=1)


def reduced(found: object, weights: FloatArray) -> FloatArray:
    """Return what a reduction gave for weights (..., n) as floats (...); raises TypeError where it is anything else.

    Example:
        >>> import numpy as np
        >>> from sparsescope.units import reduced
        >>> float(reduced(1, np.ones(5)))
        1.0
    """
    numbers = np.asarray(found)
    if numbers.dtype.kind not in "biuf" or numbers.shape != weights.shape[:-1]:
        wanted = f"{len(weights)} numbers for as many rows of weights" if weights.ndim > 1 else "one number"
        raise TypeError(f"Expected {wanted} from reduce() or debiased(), but got {found!r:.60}.")
    return numbers.astype(np.float64)


def weighted_mean(values: NDArray[Any], weights: FloatArray) -> FloatArray:
    """Return sum(w x) / sum(w) over units: values (n,), weights (..., n) -> (...); nan where all weights are 0.

    Example:
        >>> import numpy as np
        >>> from sparsescope.units import weighted_mean
        >>> float(weighted_mean(np.array([1, 0, 0]), np.array([2.0, 1.0, 1.0])))
        0.5
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: FloatArray = (weights @ values.astype(np.float64)) / weights.sum(axis=-1)
    return mean
