"""Numbers of outputs and classes that differ."""

from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from sparsescope.errors import ArtefactError, DataError
from sparsescope.evaluation.checks.base import Check, Finding, Shown
from sparsescope.evaluation.task import Task
from sparsescope.units import FloatArray

__all__ = ["AsManyClasses", "SameOutputs"]

SURPRISING = 1e-3
_NAMED = 5


class SameOutputs(Check):
    """Whether all models have the same number of outputs."""

    asks: ClassVar[str] = "Have all models the same number of outputs?"
    how: ClassVar[str] = "They are counted."
    then: ClassVar[str] = "The task is refused."
    cost: ClassVar[str] = "nothing"

    @override
    def of_task(self, task: Task, logits: Mapping[str, FloatArray]) -> Mapping[str, Finding]:
        outputs = {name: each.shape[1] for name, each in logits.items()}
        if len(set(outputs.values())) > 1:
            raise DataError(
                "Expected all models to have the same number of outputs, but got "
                + ", ".join(f"{name}: {width}" for name, width in outputs.items())
                + ". Compare models of one task."
            )
        return {}


class AsManyClasses(Check):
    """Whether the data has as many classes as the models have outputs."""

    asks: ClassVar[str] = "Has the data as many classes as the models have outputs?"
    how: ClassVar[str] = (
        "The class names of the data are counted (folders, `classes` of an archive); without names, the largest "
        "label is looked at: that it is so small must have a chance below 1 in 1,000. Not where the data says which "
        "outputs it is about."
    )
    then: ClassVar[str] = (
        "A label without an output: the data is refused. Another number: a warning, since one missing class shifts the "
        "label of every later one."
    )
    cost: ClassVar[str] = "nothing"

    @override
    def of_model(self, shown: Shown) -> Finding:
        """Outputs that were put in order by name must be as many as the names."""
        classifier, names = shown.classifier, shown.classifier.classes
        width = classifier.reader.logits(shown.values, len(shown.images)).shape[1]
        if classifier.outputs is not None and len(names) == len(classifier.outputs) != width:
            raise ArtefactError(f"{classifier.name} names {len(names)} classes, but has {width} outputs.")
        return Finding()

    @override
    def of_task(self, task: Task, logits: Mapping[str, FloatArray]) -> Mapping[str, Finding]:
        width = logits[task.dense.name].shape[1]
        benchmark = task.benchmark
        benchmark.check_labels(width)
        labels = benchmark.test.required_labels()
        if benchmark.outputs is not None:
            return {}
        source, named = benchmark.test.source, benchmark.classes
        if named and len(named) != width:
            more = ", …" if len(named) > _NAMED else ""
            warning = (
                f"has {width} outputs, but {source} has {len(named)} classes ({', '.join(named[:_NAMED])}{more}). "
                "Labels are the places of these names, so that one missing class shifts the label of every later "
                "one: give all classes in the order of the outputs (an empty sub-folder keeps the label of a class "
                "without images)."
            )
            return {task.dense.name: Finding((warning,))}
        seen = int(labels.max()) + 1
        if not named and (seen / width) ** len(labels) < SURPRISING:
            warning = (
                f"has {width} outputs, but the labels of {source} only reach from 0 to {seen - 1}. Are the classes "
                "numbered as the outputs are?"
            )
            return {task.dense.name: Finding((warning,))}
        return {}
