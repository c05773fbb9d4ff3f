"""Accuracy on clean test images."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, Metric, Reads
from sparsescope.metrics.paired import by_class, changed_sides
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["Accuracy"]

_CONFIDENCE = 0.95
"""Simultaneous level of the intervals of all classes."""


@dataclass(frozen=True, config=OPTIONS)
class Accuracy(Metric):
    """Top-1 accuracy, sum(w_i [argmax f(x_i) = y_i]) / sum(w_i).

    The lowest class index wins ties. Source: Chen et al. 2022, section 3.1.
    """

    name: ClassVar[str] = "accuracy"
    label: ClassVar[str] = "Accuracy"
    sentence: ClassVar[str] = "Share of clean test images whose class is right."
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Chen et al. 2022"
    margin: ClassVar[float] = 0.01
    share_of: ClassVar[str | None] = "correct"

    @override
    @property
    def reads(self) -> Reads:
        return "order"

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        return (Predictions("test"),)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Arrays: `correct` bool (n,); `classes` int (n,), the number of classes.

        For a model that is not the dense one also `dense_correct` bool (n,) and `label` int (n,), for the details only.
        """
        arrays = own[Predictions("test")]
        correct = _correct(own)
        columns = {"correct": correct, "classes": np.full(len(correct), arrays["logits"].shape[1])}
        if own is not dense:
            columns |= {"dense_correct": _correct(dense), "label": arrays["label"]}
        return Units({"test": len(correct)}, columns)

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        return weighted_mean(units["correct"], weights)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return the number of classes and of correct images; for a candidate also who changed sides.

        `changed` counts and lists the test images that dense gets right and the candidate wrong (`lost`), and the
        reverse (`gained`), by index; see `paired.changed_sides`. `by_class` has both models' accuracy for every class
        and their difference with simultaneous 95 % intervals; see `paired.by_class`.
        """
        correct, classes = units["correct"], int(units["classes"][0])
        found: dict[str, Any] = {"classes": classes, "correct": int(correct.sum())}
        if "dense_correct" in units.arrays:
            dense = units["dense_correct"]
            found["changed"] = changed_sides(correct, dense)
            found["by_class"] = by_class(correct, dense, units["label"], classes, _CONFIDENCE)
        return found


def _correct(measured: Measured) -> NDArray[np.bool_]:
    arrays = measured[Predictions("test")]
    correct: NDArray[np.bool_] = arrays["logits"].argmax(axis=1) == arrays["label"]
    return correct
