"""Outputs that cannot be what they are taken for: probabilities as logits, logits as probabilities."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from sparsescope.errors import ArtefactError, OptionError
from sparsescope.evaluation.checks.base import Check, Doubt, Finding, Shown
from sparsescope.metrics.base import Reads
from sparsescope.outputs.forms import LOGITS, SQUEEZED, in_unit_interval, sum_to_one

__all__ = ["AreLogits"]

SOFTMAX: frozenset[Reads] = frozenset({"probabilities", "logits"})
SCALE: frozenset[Reads] = frozenset({"logits"})


class AreLogits(Check):
    """Whether outputs contradict the form in which they are read."""

    asks: ClassVar[str] = "Are the outputs what they are read as: logits, unless `--model-output` says otherwise?"
    how: ClassVar[str] = (
        "Rows in [0, 1] that sum to 1 are probabilities, rows whose exponentials sum to 1 log-probabilities, rows in "
        "[0, 1] with other sums sigmoids (to within what half precision rounds away); and the other way round, outputs "
        "that are read as probabilities must be such."
    )
    then: ClassVar[str] = (
        "Probabilities and sigmoids read as logits: a warning that names the option, and metrics that depend on the "
        "softmax are not judged, so that there is no PASS; log-probabilities have the right softmax, and only scores "
        "of the logits as such are not judged. Minus log-probabilities, and logits read as probabilities: the model is "
        "refused."
    )
    cost: ClassVar[str] = "nothing"

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
        suspected = _suspected(values.cpu()[finite].double(), reader.name)
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

    reads: frozenset[Reads]
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


def _suspected(rows: Tensor, name: str) -> _Suspected | None:
    """Return what rows (n, K) of outputs seem to be, if not logits; ArtefactError for minus log-probabilities."""
    if in_unit_interval(rows) and sum_to_one(rows):
        seen = "returns probabilities, not logits (every row lies in [0, 1] and sums to 1, as after a softmax)"
        return _Suspected(SOFTMAX, seen, "probabilities")
    if sum_to_one(rows.exp()):
        seen = "returns log-probabilities (the exponentials of every row sum to 1, as after a log-softmax)"
        return _Suspected(SCALE, seen, None)
    if sum_to_one((-rows).exp()):
        raise ArtefactError(
            f"{name} returns minus the logarithms of probabilities: its largest output is the least likely class. "
            "Return logits."
        )
    if bool((rows >= 0).all()) and sum_to_one(rows / 100):
        return _Suspected(SOFTMAX, "returns percentages, not logits (every row sums to 100)", None)
    differ = bool((rows != rows[:1]).any())
    if differ and in_unit_interval(rows) and (float(rows.max()) >= 0.9 or 0.4 <= float(rows.mean()) <= 0.6):
        seen = "returns sigmoids, not logits (every output lies in [0, 1])"
        return _Suspected(SOFTMAX, seen, "sigmoids")
    return None
