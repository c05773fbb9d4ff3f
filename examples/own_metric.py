"""Add a metric of your own: the Brier score, from the predictions that the built-in metrics share.

A metric says what it needs measured and how to reduce it with weights; value, interval, paired difference, verdict,
table and report follow.

python examples/own_metric.py
"""

import copy
from typing import ClassVar

import numpy as np
import torch
from pydantic.dataclasses import dataclass

import sparsescope as ss
from sparsescope.architectures import resolve
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Metric
from sparsescope.units import Units, weighted_mean


@dataclass(frozen=True, config=OPTIONS)
class Brier(Metric):
    """Brier score: mean squared distance of the probabilities from the one-hot label (Brier 1950)."""

    name: ClassVar[str] = "brier"
    label: ClassVar[str] = "Brier score"
    sentence: ClassVar[str] = "Mean squared distance of the predicted probabilities from the right class."
    dimension: ClassVar[str] = "calibration"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "squared probability"
    bounds: ClassVar[tuple] = (0.0, 2.0)
    source: ClassVar[str] = "Brier 1950"
    margin: ClassVar[float] = 0.02

    def measurements(self, benchmark):
        return (Predictions("test"),)

    def units(self, own, dense, benchmark):
        arrays = own[Predictions("test")]
        logits, labels = arrays["logits"].astype(float), arrays["label"]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        squared = ((probabilities - np.eye(logits.shape[1])[labels]) ** 2).sum(axis=1)
        return Units({"test": len(squared)}, {"squared": squared})

    def reduce(self, units, weights):
        return weighted_mean(units["squared"], weights)


def main() -> None:
    torch.manual_seed(0)  # untrained: the numbers are there, but nothing that matches chance is judged
    dense = resolve("digits_cnn").build(num_classes=10, in_channels=1)
    sparse = copy.deepcopy(dense)
    with torch.no_grad():
        sparse.features[0].weight[:, :, 0] = 0

    evaluation = ss.evaluate(dense, sparse, "digits", metrics=["accuracy", Brier()], cache=False)
    print(evaluation["brier"].value("dense"))
    print(evaluation["brier"].difference("sparse"))
    assert 0 < evaluation["brier"].value("dense").value < 2
    assert evaluation.verdict("sparse").metrics["brier"].reason.startswith("dense is no better than chance")


if __name__ == "__main__":
    main()
