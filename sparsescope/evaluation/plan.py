"""The plan: which measurement is needed of which model, cut into shards: the steps of cache, resume and progress."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.base import Metric

__all__ = ["Plan", "Task", "make_plan"]

SHARD_COST = 4096
"""Forward passes in a shard, about: a second or two of a CIFAR network on a CPU, so little is ever lost."""


@dataclass(frozen=True)
class Task:
    """One measurement of several models.

    Args:
        measurement: what is measured.
        ids: ids (n,) of its sampling units.
        cost: forward passes of one image that a unit takes, about.
        models: indices of the models it is needed of; 0 is dense.
        shard_cost: forward passes in a shard, about.
    """

    measurement: Measurement
    ids: NDArray[np.int64]
    cost: float
    models: tuple[int, ...]
    shard_cost: float = SHARD_COST

    def shards(self) -> list[slice]:
        """Return the shards of the units; they depend on sizes and options alone. An indivisible task is one."""
        size = len(self.ids) if self.measurement.indivisible else max(1, int(self.shard_cost / self.cost))
        return [slice(start, min(start + size, len(self.ids))) for start in range(0, len(self.ids), size)]


@dataclass(frozen=True)
class Plan:
    """What to do: `stages` of tasks, each needing only results of the ones before; `reasons` for metrics left out."""

    stages: tuple[tuple[Task, ...], ...]
    reasons: dict[str, str]

    @property
    def tasks(self) -> Iterable[Task]:
        """All tasks in order."""
        return (task for stage in self.stages for task in stage)


def make_plan(metrics: Sequence[Metric], benchmark: Benchmark, seed: int, models: int) -> Plan:
    """Return the plan for `models` models, the first of them dense.

    Equal measurements are planned once, however many metrics share them.
    """
    needed: dict[Measurement, set[int]] = {}
    ids: dict[Measurement, NDArray[np.int64]] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        try:
            wanted = metric.measurements(benchmark)
            for measurement in (*wanted, *_requirements(wanted)):
                if measurement not in ids:
                    ids[measurement] = measurement.unit_ids(benchmark, seed)
        except NotEvaluated as error:
            reasons[metric.name] = str(error)
            continue
        for measurement in wanted:
            needed.setdefault(measurement, set()).update(range(models))
        for measurement in _requirements(wanted):
            needed.setdefault(measurement, set()).add(0)
    stages: dict[int, list[Task]] = {}
    for measurement, which in needed.items():
        cost = max(measurement.cost(benchmark), 1e-9)
        task = Task(measurement, ids[measurement], cost, tuple(sorted(which)), _shard_cost(benchmark))
        stages.setdefault(_depth(measurement), []).append(task)
    return Plan(tuple(tuple(stages[depth]) for depth in sorted(stages)), reasons)


def _shard_cost(benchmark: Benchmark) -> float:
    """Fewer passes of larger images: they take longer, and all corrupted images of a shard are in memory at once."""
    _, height, width = benchmark.test.shape
    return min(SHARD_COST, max(SHARD_COST / 8, SHARD_COST * 32 * 32 / (height * width)))


def _requirements(measurements: Iterable[Measurement]) -> list[Measurement]:
    found: list[Measurement] = []
    for measurement in measurements:
        for required in measurement.requires():
            found += [required, *_requirements([required])]
    return found


def _depth(measurement: Measurement) -> int:
    return 1 + max((_depth(required) for required in measurement.requires()), default=-1)
