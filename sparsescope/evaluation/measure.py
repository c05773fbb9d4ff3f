"""Carry out a plan: cached shards are read, the others measured, all of them put together per model."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.classifier import Passes
from sparsescope.errors import SparsescopeWarning
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.cache import Cache, measurement_key
from sparsescope.evaluation.executor import Executor
from sparsescope.evaluation.jobs import Answer, Job, Setting
from sparsescope.evaluation.plan import Plan, Shard, Task
from sparsescope.identity import Identity
from sparsescope.measurements.base import Measurement
from sparsescope.results.metric import BROKE
from sparsescope.units import Arrays

__all__ = ["Measuring", "Progress", "Results", "Step", "measure"]

Progress = Callable[[float, float, str], None]
"""Called with (work done, work in all, what is being measured); work is counted in forward passes of one image."""


@dataclass
class Results:
    """What a plan gave, by the models' names: arrays, or the reason why there are none, and identities; and the cost.

    The rows of all arrays are in the order of the units, whatever the order in which they were measured.
    """

    measured: dict[str, dict[Measurement, Arrays]]
    reasons: dict[str, dict[Measurement, str]]
    identities: dict[str, Identity]
    passes: Passes = field(default_factory=Passes)
    cached: int = 0


@dataclass(frozen=True, eq=False)
class Step:
    """A shard of a task that is wanted of some models."""

    task: Task
    shard: Shard
    models: tuple[str, ...]


def measure(plan: Plan, setting: Setting, cache: Cache, executor: Executor, progress: Progress | None) -> Results:
    """Return the results of every task for every model; see `Measuring`."""
    measuring = Measuring(plan, setting, cache, progress)
    with executor as running:
        for tasks in plan.stages:
            measuring.take([Step(task, shard, task.models) for task in tasks for shard in task.shards()], running)
            measuring.join(tasks)
    return measuring.results


def _keys(task: Task, setting: Setting, identities: Mapping[str, Identity], results: Results) -> dict[str, Identity]:
    """Return the identity of the task's numbers for every model; where its code raises, the reason why there are none.

    Of a measurement without keys nothing is measured: its models get the reason.
    """
    read = () if task.dense is None else (identities[task.dense],)
    missing: dict[str, str] = {}
    with costs("all", missing, refusing=True):
        return {
            model: measurement_key(task.measurement, setting.benchmark, setting.seed, (identities[model], *read))
            for model in task.models
        }
    for model in task.models:
        results.reasons[model][task.measurement] = missing["all"]
    return {}


def _warn_of_uncached(keys: Sequence[Identity]) -> None:
    unread = dict.fromkeys(phrase for key in keys for phrase in key.unread)
    if unread:
        warnings.warn(
            f"Some results are not cached, because their code cannot be told from an edited version: "
            f"{'; '.join(unread)}. Define it in a Python file, not in a notebook or on the command line, and start "
            "Python anew after editing that file.",
            SparsescopeWarning,
            stacklevel=2,
        )


class _Track:
    """The progress of a plan, counted in forward passes over all models."""

    def __init__(self, plan: Plan, progress: Progress | None) -> None:
        self._total = sum(task.cost * len(task.ids) * len(task.models) for task in plan.tasks)
        self._done, self._progress, self._label = 0.0, progress, "reading the cache"

    def begin(self, job: Job) -> None:
        self._label = job.measurement.label
        self._tell()

    def advance(self, task: Task, units: int, models: int) -> None:
        self._done += task.cost * units * models
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self._label)


class Measuring:
    """A plan that is carried out step by step.

    What cannot be told apart from an older version of itself, as its code cannot be read, is not cached; a warning
    (SparsescopeWarning) names it.

    Args:
        plan: what to measure.
        setting: models, data, seed, batch size and device.
        cache: where finished shards are read and written.
        progress: told before and after every shard.
    """

    def __init__(self, plan: Plan, setting: Setting, cache: Cache, progress: Progress | None) -> None:
        identities = {classifier.name: classifier.identity() for classifier in setting.classifiers}
        self.results = Results({name: {} for name in identities}, {name: {} for name in identities}, identities)
        self._plan, self._setting, self._cache = plan, setting, cache
        self._keys = {task: _keys(task, setting, identities, self.results) for task in plan.tasks}
        if cache.directory is not None:
            _warn_of_uncached([key for row in self._keys.values() for key in row.values()])
        self._track = _Track(plan, progress)
        self._parts: dict[tuple[Task, str], list[tuple[Shard, Arrays]]] = {}

    def take(self, steps: Sequence[Step], running: Executor) -> None:
        """Measure some shards, or read them from the cache, after all that their tasks need of the dense model."""
        tasks = list(dict.fromkeys(step.task for step in steps))
        jobs = [job for index, task in enumerate(tasks) for job in self._jobs(index, task, steps)]
        for answer in running.run(jobs, self._track.begin):
            self._keep(tasks[answer.job.task], answer)

    def join(self, tasks: Iterable[Task]) -> None:
        """Put together what there is of some tasks, and keep nothing but that."""
        for task in tasks:
            for model in task.models:
                self._join(self.results, task, model, self._parts.pop((task, model), []))

    def beginning(self, ends: Mapping[Task, int]) -> Results:
        """Return the results of some tasks for the units before a place, of the models that have them all."""
        found = Results({name: {} for name in self.results.measured}, self.results.reasons, self.results.identities)
        for task, end in ends.items():
            for model in task.models:
                parts = [part for part in self._parts.get((task, model), []) if part[0].start < end]
                if sum(len(shard) for shard, _ in parts) == end:
                    self._join(found, task, model, parts)
        return found

    def _join(self, results: Results, task: Task, model: str, parts: Sequence[tuple[Shard, Arrays]]) -> None:
        missing: dict[str, str] = {}
        if parts and task.measurement not in results.reasons[model]:
            with costs(model, missing):
                results.measured[model][task.measurement] = _joined(parts)
            if missing:
                results.reasons[model][task.measurement] = missing[model]

    def _jobs(self, index: int, task: Task, steps: Sequence[Step]) -> Iterator[Job]:
        """Yield the jobs for everything that the cache does not have."""
        given = self._given(task) if self._keys[task] else None
        for step in steps:
            if step.task is not task:
                continue
            if given is None:
                self._track.advance(task, len(step.shard), len(step.models))
                continue
            for shard, models in self._lacking(task, step.shard, step.models):
                rows = {name: array[shard.rows] for name, array in given.items()}
                yield Job(index, shard, task.measurement, rows, models)

    def _given(self, task: Task) -> Arrays | None:
        """Return what the task takes of the dense model's results; None where its models have a reason instead."""
        reasons, wanted = self.results.reasons, task.measurement.requires()
        dense: Mapping[Measurement, Arrays] = {} if task.dense is None else self.results.measured[task.dense]
        failed = {} if task.dense is None else reasons[task.dense]
        missing: dict[str, str] = {}
        with costs("all", missing, refusing=True):
            needed = [failed[needed] for needed in wanted if needed in failed]
            if not needed:
                if task.dense is not None and not dense.keys() >= set(wanted):
                    whole = {other: len(other.ids) for other in self._plan.tasks if other.measurement in wanted}
                    dense = {**dense, **self.beginning(whole).measured[task.dense]}
                return task.measurement.given(self._setting.benchmark, self._setting.seed, dense)
            missing["all"] = needed[0]
        for model in task.models:
            reasons[model].setdefault(task.measurement, missing["all"])
        return None

    def _lacking(self, task: Task, shard: Shard, models: tuple[str, ...]) -> Iterator[tuple[Shard, tuple[str, ...]]]:
        """Yield what must be measured of a shard; where some of its pieces are cached, the others."""
        left = self._without_cached(task, shard, models)
        if left and any(self._is_cached(task, piece, model) for piece in task.pieces(shard) for model in left):
            for piece in task.pieces(shard):
                if missing := self._without_cached(task, piece, left):
                    yield piece, missing
        elif left:
            yield shard, left

    def _without_cached(self, task: Task, shard: Shard, models: tuple[str, ...]) -> tuple[str, ...]:
        left = tuple(model for model in models if not self._take_cached(task, model, shard))
        if len(left) < len(models):
            self._track.advance(task, len(shard), len(models) - len(left))
        return left

    def _is_cached(self, task: Task, shard: Shard, model: str) -> bool:
        key = self._keys[task][model]
        return not key.unread and self._cache.holds(key.digest, shard)

    def _take_cached(self, task: Task, model: str, shard: Shard) -> bool:
        key = self._keys[task][model]
        if key.unread:
            return False
        arrays = self._cache.load(key.digest, shard, task.measurement.common)
        if arrays is None and (whole := task.shard_around(shard)) is not None:
            arrays = self._cache.load_part(key.digest, whole, shard, task.measurement.common)
        if arrays is None:
            return False
        self._parts.setdefault((task, model), []).append((shard, arrays))
        self.results.cached += 1
        return True

    def _keep(self, task: Task, answer: Answer) -> None:
        """Keep and cache the results of one job."""
        job = answer.job
        for model, result in answer.results.items():
            if isinstance(result, str):
                if result.startswith(BROKE) and job.measurement not in self.results.reasons[model]:
                    text = f"{job.measurement.label} of {model} cannot be measured: {result}"
                    warnings.warn(text, SparsescopeWarning, stacklevel=2)
                self.results.reasons[model].setdefault(job.measurement, result)
            else:
                self._parts.setdefault((task, model), []).append((job.shard, result))
                if not (key := self._keys[task][model]).unread:
                    self._cache.store(key.digest, job.shard, result)
        self.results.passes.forward += answer.passes.forward
        self.results.passes.backward += answer.passes.backward
        self._track.advance(task, len(job.shard), len(job.models))


def _joined(parts: Sequence[tuple[Shard, Arrays]]) -> Arrays:
    """Return the arrays of some shards as one, each row at its unit's place; a single shard has all rows in order.

    Nobody writes to them: metrics share them.
    """
    joined: Mapping[str, NDArray[Any]] = parts[0][1]
    if len(parts) > 1:
        place = np.argsort(np.concatenate([shard.rows for shard, _ in parts]))
        joined = {name: np.concatenate([arrays[name] for _, arrays in parts])[place] for name in joined}
    for array in joined.values():
        array.flags.writeable = False
    return joined
