"""Accuracy on clean test images."""

from typing import Any, ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, Metric
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["Accuracy"]


@dataclass(frozen=True, config=OPTIONS)
class Accuracy(Metric):
    """Top-1 accuracy, sum(w_i [argmax f(x_i) = y_i]) / sum(w_i).

    The lowest class index wins ties. Source: Chen et al. 2022, section 3.1.
    """

    name: ClassVar[str] = "accuracy"
    label: ClassVar[str] = "Accuracy"
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Chen et al. 2022"
    margin: ClassVar[float] = 0.01

    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        """See `Metric.measurements`."""
        return (Predictions("test"),)

    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Arrays: `correct` bool (n,); `classes` int (n,), the number of classes."""
        arrays = own[Predictions("test")]
        correct = arrays["logits"].argmax(axis=1) == arrays["label"]
        classes = np.full(len(correct), arrays["logits"].shape[1])
        return Units({"test": len(correct)}, {"correct": correct, "classes": classes})

    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """See `Metric.reduce`."""
        return weighted_mean(units["correct"], weights)

    def details(self, units: Units) -> dict[str, Any]:
        """Number of classes and of correct images."""
        return {"classes": int(units["classes"][0]), "correct": int(units["correct"].sum())}
