"""What is looked at on every model before its numbers are believed: one file for each kind, and one line in `CHECKS`.

To add a check: write a `Check` with what it asks, how, what happens and what it costs, and add it to the list. The page
docs/explanation/checks.md has a row for each, in the same words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, raise_together
from sparsescope.evaluation.checks.alike import AreDifferent
from sparsescope.evaluation.checks.answers import AnswersVary, RepeatsItself
from sparsescope.evaluation.checks.base import Check, Doubt, Finding, Shown, images_to_show
from sparsescope.evaluation.checks.batch import AnswersAlone
from sparsescope.evaluation.checks.classes import AsManyClasses, SameOutputs
from sparsescope.evaluation.checks.gradients import TrueGradients
from sparsescope.evaluation.checks.images import TakesImages
from sparsescope.evaluation.checks.labels import AboveChance, SameOrder
from sparsescope.evaluation.checks.outputs import AreLogits
from sparsescope.evaluation.checks.prepared import PreparedAlike
from sparsescope.evaluation.checks.weights import NoNan, WeightsCount, ZerosCount
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.task import Task
from sparsescope.metrics.base import Metric, RestsOn
from sparsescope.units import FloatArray

__all__ = ["CHECKS", "Check", "Noticed", "check_models", "check_results", "check_task", "doubted", "images_to_show"]

CHECKS: tuple[Check, ...] = (
    NoNan(),
    TakesImages(),
    AreLogits(),
    AnswersVary(),
    RepeatsItself(),
    AnswersAlone(),
    ZerosCount(),
    WeightsCount(),
    TrueGradients(),
    SameOutputs(),
    PreparedAlike(),
    AsManyClasses(),
    SameOrder(),
    AboveChance(),
    AreDifferent(),
)
"""All checks, in the order in which a model meets them."""


@dataclass
class Noticed:
    """What was found on one model, beside its warnings.

    Args:
        logits: those (n, K) of the images that it was shown.
        constant: whether it gives every image the same answer.
        doubts: why some of its metrics are not judged.
    """

    logits: FloatArray
    constant: bool = False
    doubts: list[Doubt] = field(default_factory=list)

    def doubted(self, metrics: Iterable[Metric]) -> dict[str, str]:
        """Return the metrics that are not judged, with the reason."""
        found = {
            metric.name: [doubt.reason for doubt in self.doubts if metric.rests_on & doubt.reads] for metric in metrics
        }
        return {name: "; ".join(reasons) for name, reasons in found.items() if reasons}


def check_models(
    classifiers: Sequence[Classifier], images: Tensor, device: str | None, reads: Iterable[RestsOn]
) -> dict[str, Noticed]:
    """Show every model some images, and add what is found to its warnings.

    Args:
        classifiers: the models; left as they were.
        images: a grey image, then others (n, C, H, W); see `images_to_show`.
        device: where they compute; None: where they are.
        reads: what will be read of them, as `Metric.rests_on` says.

    Returns:
        by model, what was found.

    Raises:
        InputError: models that cannot be used, all of them at once.
    """
    noticed: dict[str, Noticed] = {}
    refused = []
    for classifier in classifiers:
        try:
            with classifier.prepared(device):
                shown = Shown(classifier, images, frozenset(reads))
                try:
                    findings = [check.of_model(shown) for check in CHECKS]
                    noticed[classifier.name] = Noticed(shown.logits)
                finally:
                    shown.before.restore()
        except InputError as error:
            refused.append(error)
            continue
        for finding in findings:
            _note(classifier, finding, noticed[classifier.name])
    raise_together(refused, len(classifiers), "models")
    return noticed


def check_task(task: Task, device: str, metrics: Sequence[Metric]) -> dict[str, Noticed]:
    """Check the models of a task, and whether models and data fit; see `check_models`."""
    reads = {part for metric in metrics for part in metric.rests_on}
    noticed = check_models(task.classifiers, images_to_show(task.benchmark.test), device, reads)
    logits = {name: found.logits for name, found in noticed.items()}
    for check in CHECKS:
        _note_all(task, check.of_task(task, logits), noticed)
    return noticed


def check_results(task: Task, results: Results, noticed: Mapping[str, Noticed]) -> None:
    """Add to the models' warnings, and to what was noticed, what all measurements together show."""
    for check in CHECKS:
        _note_all(task, check.of_results(task, results), noticed)


def doubted(
    task: Task, results: Results, noticed: Mapping[str, Noticed], metrics: Sequence[Metric]
) -> dict[str, set[str]]:
    """Return by model the metrics that are not judged, by what was noticed and what results show; nothing is noted."""
    found = {name: Noticed(each.logits, each.constant, [*each.doubts]) for name, each in noticed.items()}
    for check in CHECKS:
        for name, finding in check.of_results(task, results).items():
            found[name].doubts += [] if finding.doubt is None else [finding.doubt]
    return {name: set(each.doubted(metrics)) for name, each in found.items()}


def _note_all(task: Task, findings: Mapping[str, Finding], noticed: Mapping[str, Noticed]) -> None:
    for classifier in task.classifiers:
        if classifier.name in findings:
            _note(classifier, findings[classifier.name], noticed[classifier.name])


def _note(classifier: Classifier, finding: Finding, noticed: Noticed) -> None:
    classifier.warnings += finding.warnings
    noticed.constant |= finding.constant
    if finding.doubt is not None:
        noticed.doubts.append(finding.doubt)
