"""The plan: which measurement is needed of which model, cut into shards: the steps of cache, resume and progress."""

import contextlib
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation.broken import costs
from sparsescope.evaluation.order import fair_order
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.base import Metric
from sparsescope.results import Pairs
from sparsescope.sequential import SHARES

__all__ = ["Plan", "Shard", "Task", "make_plan", "sets_read"]

SHARD_COST = 4096
"""Forward passes in a shard, about: a second or two of a CIFAR network on a CPU, so little is ever lost."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Some units of a task, which lie side by side in the planned order.

    Args:
        start: place of the first of them.
        rows: their rows (m,) among the task's units, ascending, as reading goes forward through folders and files.
        ids: their ids (m,).
    """

    start: int
    rows: NDArray[np.intp]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def name(self) -> str:
        """What tells it from every other part of the same units: where it lies, and which units it holds."""
        units = hashlib.sha256(np.ascontiguousarray(self.ids, dtype="<i8").tobytes()).hexdigest()
        return f"{self.start}-{self.start + len(self)}-{units[:16]}"


@dataclass(frozen=True, eq=False)
class Task:
    """One measurement of several models.

    Args:
        measurement: what is measured.
        ids: ids (n,) of its sampling units.
        order: rows (n,) of the units in the order in which they are measured; see `fair_order`.
        cost: forward passes of one image that a unit takes, about.
        models: names of the models it is needed of.
        dense: name of the dense model whose results it reads; None where it reads none.
        shard_cost: forward passes in a shard, about.
    """

    measurement: Measurement
    ids: NDArray[np.int64]
    order: NDArray[np.intp]
    cost: float
    models: tuple[str, ...]
    dense: str | None = None
    shard_cost: float = SHARD_COST

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Places where the nested blocks end after which one may look; an indivisible task has no blocks."""
        n = len(self.ids)
        return tuple(n if self.measurement.indivisible else math.ceil(n * share) for share in SHARES)

    @property
    def _size(self) -> int:
        return max(1, len(self.ids) if self.measurement.indivisible else int(self.shard_cost / self.cost))

    def shards(self) -> list[Shard]:
        """Return the shards of the units; they depend on sizes, options and seed. An indivisible task is one."""
        return self._cut(0, len(self.ids), range(0, len(self.ids), self._size))

    def pieces(self, shard: Shard) -> list[Shard]:
        """Return a shard cut where blocks end."""
        return self._cut(shard.start, shard.start + len(shard), self.ends)

    def pieces_between(self, start: int, end: int) -> list[Shard]:
        """Return pieces of all shards from the end of one block, or 0, to that of another."""
        return self._cut(start, end, (*range(0, len(self.ids), self._size), *self.ends))

    def shard_around(self, piece: Shard) -> Shard | None:
        """Return the shard of which something is a piece; None where it is a whole one."""
        start = piece.start // self._size * self._size
        (shard,) = self._cut(start, min(start + self._size, len(self.ids)), ())
        return None if len(shard) == len(piece) else shard

    def _cut(self, start: int, end: int, places: Iterable[int]) -> list[Shard]:
        bounds = [start, *sorted({place for place in places if start < place < end}), end]
        slices = [(first, np.sort(self.order[first:last])) for first, last in pairwise(bounds)]
        return [Shard(first, rows, self.ids[rows]) for first, rows in slices if len(rows)]


@dataclass(frozen=True)
class Plan:
    """What to do: `stages` of tasks, each needing only results of the ones before; `reasons` for metrics left out."""

    stages: tuple[tuple[Task, ...], ...]
    reasons: dict[str, str]

    @property
    def tasks(self) -> Iterable[Task]:
        """All tasks in order."""
        return (task for stage in self.stages for task in stage)

    def check(self, classifier: Classifier) -> None:
        """Raise InputError for an option that does not fit a model, before hours are spent on all the rest."""
        for task in self.tasks:
            task.measurement.check(classifier)


def make_plan(metrics: Sequence[Metric], benchmark: Benchmark, seed: int, pairs: Pairs) -> Plan:
    """Return what must be measured of the models of some pairs.

    Equal measurements are planned once, however many metrics and pairs share them. One that reads the dense model's
    results is a task for each dense model. What reads none is measured once of a model that stands in several pairs,
    under its first name.
    """
    first = {model: pairs.same_as.get(model, model) for model in pairs.models}
    needed: dict[tuple[Measurement, str | None], set[str]] = {}
    outlines: dict[Measurement, _Outline] = {}
    reasons: dict[str, str] = {}
    for metric in metrics:
        with costs(metric.name, reasons, refusing=True):
            metric.check(benchmark)
            wanted = metric.measurements(benchmark)
            required = _requirements(wanted)
            for measurement in (*wanted, *required):
                if measurement not in outlines:
                    outlines[measurement] = _Outline.of(measurement, benchmark, seed)
        if metric.name in reasons:
            continue
        for model in pairs.models:
            dense = first[pairs.dense_of(model)]
            for measured, measurements in ((model, wanted), (dense, required)):
                for measurement in measurements:
                    if measurement.requires():
                        needed.setdefault((measurement, dense), set()).add(measured)
                    else:
                        needed.setdefault((measurement, None), set()).add(first[measured])
    stages: dict[int, list[Task]] = {}
    for (measurement, read), which in needed.items():
        outline = outlines[measurement]
        task = Task(
            measurement,
            outline.ids,
            outline.order,
            cost=outline.cost,
            models=tuple(model for model in pairs.models if model in which),
            dense=read,
            shard_cost=_shard_cost(benchmark.image_size),
        )
        stages.setdefault(outline.depth, []).append(task)
    return Plan(tuple(tuple(stages[depth]) for depth in sorted(stages)), reasons)


@dataclass(frozen=True, eq=False)
class _Outline:
    """What a measurement says of itself before it is made; see `Task`.

    Args:
        ids: ids (n,) of its sampling units.
        order: rows (n,) of the units in the order in which they are measured.
        cost: forward passes of one image that a unit takes, about.
        depth: how many measurements must come before this one.
    """

    ids: NDArray[np.int64]
    order: NDArray[np.intp]
    cost: float
    depth: int

    @classmethod
    def of(cls, measurement: Measurement, benchmark: Benchmark, seed: int) -> "_Outline":
        ids = measurement.unit_ids(benchmark, seed)
        cost = max(measurement.cost(benchmark), 1e-9)
        return cls(ids, _order(measurement, benchmark, ids, seed), cost, _depth(measurement))


def sets_read(metrics: Sequence[Metric], benchmark: Benchmark) -> set[str]:
    """Return which image sets metrics read: `test`, `train`, `ood`, `corrupted`, `probe`."""
    found: set[str] = set()
    for metric in metrics:
        with contextlib.suppress(Exception):  # `make_plan` says why
            wanted = metric.measurements(benchmark)
            for measurement in (*wanted, *_requirements(wanted)):
                found |= {name.partition(":")[0] for name in measurement.image_sets(benchmark)}
    return found


def _order(measurement: Measurement, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    if measurement.indivisible:
        return np.arange(len(ids))
    return fair_order(measurement.strata(benchmark, ids), seed, f"order/{measurement.population}")


def _shard_cost(size: float) -> float:
    """Fewer passes of larger images: they take longer, and all corrupted images of a shard are in memory at once."""
    return min(SHARD_COST, max(SHARD_COST / 8, SHARD_COST / size))


def _requirements(measurements: Iterable[Measurement]) -> list[Measurement]:
    found: list[Measurement] = []
    for measurement in measurements:
        for required in measurement.requires():
            found += [required, *_requirements([required])]
    return found


def _depth(measurement: Measurement) -> int:
    return 1 + max((_depth(required) for required in measurement.requires()), default=-1)
