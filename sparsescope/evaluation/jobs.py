"""Jobs: what executors run, and what comes of it."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated, NotFiniteError
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.plan import Shard
from sparsescope.measurements.base import Measurement
from sparsescope.passes import Passes
from sparsescope.prepacked import PrepackedNetwork
from sparsescope.units import Arrays

__all__ = ["Answer", "Begun", "Job", "Setting", "one_blas_thread", "perform"]


@dataclass(frozen=True)
class Setting:
    """What every job needs: the models, named uniquely, the data, and how to run.

    `networks`: by the models' names, what answers forward-only work in their place.
    """

    classifiers: Sequence[Classifier]
    benchmark: Benchmark
    seed: int
    batch_size: int
    device: str
    networks: Mapping[str, PrepackedNetwork] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Job:
    """One shard of one measurement for the models that lack it.

    Args:
        task: index of its task in the stage.
        shard: the units.
        measurement: what is measured.
        given: rows of the dense model's arrays that the measurement asks for, one for each unit of the shard.
        models: names of the models.
    """

    task: int
    shard: Shard
    measurement: Measurement
    given: Arrays
    models: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Answer:
    """A job's result: per model its arrays, or the reason why it could not be measured, and the passes it took."""

    job: Job
    results: dict[str, Arrays | str]
    passes: dict[str, Passes] = field(default_factory=dict)


Begun = Callable[[Job], None]
"""Told which job is under way; of several, the one that began first."""


def one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    """NumPy's BLAS solves only small systems here; its threads would fight with torch's for the cores (3 x slower)."""
    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def perform(job: Job, setting: Setting) -> Answer:
    """Do one job: show the same inputs to every model. The models must be prepared.

    An error that nobody expected costs the model's measurement alone; those of sparsescope end the evaluation.
    """
    results: dict[str, Arrays] = {}
    reasons: dict[str, str] = {}
    with costs("all", reasons, refusing=True):
        shown = job.measurement.prepare(setting.benchmark, job.shard.ids, setting.seed)
    if reasons:
        return Answer(job, dict.fromkeys(job.models, reasons["all"]))
    classifiers = {classifier.name: classifier for classifier in setting.classifiers}
    passes: dict[str, Passes] = {}
    for model in job.models:
        classifier = classifiers[model]
        before = replace(classifier.passes)
        network = setting.networks.get(model) if job.measurement.forward_only else None
        with costs(model, reasons, refusing=True), classifier.answering(network):
            results[model] = _measured(job, classifier, shown, setting.batch_size)
        passes[model] = classifier.passes - before
    return Answer(job, {**results, **reasons}, passes)


def _measured(job: Job, classifier: Classifier, shown: object, batch_size: int) -> Arrays:
    """Return a job's arrays of one model; raises TypeError unless each has a row for every unit, or is `common`."""
    classifier.require(*job.measurement.needs)
    try:
        arrays = job.measurement.measure(classifier, shown, job.given, batch_size)
    except NotFiniteError as error:  # on these images alone: the other models' results must not be lost for it
        raise NotEvaluated(
            f"{error} What else was measured is kept: mend the model, and run the same command again."
        ) from error
    if not isinstance(arrays, Mapping) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise TypeError(f"Expected arrays by their names from measure(), but got {arrays!r:.60}.")
    for name, array in arrays.items():
        if name not in job.measurement.common and array.shape[:1] != (len(job.shard),):
            raise TypeError(
                f"Expected {name!r} from measure() to have {len(job.shard)} rows, one for each unit, but got an array "
                f"of shape {array.shape}."
            )
    return arrays
