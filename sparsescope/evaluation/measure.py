"""Carry out a plan: cached shards are read, the others measured, all of them put together per model."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Passes
from sparsescope.evaluation.cache import Cache, measurement_key
from sparsescope.evaluation.executor import Answer, Job, LocalExecutor, Setting, WorkerExecutor
from sparsescope.evaluation.plan import Plan, Task
from sparsescope.measurements.base import Measurement
from sparsescope.units import Arrays

__all__ = ["Progress", "Results", "measure"]

Progress = Callable[[float, float, str], None]
"""Called with (work done, work in all, what is being measured); work is counted in forward passes of one image."""


@dataclass
class Results:
    """What a plan gave: per model its arrays, or the reason why there are none, and its fingerprint; and the cost."""

    measured: list[dict[Measurement, Arrays]]
    reasons: list[dict[Measurement, str]]
    fingerprints: list[str]
    passes: Passes = field(default_factory=Passes)
    cached: int = 0


def measure(plan: Plan, setting: Setting, cache: Cache, workers: int, progress: Progress | None) -> Results:
    """Return the results of every task for every model.

    Args:
        plan: what to measure.
        setting: models, data, seed, batch size and device.
        cache: where finished shards are read and written.
        workers: number of worker processes; 1 runs everything in this process.
        progress: told before and after every shard.
    """
    models = range(len(setting.classifiers))
    fingerprints = [classifier.fingerprint() for classifier in setting.classifiers]
    results = Results([{} for _ in models], [{} for _ in models], fingerprints)
    executor: AbstractContextManager[LocalExecutor | WorkerExecutor]
    executor = LocalExecutor(setting) if workers == 1 else WorkerExecutor(setting, workers)
    with executor as running:
        track = _Track(plan, progress)
        for tasks in plan.stages:
            stage = _Stage(tasks, setting, fingerprints, cache, results, track)
            for answer in running.run(stage.jobs(), track.begin):
                stage.take(answer)
            stage.finish()
    return results


class _Track:
    """The progress of a plan, counted in forward passes over all models."""

    def __init__(self, plan: Plan, progress: Progress | None) -> None:
        self._total = sum(task.cost * len(task.ids) * len(task.models) for task in plan.tasks)
        self._done, self._progress, self._label = 0.0, progress, "reading the cache"

    def begin(self, job: Job) -> None:
        self._label = job.measurement.label
        self._tell()

    def advance(self, task: Task, shard: slice, models: int) -> None:
        self._done += task.cost * (shard.stop - shard.start) * models
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self._label)


class _Stage:
    """The tasks of one stage: which shards are cached, which are jobs, and the parts that have come so far."""

    def __init__(
        self,
        tasks: Sequence[Task],
        setting: Setting,
        fingerprints: Sequence[str],
        cache: Cache,
        results: Results,
        track: _Track,
    ) -> None:
        self._tasks, self._setting, self._cache, self._results, self._track = tasks, setting, cache, results, track
        self._keys = [self._task_keys(task, setting.benchmark, setting.seed, fingerprints) for task in tasks]
        self._parts: dict[tuple[int, int], dict[int, Arrays]] = {}

    @staticmethod
    def _task_keys(task: Task, benchmark: Benchmark, seed: int, fingerprints: Sequence[str]) -> dict[int, str]:
        parent = (fingerprints[0],) if task.measurement.requires() else ()
        return {
            model: measurement_key(task.measurement, benchmark, seed, (fingerprints[model], *parent))
            for model in task.models
        }

    def jobs(self) -> list[Job]:
        """Return the jobs for everything that the cache does not have."""
        found = []
        for index, task in enumerate(self._tasks):
            if self._lacks_dense(task):
                continue
            measured = self._results.measured[0]
            given = task.measurement.given(self._setting.benchmark, self._setting.seed, measured)
            for shard in task.shards():
                missing = tuple(model for model in task.models if not self._take_cached(index, model, shard))
                if len(missing) < len(task.models):
                    self._track.advance(task, shard, len(task.models) - len(missing))
                if missing:
                    rows = {name: array[shard] for name, array in given.items()}
                    found.append(Job(index, shard, task.measurement, task.ids[shard], rows, missing))
        return found

    def _lacks_dense(self, task: Task) -> bool:
        """Return whether what the task needs of the dense model could not be measured; it then shares the reason."""
        reasons = self._results.reasons
        missing = [reasons[0][needed] for needed in task.measurement.requires() if needed in reasons[0]]
        for model in task.models if missing else ():
            reasons[model].setdefault(task.measurement, missing[0])
        if missing:
            self._track.advance(task, slice(0, len(task.ids)), len(task.models))
        return bool(missing)

    def _take_cached(self, index: int, model: int, shard: slice) -> bool:
        arrays = self._cache.load(self._keys[index][model], shard, self._tasks[index].measurement.common)
        if arrays is None:
            return False
        self._parts.setdefault((index, model), {})[shard.start] = arrays
        self._results.cached += 1
        return True

    def take(self, answer: Answer) -> None:
        """Keep and cache the results of one job."""
        job = answer.job
        for model, result in answer.results.items():
            if isinstance(result, str):
                self._results.reasons[model].setdefault(job.measurement, result)
            else:
                self._parts.setdefault((job.task, model), {})[job.shard.start] = result
                self._cache.store(self._keys[job.task][model], job.shard, result)
        self._results.passes.forward += answer.passes.forward
        self._results.passes.backward += answer.passes.backward
        self._track.advance(self._tasks[job.task], job.shard, len(job.models))

    def finish(self) -> None:
        """Put the shards of every task together, in the order of the units."""
        for (index, model), parts in self._parts.items():
            measurement = self._tasks[index].measurement
            if measurement in self._results.reasons[model]:
                continue
            ordered = [parts[start] for start in sorted(parts)]
            self._results.measured[model][measurement] = (
                ordered[0]
                if len(ordered) == 1
                else {name: np.concatenate([part[name] for part in ordered]) for name in ordered[0]}
            )
        self._parts.clear()
