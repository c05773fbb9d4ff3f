"""Models that are one and the same."""

from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from sparsescope.classifier import Classifier
from sparsescope.evaluation.checks.base import Check, Finding
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.task import Task

__all__ = ["AreDifferent"]


class AreDifferent(Check):
    """Whether a model is the same as one before it, by its file or by all that decides its answers."""

    asks: ClassVar[str] = "Are the models different ones?"
    how: ClassVar[str] = "Files are compared, and what decides the answers: weights, masks and code."
    then: ClassVar[str] = "A warning that names the two."
    cost: ClassVar[str] = "nothing; the result cache needs the same"

    @override
    def of_results(self, task: Task, results: Results) -> Mapping[str, Finding]:
        found = {}
        for place, classifier in enumerate(task.classifiers):
            own = results.identities[classifier.name]
            for earlier in task.classifiers[:place]:
                if task.method is not None and _given_twice(classifier, earlier):
                    break  # it stands in several pairs
                same_file = classifier.origin.sha256 is not None and classifier.origin.sha256 == earlier.origin.sha256
                if same_file or (own == results.identities[earlier.name] and not own.unread):
                    what = "is the same file as" if same_file else "has the same weights, mask and code as"
                    found[classifier.name] = Finding((f"{what} {earlier.name}. Was another model meant?",))
                    break
        return found


def _given_twice(one: Classifier, other: Classifier) -> bool:
    """Return whether two models were handed over as the same file, or the same object."""
    return one.module is other.module or (one.origin.path is not None and one.origin.path == other.origin.path)
