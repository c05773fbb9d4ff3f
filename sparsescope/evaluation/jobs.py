"""Jobs: what executors run, and what comes of it."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier, Passes
from sparsescope.errors import NotEvaluated, NotFiniteError, SparsescopeError
from sparsescope.evaluation.plan import Shard
from sparsescope.measurements.base import Measurement
from sparsescope.results.metric import BROKE
from sparsescope.unexpected import in_one_line
from sparsescope.units import Arrays

__all__ = ["Answer", "Begun", "Job", "Setting", "broke", "one_blas_thread", "perform"]


@dataclass(frozen=True)
class Setting:
    """What every job needs: the models, named uniquely, the data, and how to run."""

    classifiers: Sequence[Classifier]
    benchmark: Benchmark
    seed: int
    batch_size: int
    device: str


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
    """A job's result: per model its arrays, or the reason why it could not be measured; and the passes it took."""

    job: Job
    results: dict[str, Arrays | str]
    passes: Passes


Begun = Callable[[Job], None]
"""Told which job is under way; of several, the one that began first."""


def one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    """NumPy's BLAS solves only small systems here; its threads would fight with torch's for the cores (3 x slower)."""
    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def broke(error: Exception) -> str:
    """Return the reason why nothing was measured where an error arose that nobody expected, and its place."""
    return f"{BROKE}{in_one_line(error)}"


def perform(job: Job, setting: Setting) -> Answer:
    """Do one job: show the same inputs to every model. The models must be prepared.

    An error that nobody expected costs the model's measurement alone; those of sparsescope end the evaluation.
    """
    shown = job.measurement.prepare(setting.benchmark, job.shard.ids, setting.seed)
    classifiers = {classifier.name: classifier for classifier in setting.classifiers}
    results: dict[str, Arrays | str] = {}
    total = Passes()
    for model in job.models:
        classifier = classifiers[model]
        before = (classifier.passes.forward, classifier.passes.backward)
        try:
            results[model] = job.measurement.measure(classifier, shown, job.given, setting.batch_size)
        except NotEvaluated as error:
            results[model] = str(error)
        except NotFiniteError as error:  # on these images alone: the other models' results must not be lost for it
            results[model] = f"{error} What else was measured is kept: mend the model, and run the same command again."
        except SparsescopeError:
            raise
        except Exception as error:
            results[model] = broke(error)
        total.forward += classifier.passes.forward - before[0]
        total.backward += classifier.passes.backward - before[1]
    return Answer(job, results, total)
