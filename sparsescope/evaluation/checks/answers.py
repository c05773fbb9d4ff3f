"""Answers that are always the same, or never."""

from typing import ClassVar

import numpy as np
from typing_extensions import override

from sparsescope.evaluation.checks.base import Check, Finding, Shown
from sparsescope.units import FloatArray

__all__ = ["AnswersVary", "RepeatsItself", "is_constant"]

_NAMED = 3


class AnswersVary(Check):
    """Whether different images get different answers."""

    asks: ClassVar[str] = "Do different images get different answers?"
    how: ClassVar[str] = "The logits of all images shown are compared, without what all logits of an image share."
    then: ClassVar[str] = "A warning, and a candidate fails, whatever its metrics say."
    cost: ClassVar[str] = "nothing"

    @override
    def of_model(self, shown: Shown) -> Finding:
        if not (shown.finite.all() and is_constant(shown.logits)):
            return Finding()
        warning = (
            "gives every image the same answer. Explanations and curvature of such a network look perfect, and say "
            "nothing."
        )
        return Finding((warning,), constant=True)


def is_constant(logits: FloatArray) -> bool:
    """Return whether all rows of logits (n, K) are one answer, to within what float32 rounds away of them.

    Softmax does not see what the logits of a row share.
    """
    own = logits - logits.mean(axis=1, keepdims=True)
    return bool((np.ptp(own, axis=0) <= 1e-6 * np.abs(logits).max()).all())


class RepeatsItself(Check):
    """Whether the same batch gets the same answers, and leaves the network as it was."""

    asks: ClassVar[str] = "Does the same batch get the same answers, and is the network the same after it?"
    how: ClassVar[str] = "The batch is shown twice; all parameters and buffers are compared with copies made before."
    then: ClassVar[str] = (
        "A warning that names the tensors, or that speaks of random numbers. Buffers, and parameters of such a "
        "network, are put back after every command."
    )
    cost: ClassVar[str] = "17 forward passes, and memory for a second copy of one model's weights meanwhile"

    @override
    def of_model(self, shown: Shown) -> Finding:
        repeats, module = shown.repeats, shown.classifier.module
        if changed := shown.before.changed():
            shown.classifier.changes_itself = not set(changed).isdisjoint(name for name, _ in module.named_parameters())
            more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
            warning = (
                f"its forward pass changes its own weights or buffers ({', '.join(changed[:_NAMED])}{more}), which "
                "are put back afterwards."
            )
            if not repeats:
                warning += (
                    " Its answers depend on what it was shown before: its numbers cannot be reproduced at another "
                    "batch size."
                )
            return Finding((warning,))
        if repeats:
            return Finding()
        warning = (
            "answers the same image differently each time: random numbers in its forward pass, such as dropout that "
            "eval mode does not switch off, or a state that it keeps. Its numbers cannot be reproduced."
        )
        return Finding((warning,))
