"""Outputs that cannot be what they are taken for: probabilities as logits, logits as probabilities."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from sparsescope.errors import ArtefactError, OptionError
from sparsescope.evaluation.checks.base import Check, Doubt, Finding, Shown
from sparsescope.metrics.base import RestsOn
from sparsescope.outputs.forms import LOGITS, ROUNDING, SQUEEZED, are_probabilities, in_unit_interval, sum_to_one

__all__ = ["AreLogits"]

SOFTMAX: frozenset[RestsOn] = frozenset({"probabilities", "logits"})
SCALE: frozenset[RestsOn] = frozenset({"logits"})

_BASES = (2.0, 10.0)
"""Of logarithms that are not the natural one."""


class AreLogits(Check):
    """Whether outputs contradict the form in which they are read."""

    asks: ClassVar[str] = "Are the outputs what they are read as: logits, unless `--model-output` says otherwise?"
    how: ClassVar[str] = (
        "Rows in [0, 1] that sum to 1 are probabilities, rows whose exponentials (powers of 2, of 10) sum to 1 "
        "log-probabilities, rows in [0, 1] with other sums sigmoids, to within what half precision rounds away. Rows "
        "of one sign are compared with what sigmoids and softmaxes inside the network return, and with functions of "
        "that. Their sums, or logarithms of sums of exponentials, must vary. And the other way round, outputs that are "
        "read as probabilities must be such."
    )
    then: ClassVar[str] = (
        "Probabilities and sigmoids read as logits: a warning that names the option, and metrics that depend on the "
        "softmax are not judged, so that there is no PASS; log-probabilities have the right softmax, and only scores "
        "of the logits as such are not judged. Minus log-probabilities, and logits read as probabilities: the model is "
        "refused."
    )
    cost: ClassVar[str] = "nothing; 17 forward passes where all have one sign"

    @override
    def of_model(self, shown: Shown) -> Finding:
        reader, images = shown.classifier.reader, len(shown.images)
        values, finite = shown.values.float(), torch.from_numpy(shown.finite)
        for adaptation in reader.adaptations:
            if (problem := adaptation.problem(values.cpu()[finite])) is not None:
                raise OptionError(
                    f"{reader.name} is read as {shown.classifier.output!r} (--model-output), but {problem}. Leave that "
                    "out if it returns logits; where other models of the task need it, hand this one over from Python: "
                    "Classifier(module, output='logits')."
                )
            values = reader.adapted(values, adaptation, images)
        if not set(reader.adaptations) <= {LOGITS, SQUEEZED}:
            return Finding()

        def steps() -> tuple[str | None, bool]:
            if shown.squashed is None:
                return None, False
            found = reader.values(shown.squashed.answer, images)
            return shown.squashed.last_step(found), shown.squashed.is_function_of_softmax(found)

        suspected = _suspected(values.cpu()[finite].double(), reader.name, steps)
        if suspected is None or (suspected.reads == SCALE and not SCALE & shown.reads):
            return Finding()
        return suspected.finding(shown.classifier.output)


@dataclass(frozen=True)
class _Suspected:
    """What logits seem to be instead.

    Args:
        reads: metrics that read this are wrong then.
        seen: what was seen, after the model's name.
        form: the form that reads them rightly; None where there is none.
    """

    reads: frozenset[RestsOn]
    seen: str
    form: str | None

    def finding(self, output: str | int) -> Finding:
        entry = str(output).removesuffix("logits").rstrip(":")
        asked = f"--model-output {entry}:{self.form}" if entry else f"--model-output {self.form}"
        advice = (
            f"give {asked} if all models return that, else hand this one over from Python as "
            f"Classifier(module, output={asked.split()[-1]!r})"
            if self.form is not None
            else "return logits instead"
        )
        warning = f"{self.seen}: {advice}."
        if self.reads == SOFTMAX:
            warning += " Taken as logits, they make all metrics wrong that are not of the predicted classes alone."
        return Finding((warning,), Doubt(self.reads, self.seen))


def _suspected(rows: Tensor, name: str, steps: Callable[[], tuple[str | None, bool]]) -> _Suspected | None:
    """Return what rows (n, K) of outputs seem to be, if not logits.

    Args:
        rows: of all images that are shown.
        name: of the model.
        steps: the squashing function that the rows come from, if any; whether they are a function of probabilities.

    Raises:
        ArtefactError: minus log-probabilities.
    """
    if are_probabilities(rows):
        seen = "returns probabilities, not logits (every row lies in [0, 1] and sums to 1, as after a softmax)"
        return _Suspected(SOFTMAX, seen, "probabilities")
    if sum_to_one(rows.exp()):
        seen = "returns log-probabilities (the exponentials of every row sum to 1, as after a log-softmax)"
        return _Suspected(SCALE, seen, None)
    if any(sum_to_one(base**-rows) for base in (math.e, *_BASES)):
        raise ArtefactError(
            f"{name} returns minus the logarithms of probabilities: its largest output is the least likely class. "
            "Return logits."
        )
    base = next((base for base in _BASES if sum_to_one(base**rows)), None)
    if base is not None:
        seen = (
            f"returns log-probabilities to the base {base:g}, not logits (the powers of {base:g} of every row sum to 1)"
        )
        return _Suspected(SOFTMAX, seen, None)
    if (total := _scaled(rows)) is not None:
        return _Suspected(SOFTMAX, f"returns scaled probabilities, not logits (every row sums to {total:.4g})", None)
    unsure = float((1 - rows.softmax(1).amax(1)).median()) >= 5e-3
    if unsure and _same(rows.logsumexp(1), rows):
        return _Suspected(SOFTMAX, "returns logarithms of what always has the same sum, not logits", None)
    if bool((rows >= -ROUNDING).all()) or bool((rows <= 0).all()):
        step, of_softmax = steps()
        differ = bool((rows != rows[:1]).any())
        high = in_unit_interval(rows) and (float(rows.max()) >= 0.9 or 0.4 <= float(rows.mean()) <= 0.6)
        if step is None and of_softmax:
            return _Suspected(SOFTMAX, "returns a function of what its softmax gives, not logits", None)
        if step in ("sigmoid", "hard sigmoid") or (step is None and differ and high):
            seen = "returns sigmoids, not logits (every output lies in [0, 1])"
            return _Suspected(SOFTMAX, seen, "sigmoids")
        if step is not None:
            return _Suspected(SOFTMAX, f"returns what its {step} gives, or a part of that, not logits", None)
    return None


def _scaled(rows: Tensor) -> float | None:
    """Return what every row sums to, where it is one sum and not 0, as of logits less their mean."""
    sums = rows.sum(1)
    total, apart = float(sums.mean()), float((rows - rows[:1]).abs().max())
    return total if _same(sums, rows) and abs(total) >= 0.05 * apart else None


def _same(sums: Tensor, rows: Tensor) -> bool:
    """Return whether sums (n,) over rows (n, K) vary much less than the rows do, which is no accident."""
    apart = float((rows - rows[:1]).abs().max())
    spread = float(sums.max() - sums.min())
    return len(rows) >= 4 and spread <= 2e-3 * apart and 0 < apart >= 0.05 * float(rows.abs().max())
