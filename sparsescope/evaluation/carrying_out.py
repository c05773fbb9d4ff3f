"""Carry out a plan: what decides its numbers, what is left to do, and everything that must be open meanwhile."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence

from sparsescope.errors import SparsescopeWarning
from sparsescope.evaluation.acquaintance import acquainted
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.cache import Cache, measurement_key
from sparsescope.evaluation.executor import Executor
from sparsescope.evaluation.forward_only import identities_of
from sparsescope.evaluation.jobs import Setting
from sparsescope.evaluation.measure import Measuring, Progress, Results, Track
from sparsescope.evaluation.plan import Plan, Shard, Task
from sparsescope.identity import Identity

__all__ = ["carrying_out"]


@contextlib.contextmanager
def carrying_out(
    plan: Plan, setting: Setting, cache: Cache, executor: Executor, progress: Progress | None
) -> Iterator[Measuring]:
    """Give what carries out a plan, inside of the block.

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
        yield Measuring(plan, setting, cache, keys, running, results, Track(plan, reckoning, progress))
        results.cost = reckoning.cost(results.passes)


def _left(plan: Plan, keys: Mapping[Task, Mapping[str, Identity]], cache: Cache) -> dict[str, list[Task]]:
    """Return the tasks of which the cache does not have every shard, whole or in pieces, for the models with any."""

    def has(key: str, task: Task, shard: Shard) -> bool:
        return cache.has(key, shard) or all(cache.has(key, piece) for piece in task.pieces(shard))

    left: dict[str, list[Task]] = {}
    for task in plan.tasks:
        shards = task.shards()
        for model, key in keys[task].items():
            if key.unread or not all(has(key.digest, task, shard) for shard in shards):
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
