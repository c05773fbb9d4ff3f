"""ECE, SCE and NLL of every corruption × severity: calibration under shift, from the arrays of `CorruptionError`."""

import numpy as np

from sparsescope.metrics.calibration_bins import absolute_gap, bin_index
from sparsescope.units import FloatArray, Units

__all__ = ["ece_table", "nll_table", "sce_table"]

BINS = 15
"""The default of the metrics `ece` and `sce`."""


def ece_table(units: Units) -> FloatArray:
    """Return the expected calibration error of every cell (C, S), as `ece` defines it; nan where nobody was seen."""
    observed = units["observed"]
    n, *table = observed.shape
    seen = observed.reshape(n, -1)
    _, cells = np.nonzero(seen)
    confidence = units["confidence"].reshape(n, -1)[seen].astype(np.float64)
    gaps = ~units["error"].reshape(n, -1)[seen] - confidence
    in_bins = np.bincount(cells * BINS + bin_index(confidence, BINS), gaps, seen.shape[1] * BINS)
    return _mean(np.abs(in_bins.reshape(*table, BINS)).sum(axis=-1), units)


def sce_table(units: Units) -> FloatArray | None:
    """Return the static calibration error of every cell (C, S), as `sce` defines it; nan where nobody was seen.

    None where there are no `probabilities`: see `CorruptedPredictions`.
    """
    if "probabilities" not in units.arrays:
        return None
    observed, probabilities, labels = units["observed"], units["probabilities"], units["label"]
    n, *table = observed.shape
    seen = observed.reshape(n, -1)
    place = seen.cumsum(axis=1) - 1  # of a cell among those that the image is seen under
    classes = np.arange(probabilities.shape[-1])
    gaps = np.zeros(seen.shape[1])
    for cell in np.flatnonzero(seen.any(axis=0)):
        rows = np.flatnonzero(seen[:, cell])
        shown = probabilities[rows, place[rows, cell]].astype(np.float64)
        gaps[cell] = absolute_gap(shown, labels[rows, None] == classes, np.ones(len(rows)), BINS)
    return _mean(gaps.reshape(table) / len(classes), units)


def nll_table(units: Units) -> FloatArray:
    """Return the mean negative log-likelihood of every cell (C, S), nats; nan where nobody was seen."""
    return _mean(units["nll"].sum(axis=0, dtype=np.float64), units)


def _mean(sums: FloatArray, units: Units) -> FloatArray:
    counts = units["observed"].sum(axis=0)
    mean: FloatArray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return mean
