"""Labels that are not those of the outputs: what all predictions together show."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.evaluation.checks.base import Check, Doubt, Finding
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.task import Task
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import RestsOn
from sparsescope.randomness import generator

__all__ = ["AboveChance", "SameOrder"]

ENOUGH = 200
"""Test images below which nothing is concluded."""

_NAMED = 3
_LABELS: frozenset[RestsOn] = frozenset({"labels"})
_RENUMBERED = "seems to have its classes in another order than the labels"


class SameOrder(Check):
    """Whether another order of the classes would explain the predictions better."""

    asks: ClassVar[str] = "Are labels and outputs in the same order?"
    how: ClassVar[str] = (
        "From 200 test images on: on one half of the predictions the order of classes is found under which most are "
        "right, and counted on the other half. There it must be right on at least half of the images (three quarters "
        "of two classes, and more than the largest class), 8 points more than the given order, and clearly so (4.5 "
        "standard errors)."
    )
    then: ClassVar[str] = (
        "A warning with both accuracies and the classes that seem exchanged; metrics that compare with labels are not "
        "judged, so that there is no PASS."
    )
    cost: ClassVar[str] = "nothing but arithmetic on the predictions"

    @override
    def of_results(self, task: Task, results: Results) -> Mapping[str, Finding]:
        found = {}
        for name, (predicted, labels, outputs) in _predictions(results).items():
            better = _better_order(predicted, labels, outputs)
            if better is not None:
                found[name] = Finding((better.warning(task.benchmark.classes),), Doubt(_LABELS, _RENUMBERED))
        return found


class AboveChance(Check):
    """Whether a model is right more often than by chance."""

    asks: ClassVar[str] = "Is the model right more often than by chance?"
    how: ClassVar[str] = "Accuracy less two standard errors is compared with one in the number of outputs."
    then: ClassVar[str] = (
        "A warning; metrics that compare with labels are not judged where the dense model is at that level on 200 "
        "images or more: whatever matches it has lost nothing."
    )
    cost: ClassVar[str] = "nothing"

    @override
    def of_results(self, task: Task, results: Results) -> Mapping[str, Finding]:
        found = {}
        for name, (predicted, labels, outputs) in _predictions(results).items():
            accuracy, n = float((predicted == labels).mean()), len(labels)
            if accuracy - 2 * math.sqrt(accuracy * (1 - accuracy) / n) <= 1 / outputs:
                seen = f"accuracy {accuracy:.1%} is at the level of chance for {outputs} classes"
                warning = f"{seen}: a collapsed network, or wrong --mean/--std or --arch, or labels in another order."
                doubt = Doubt(_LABELS, f"is no better than chance ({accuracy:.1%} of {outputs} classes are right)")
                found[name] = Finding((warning,), doubt if name in task.pairs.dense and n >= ENOUGH else None)
        return found


@dataclass(frozen=True)
class _Order:
    """An order of classes that fits better: the output (K,) of each label, and accuracies as given and under it."""

    output_of: NDArray[np.int64]
    given: float
    better: float

    def warning(self, classes: tuple[str, ...]) -> str:
        moved = np.flatnonzero(self.output_of != np.arange(len(self.output_of)))
        pairs = [
            f"label {label}{f' ({classes[label]})' if label < len(classes) else ''} is output {self.output_of[label]}"
            for label in moved[:_NAMED]
        ]
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        return (
            f"accuracy is {self.given:.1%}, but {self.better:.1%} if classes are renumbered "
            f"({', '.join(pairs)}{more}; counted on images that had no part in finding this). Are labels and outputs "
            "in the same order?"
        )


def _better_order(predicted: NDArray[np.int64], labels: NDArray[np.int64], outputs: int) -> _Order | None:
    from scipy.optimize import linear_sum_assignment

    if len(labels) < max(ENOUGH, 2 * outputs):
        return None
    shuffled = generator(0, "label order", len(labels)).permutation(len(labels))
    found, held_out = shuffled[::2], shuffled[1::2]
    counts = np.zeros((outputs, outputs))
    np.add.at(counts, (labels[found], predicted[found]), 1)
    output_of = linear_sum_assignment(counts + 0.5 * np.eye(outputs), maximize=True)[1]
    before = predicted[held_out] == labels[held_out]
    after = predicted[held_out] == output_of[labels[held_out]]
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    largest = np.bincount(labels[held_out]).max() / len(held_out)
    wanted = max(0.75 if outputs == 2 else 0.5, 1.2 * largest)
    clear = gained - lost > 4.5 * math.sqrt(gained + lost)
    if clear and after.mean() >= wanted and after.mean() - before.mean() >= 0.08:
        return _Order(output_of, float(before.mean()), float(after.mean()))
    return None


def _predictions(results: Results) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64], int]]:
    """Return predicted classes (n,), labels (n,) and the number of outputs, by model that predicted test images."""
    found = {}
    for name, measured in results.measured.items():
        sets = [key for key in measured if isinstance(key, Predictions) and key.image_set == "test"]
        if sets:
            arrays = max((measured[key] for key in sets), key=lambda each: len(each["label"]))
            found[name] = (arrays["logits"].argmax(axis=1), arrays["label"], arrays["logits"].shape[1])
    return found
