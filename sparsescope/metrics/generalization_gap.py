"""Generalization gap: test accuracy minus training accuracy."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, Metric, Reads
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["GeneralizationGap"]


@dataclass(frozen=True, config=OPTIONS)
class GeneralizationGap(Metric):
    """Test accuracy minus training accuracy, in the sign of Chen et al. 2022: usually negative, higher is better.

    Informative, not in the verdict: a network that fits its training images worse closes the gap and is no better.

    Args:
        train_images: at most this many training images, drawn stratified by class; None means all.
    """

    name: ClassVar[str] = "generalization_gap"
    label: ClassVar[str] = "Generalization gap"
    sentence: ClassVar[str] = (
        "Test accuracy minus training accuracy: how much of what was learned carries over to new images."
    )
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "fraction"
    bounds: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    source: ClassVar[str] = "Chen et al. 2022"
    in_verdict: ClassVar[bool] = False

    train_images: Annotated[int, Field(ge=1)] | None = 10_000

    @override
    @property
    def reads(self) -> Reads:
        return "order"

    @override
    def check(self, benchmark: Benchmark) -> None:
        if benchmark.copies.get("train") == "test":
            raise NotEvaluated("the training images are the test images: their gap is 0 whatever was learned")

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        if benchmark.train is None:
            raise NotEvaluated("no training images (give --train SPEC)")
        return Predictions("test"), Predictions("train", images=self.train_images)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Strata `test` (n) and `train` (m). Arrays: `correct` bool (n + m,)."""
        correct = [own[m]["logits"].argmax(axis=1) == own[m]["label"] for m in self.measurements(benchmark)]
        test, train = correct
        return Units({"test": len(test), "train": len(train)}, {"correct": np.concatenate(correct)})

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        test, train = (
            weighted_mean(units["correct"][rows], weights[..., rows])
            for rows in (units.rows("test"), units.rows("train"))
        )
        return test - train

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return both accuracies and the number of training images."""
        correct = units["correct"]
        return {
            "test_accuracy": float(correct[units.rows("test")].mean()),
            "train_accuracy": float(correct[units.rows("train")].mean()),
            "train_images": units.strata["train"],
        }
