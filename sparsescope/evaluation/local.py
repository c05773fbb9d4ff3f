"""The executor that runs jobs in this process."""

import contextlib
from collections.abc import Iterator, Sequence

from sparsescope.evaluation.jobs import Answer, Begun, Job, Setting, one_blas_thread, perform

__all__ = ["LocalExecutor"]


class LocalExecutor:
    """Runs jobs one after the other in this process; leaves the models as they were."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "LocalExecutor":
        self._stack.enter_context(one_blas_thread())
        try:
            for classifier in self._setting.classifiers:
                self._stack.enter_context(classifier.prepared(self._setting.device))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self, jobs: Sequence[Job], begun: Begun) -> Iterator[Answer]:
        """Yield the answers in the order of the jobs."""
        for job in jobs:
            begun(job)
            yield perform(job, self._setting)
