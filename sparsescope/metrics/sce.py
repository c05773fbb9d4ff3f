"""Static calibration error: calibration of every class's probability, not of the top-1 confidence alone."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, IntervalKind, Metric
from sparsescope.metrics.calibration_bins import Gap, absolute_gap, debiased_gap
from sparsescope.softmax import log_normaliser
from sparsescope.units import FloatArray, Units

__all__ = ["SCE"]

SUMMED_MARGIN = 0.02
"""The margin of the error summed over classes: it is at most 2, and so the SCE of K classes at most 2/K."""
IMAGES_PER_CLASS = 400
"""From so many on intervals of ten classes held real networks' difference in 94 % of test sets or more: decision 5."""
_BLOCK = 1 << 22
"""Probabilities, or sums in bins, held at a time: classes come in groups, so that memory does not grow with them."""


@dataclass(frozen=True, config=OPTIONS)
class SCE(Metric):
    """Static calibration error, (1/K) sum_k sum_m (n_mk/n) abs(freq_k(B_mk) - conf_k(B_mk)).

    Each class k is binned by its own softmax probability, in float64: B_mk are the images with p_k in bin m, conf_k
    their mean p_k and freq_k the share of them whose label is k. Bins as in `ECE`. Chen et al. 2022 print a formula
    whose units do not match (a label count minus a bin mean); this is the error of Nixon et al. 2019, cited there.

    Args:
        n_bins: M >= 1.
    """

    name: ClassVar[str] = "sce"
    label: ClassVar[str] = "SCE"
    sentence: ClassVar[str] = (
        "Mean gap between probability and frequency, with every class binned by its own probability, averaged over "
        "classes. Intervals are corrected as those of the ECE, and decide nothing below 400 images per class, where "
        "that is too little."
    )
    dimension: ClassVar[Dimension] = "calibration"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "probability"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Nixon et al. 2019"
    margin: ClassVar[float] = 0.002  # of ten classes: see `default_margin`
    interval: ClassVar[IntervalKind] = "normal"

    n_bins: Annotated[int, Field(ge=1)] = 15

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        return (Predictions("test"),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Arrays: `logits` float32 (n, K), `log_normaliser` float64 (n,), `label` int64 (n,)."""
        arrays = own[Predictions("test")]
        logits = arrays["logits"]
        return Units({"test": len(logits)}, {**arrays, "log_normaliser": log_normaliser(logits)})

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return self._mean(absolute_gap, units, weights)

    @override
    def debiased(self, units: Units, weights: FloatArray) -> FloatArray:
        """Return the SCE without most of its bias; may be negative. See `debiased_gap`."""
        return self._mean(debiased_gap, units, weights)

    @override
    def default_margin(self, units: Units) -> float:
        """Return 0.02/K; within a fixed one every model would be, of many classes."""
        return SUMMED_MARGIN / int(units["logits"].shape[1])

    @override
    def undecided(self, units: Units) -> str | None:
        """Intervals of fewer images per class than `IMAGES_PER_CLASS` miss the truth too often."""
        per_class = len(units) // int(units["logits"].shape[1])
        if per_class >= IMAGES_PER_CLASS:
            return None
        return f"{per_class} images per class, where {IMAGES_PER_CLASS} are needed"

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return `debiased`, which intervals lie around, and `classes`: each class's own error.

        A class's error is sum_m (n_mk/n) abs(freq_k - conf_k); the SCE is their mean.
        """
        weights = units.uniform_weights()
        gaps = self._gaps(absolute_gap, units, weights, group=1)
        return {
            "debiased": float(self.debiased(units, weights)),
            "classes": [float(gap) / len(units) for gap in gaps],
        }

    def _mean(self, gap: Gap, units: Units, weights: FloatArray) -> FloatArray:
        total = sum(self._gaps(gap, units, weights), start=np.zeros(weights.shape[:-1]))
        with np.errstate(invalid="ignore"):
            mean: FloatArray = total / (weights.sum(axis=-1) * units["logits"].shape[1])
        return mean

    def _gaps(self, gap: Gap, units: Units, weights: FloatArray, group: int | None = None) -> Iterator[FloatArray]:
        """Yield the gap summed over bins and over the classes of one group, group after group."""
        logits, label = units["logits"], units["label"]
        group = group or max(1, _BLOCK // max(1, len(logits), self.n_bins * weights.size // max(1, len(logits))))
        for first in range(0, logits.shape[1], group):
            classes = np.arange(first, min(first + group, logits.shape[1]))
            log_probabilities = logits[:, classes] - units["log_normaliser"][:, None]
            # exp of a rounded 0 can exceed 1 by an ulp
            probabilities = np.exp(np.minimum(log_probabilities, 0))
            yield gap(probabilities, label[:, None] == classes, weights, self.n_bins)
