"""Expected calibration error of the top-1 confidence."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, IntervalKind, Metric
from sparsescope.metrics.calibration_bins import Gap, absolute_gap, bin_edges, bin_index, debiased_gap
from sparsescope.softmax import brier_score, log_max_softmax
from sparsescope.units import FloatArray, Units

__all__ = ["ECE"]


@dataclass(frozen=True, config=OPTIONS)
class ECE(Metric):
    """Expected calibration error, sum_m (n_m/n) abs(accuracy(B_m) - confidence(B_m)).

    Confidence is the largest softmax probability, in float64. Bins are equally wide on [0, 1] and right-closed: bin m
    is ((m-1)/M, m/M], and 0 belongs to the first. Sources: Naeini et al. 2015; Guo et al. 2017.

    Args:
        n_bins: M >= 1. The code of Chen et al. 2022 has 14.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from sparsescope import ArrayImages, Benchmark, Classifier
        >>> from sparsescope.metrics.ece import ECE
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> for parameter in network.parameters():
        ...     _ = nn.init.zeros_(parameter)
        >>> test = ArrayImages(np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 0, 0, 1]))
        >>> ece = ECE(n_bins=10)
        >>> ece.value(ece.measure(Classifier(network), Benchmark("toy", test)))
        0.25
    """

    name: ClassVar[str] = "ece"
    label: ClassVar[str] = "ECE"
    sentence: ClassVar[str] = (
        "Mean gap between confidence and accuracy over bins of confidence. The value is too large on few images, and "
        "more so for a better calibrated model; intervals are corrected for that."
    )
    dimension: ClassVar[Dimension] = "calibration"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "probability"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Guo et al. 2017"
    margin: ClassVar[float] = 0.01
    interval: ClassVar[IntervalKind] = "normal"

    n_bins: Annotated[int, Field(ge=1)] = 15

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        return (Predictions("test"),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Arrays: `confidence` float64 (n,), `correct` bool (n,), `brier` float64 (n,)."""
        arrays = own[Predictions("test")]
        logits, labels = arrays["logits"], arrays["label"]
        return Units(
            {"test": len(labels)},
            {
                "confidence": np.exp(log_max_softmax(logits)),
                "correct": logits.argmax(axis=1) == labels,
                "brier": brier_score(logits, labels),
            },
        )

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return self._mean(absolute_gap, units, weights)

    @override
    def debiased(self, units: Units, weights: FloatArray) -> FloatArray:
        """Return the ECE without most of its bias; may be negative. See `debiased_gap`."""
        return self._mean(debiased_gap, units, weights)

    def _mean(self, gap: Gap, units: Units, weights: FloatArray) -> FloatArray:
        total = gap(units["confidence"][:, None], units["correct"][:, None], weights, self.n_bins)
        with np.errstate(invalid="ignore"):
            mean: FloatArray = total / weights.sum(axis=-1)
        return mean

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return debiased and adaptive ECE, the maximum calibration error, the Brier score and the reliability diagram.

        `debiased` is what intervals lie around.
        `reliability` has one row per bin: lower and upper edge, count, mean confidence and accuracy (None in an empty
        bin). `maximum_calibration_error` is the largest gap of a bin with images in it (Naeini et al. 2015).
        `adaptive_ece` is the ECE over M bins of equal mass, equal confidences in one bin (Nguyen & O'Connor 2015).
        """
        confidence, correct = units["confidence"], units["correct"]
        table = self._reliability(confidence, correct)
        ranks = np.searchsorted(np.sort(confidence), confidence, side="left")
        equal_mass = ranks * self.n_bins // len(confidence)
        return {
            "debiased": float(self.debiased(units, units.uniform_weights())),
            "reliability": table,
            "maximum_calibration_error": max(
                abs(row["accuracy"] - row["confidence"]) for row in table if row["count"] > 0
            ),
            "adaptive_ece": float(np.abs(np.bincount(equal_mass, correct - confidence)).sum() / len(confidence)),
            "brier_score": float(units["brier"].mean()),
        }

    def _reliability(self, confidence: FloatArray, correct: FloatArray) -> list[dict[str, Any]]:
        edges = bin_edges(self.n_bins)
        bins = bin_index(confidence, self.n_bins)
        rows = []
        for index in range(self.n_bins):
            here = bins == index
            rows.append(
                {
                    "lower": float(edges[index]),
                    "upper": float(edges[index + 1]),
                    "count": int(here.sum()),
                    "confidence": float(confidence[here].mean()) if here.any() else None,
                    "accuracy": float(correct[here].mean()) if here.any() else None,
                }
            )
        return rows
