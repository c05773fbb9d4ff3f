"""Measure shards: those that are cached are read, the others measured, all of them put together per model."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.errors import SparsescopeWarning
from sparsescope.evaluation.acquaintance import Reckoning
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.cache import Cache
from sparsescope.evaluation.executor import Executor
from sparsescope.evaluation.jobs import Answer, Job, Setting
from sparsescope.evaluation.plan import Plan, Shard, Task
from sparsescope.identity import Identity
from sparsescope.measurements.base import Measurement
from sparsescope.passes import Passes
from sparsescope.results.metric import BROKE
from sparsescope.units import Arrays

__all__ = ["Measuring", "Progress", "Results", "Step", "Track"]

Progress = Callable[[float, float, str], None]
"""Called with (work done, work in all, what is being measured); work is counted in forward passes of one image through
the dense model, into which gradients and products are converted by what they cost: see `Reckoning`."""


@dataclass
class Results:
    """What a plan gave, by the models' names: arrays, or the reason why there are none, and identities; and the cost.

    `passes` are counted by model; `cost` is what they come to in forward passes of the dense model.

    The rows of all arrays are in the order of the units, whatever the order in which they were measured.
    """

    measured: dict[str, dict[Measurement, Arrays]]
    reasons: dict[str, dict[Measurement, str]]
    identities: dict[str, Identity]
    passes: dict[str, Passes] = field(default_factory=dict)
    cost: float = 0.0
    cached: int = 0


@dataclass(frozen=True, eq=False)
class Step:
    """A shard of a task that is wanted of some models."""

    task: Task
    shard: Shard
    models: tuple[str, ...]


class Track:
    """The progress of a plan, over all models."""

    def __init__(self, plan: Plan, reckoning: Reckoning, progress: Progress | None) -> None:
        self._unit, self._progress = reckoning.planned, progress
        self._total = sum(self._unit[task, model] * len(task.ids) for task in plan.tasks for model in task.models)
        self._done, self._label = 0.0, "reading the cache"

    def begin(self, job: Job) -> None:
        """Tell what is being measured now."""
        self._label = job.measurement.label
        self._tell()

    def advance(self, task: Task, units: int, models: Iterable[str]) -> None:
        """Tell that some units of a task are done for some models."""
        self._done += units * sum(self._unit[task, model] for model in models)
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self._label)


class Measuring:
    """A plan that is carried out step by step; see `carrying_out.py`.

    Args:
        plan: what to measure.
        setting: models, data, seed, batch size and device.
        cache: where finished shards are read and written.
        keys: what decides the numbers, of every task and model.
        running: what runs the jobs.
        results: where they are put.
        track: told of what is done.
    """

    def __init__(
        self,
        plan: Plan,
        setting: Setting,
        cache: Cache,
        keys: Mapping[Task, Mapping[str, Identity]],
        running: Executor,
        results: Results,
        track: Track,
    ) -> None:
        self.results = results
        self._plan, self._setting, self._cache, self._keys = plan, setting, cache, keys
        self._running, self._track = running, track
        self._parts: dict[tuple[Task, str], list[tuple[Shard, Arrays]]] = {}

    def all(self) -> Results:
        """Measure everything."""
        for tasks in self._plan.stages:
            self.take([Step(task, shard, task.models) for task in tasks for shard in task.shards()])
            self.join(tasks)
        return self.results

    def take(self, steps: Sequence[Step]) -> None:
        """Measure some shards, or read them from the cache, after all that their tasks need of the dense model."""
        tasks = list(dict.fromkeys(step.task for step in steps))
        jobs = [job for index, task in enumerate(tasks) for job in self._jobs(index, task, steps)]
        for answer in self._running.run(jobs, self._track.begin):
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
                self._track.advance(task, len(step.shard), step.models)
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
            self._track.advance(task, len(shard), [model for model in models if model not in left])
        return left

    def _is_cached(self, task: Task, shard: Shard, model: str) -> bool:
        key = self._keys[task][model]
        return not key.unread and self._cache.has(key.digest, shard)

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
        for model, passes in answer.passes.items():
            self.results.passes[model] = self.results.passes.get(model, Passes()) + passes
        self._track.advance(task, len(job.shard), job.models)


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
