"""Carry out a plan: cached shards are read, the others measured, all of them put together per model."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.errors import SparsescopeWarning
from sparsescope.evaluation.acquaintance import Reckoning, acquainted
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.cache import Cache, measurement_key
from sparsescope.evaluation.executor import Executor
from sparsescope.evaluation.forward_only import identities_of
from sparsescope.evaluation.jobs import Answer, Job, Setting
from sparsescope.evaluation.plan import Plan, Shard, Task
from sparsescope.identity import Identity
from sparsescope.measurements.base import Measurement
from sparsescope.passes import Passes
from sparsescope.results.metric import BROKE
from sparsescope.units import Arrays

__all__ = ["Progress", "Results", "measure"]

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


def measure(plan: Plan, setting: Setting, cache: Cache, executor: Executor, progress: Progress | None) -> Results:
    """Return the results of every task for every model.

    What cannot be told apart from an older version of itself, as its code cannot be read, is not cached; a warning
    (SparsescopeWarning) names it.

    Args:
        plan: what to measure.
        setting: models, data, seed, batch size and device.
        cache: where finished shards are read and written.
        executor: what runs the jobs.
        progress: told before and after every shard.
    """
    identities = {classifier.name: classifier.identity() for classifier in setting.classifiers}
    results = Results({name: {} for name in identities}, {name: {} for name in identities}, identities)
    keys = {task: _keys(task, setting, identities, results) for task in plan.tasks}
    if cache.directory is not None:
        _warn_of_uncached([key for row in keys.values() for key in row.values()])
    if progress is not None:
        progress(0.0, 1.0, "getting to know the models")
    left = _left(plan, keys, cache)
    with acquainted(plan, setting, left, cache, identities) as reckoning, executor as running:
        results.passes |= reckoning.passes
        track = _Track(plan, reckoning, progress)
        for tasks in plan.stages:
            stage = _Stage(tasks, setting, [keys[task] for task in tasks], cache, results, track)
            for answer in running.run(stage.jobs(), track.begin):
                stage.take(answer)
            stage.finish()
        results.cost = reckoning.cost(results.passes)
    return results


def _left(plan: Plan, keys: Mapping[Task, Mapping[str, Identity]], cache: Cache) -> dict[str, list[Task]]:
    """Return the tasks of which the cache does not have every shard, for the models with any."""
    left: dict[str, list[Task]] = {}
    for task in plan.tasks:
        shards = task.shards()
        for model, key in keys[task].items():
            if key.unread or not all(cache.has(key.digest, shard) for shard in shards):
                left.setdefault(model, []).append(task)
    return left


def _keys(task: Task, setting: Setting, identities: Mapping[str, Identity], results: Results) -> dict[str, Identity]:
    """Return the identity of the task's numbers for every model; where its code raises, the reason why there are none.

    Of a measurement without keys nothing is measured: its models get the reason.
    """
    identities = identities_of(identities, task, setting.networks)
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
    """The progress of a plan, over all models."""

    def __init__(self, plan: Plan, reckoning: Reckoning, progress: Progress | None) -> None:
        self._unit, self._progress = reckoning.planned, progress
        self._total = sum(self._unit[task, model] * len(task.ids) for task in plan.tasks for model in task.models)
        self._done, self._label = 0.0, "reading the cache"

    def begin(self, job: Job) -> None:
        self._label = job.measurement.label
        self._tell()

    def advance(self, task: Task, units: int, models: Iterable[str]) -> None:
        self._done += units * sum(self._unit[task, model] for model in models)
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
        keys: Sequence[Mapping[str, Identity]],
        cache: Cache,
        results: Results,
        track: _Track,
    ) -> None:
        self._tasks, self._setting, self._keys = tasks, setting, keys
        self._cache, self._results, self._track = cache, results, track
        self._parts: dict[tuple[int, str], list[tuple[Shard, Arrays]]] = {}

    def jobs(self) -> list[Job]:
        """Return the jobs for everything that the cache does not have."""
        found = []
        for index, task in enumerate(self._tasks):
            given = self._given(task) if self._keys[index] else None
            if given is None:
                self._track.advance(task, len(task.ids), task.models)
                continue
            for shard in task.shards():
                missing = tuple(model for model in task.models if not self._take_cached(index, model, shard))
                if len(missing) < len(task.models):
                    self._track.advance(task, len(shard), [model for model in task.models if model not in missing])
                if missing:
                    rows = {name: array[shard.rows] for name, array in given.items()}
                    found.append(Job(index, shard, task.measurement, rows, missing))
        return found

    def _given(self, task: Task) -> Arrays | None:
        """Return what the task takes of the dense model's results; None where its models have a reason instead."""
        reasons = self._results.reasons
        dense: Mapping[Measurement, Arrays] = {} if task.dense is None else self._results.measured[task.dense]
        failed = {} if task.dense is None else reasons[task.dense]
        missing: dict[str, str] = {}
        with costs("all", missing, refusing=True):
            needed = [failed[needed] for needed in task.measurement.requires() if needed in failed]
            if not needed:
                return task.measurement.given(self._setting.benchmark, self._setting.seed, dense)
            missing["all"] = needed[0]
        for model in task.models:
            reasons[model].setdefault(task.measurement, missing["all"])
        return None

    def _take_cached(self, index: int, model: str, shard: Shard) -> bool:
        key = self._keys[index][model]
        arrays = None if key.unread else self._cache.load(key.digest, shard, self._tasks[index].measurement.common)
        if arrays is None:
            return False
        self._parts.setdefault((index, model), []).append((shard, arrays))
        self._results.cached += 1
        return True

    def take(self, answer: Answer) -> None:
        """Keep and cache the results of one job."""
        job = answer.job
        for model, result in answer.results.items():
            if isinstance(result, str):
                if result.startswith(BROKE) and job.measurement not in self._results.reasons[model]:
                    text = f"{job.measurement.label} of {model} cannot be measured: {result}"
                    warnings.warn(text, SparsescopeWarning, stacklevel=2)
                self._results.reasons[model].setdefault(job.measurement, result)
            else:
                self._parts.setdefault((job.task, model), []).append((job.shard, result))
                if not (key := self._keys[job.task][model]).unread:
                    self._cache.store(key.digest, job.shard, result)
        for model, passes in answer.passes.items():
            self._results.passes[model] = self._results.passes.get(model, Passes()) + passes
        self._track.advance(self._tasks[job.task], len(job.shard), job.models)

    def finish(self) -> None:
        """Put the shards of every task together, in the order of the units."""
        for (index, model), parts in self._parts.items():
            measurement, reasons = self._tasks[index].measurement, self._results.reasons[model]
            missing: dict[str, str] = {}
            if measurement not in reasons:
                with costs(model, missing):
                    self._results.measured[model][measurement] = _joined(parts)
                if missing:
                    reasons[measurement] = missing[model]
        self._parts.clear()


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
