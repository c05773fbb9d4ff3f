"""Executors: where jobs run. All of them run the same jobs and give the same numbers."""

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from sparsescope.evaluation.jobs import Answer, Begun, Job, Setting
from sparsescope.evaluation.local import LocalExecutor
from sparsescope.evaluation.workers import WorkerExecutor

__all__ = ["Executor", "open_executor"]


class Executor(Protocol):
    """Runs jobs inside of a `with` block; where that ends by an exception, jobs under way are given up."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None: ...

    def run(self, jobs: Sequence[Job], begun: Begun) -> Iterator[Answer]:
        """Yield an answer for every job, in any order.

        Args:
            jobs: of one stage: none needs another's answer.
            begun: told which job is under way.
        """


def open_executor(setting: Setting, workers: int) -> Executor:
    """Return what runs the jobs of an evaluation: this process, or `workers` processes where that is more than one."""
    return LocalExecutor(setting) if workers == 1 else WorkerExecutor(setting, workers)
