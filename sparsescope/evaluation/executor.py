"""Executors: where jobs run. In this process, or in several worker processes: the same jobs, the same numbers."""

import contextlib
import multiprocessing
import multiprocessing.resource_tracker
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier, Passes
from sparsescope.errors import InputError, NotEvaluated, NotFiniteError, OptionError
from sparsescope.measurements.base import Measurement
from sparsescope.units import Arrays
from sparsescope.userfiles import import_file, imported_files

__all__ = ["Answer", "Job", "LocalExecutor", "Setting", "WorkerExecutor"]


@dataclass(frozen=True)
class Setting:
    """What every job needs: the models (dense first), the data, and how to run."""

    classifiers: Sequence[Classifier]
    benchmark: Benchmark
    seed: int
    batch_size: int
    device: str


@dataclass(frozen=True)
class Job:
    """One shard of one measurement for the models that lack it.

    Args:
        task: index of its task in the stage.
        shard: rows of the task's units.
        measurement: what is measured.
        ids: unit ids of the shard.
        given: rows of the dense model's arrays that the measurement asks for.
        models: indices of the models.
    """

    task: int
    shard: slice
    measurement: Measurement
    ids: NDArray[np.int64]
    given: Arrays
    models: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """A job's result: per model its arrays, or the reason why it could not be measured; and the passes it took."""

    job: Job
    results: dict[int, Arrays | str]
    passes: Passes


Begun = Callable[[Job], None]
"""Told which job is under way; of several, the one that began first."""


def _one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    """NumPy's BLAS solves only small systems here; its threads would fight with torch's for the cores (3 x slower)."""
    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def perform(job: Job, setting: Setting) -> Answer:
    """Do one job: show the same inputs to every model. The models must be prepared."""
    shown = job.measurement.prepare(setting.benchmark, job.ids, setting.seed)
    results: dict[int, Arrays | str] = {}
    total = Passes()
    for model in job.models:
        classifier = setting.classifiers[model]
        before = (classifier.passes.forward, classifier.passes.backward)
        try:
            results[model] = job.measurement.measure(classifier, shown, job.given, setting.batch_size)
        except NotEvaluated as error:
            results[model] = str(error)
        except NotFiniteError as error:  # on these images alone: the other models' results must not be lost for it
            results[model] = f"{error} What else was measured is kept: mend the model, and run the same command again."
        total.forward += classifier.passes.forward - before[0]
        total.backward += classifier.passes.backward - before[1]
    return Answer(job, results, total)


class LocalExecutor:
    """Runs jobs one after the other in this process; a context manager that leaves the models as they were."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "LocalExecutor":
        self._stack.enter_context(_one_blas_thread())
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


_worker_setting: Setting | None = None
_worker_stack = contextlib.ExitStack()  # keeps the models prepared for the life of the worker


def _start_worker(files: Sequence[str], pickled: bytes, threads: int) -> None:
    global _worker_setting
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers; see `_without_interrupts`
    torch.set_num_threads(threads)
    _worker_stack.enter_context(_one_blas_thread())
    for file in files:
        with contextlib.suppress(InputError):  # one that does not run any more is missed only if a model needs it
            import_file(file)
    setting: Setting = pickle.loads(pickled)
    for classifier in setting.classifiers:
        _worker_stack.enter_context(classifier.prepared(setting.device))
    _worker_setting = setting


def _perform_in_worker(job: Job) -> Answer:
    assert _worker_setting is not None
    return perform(job, _worker_setting)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT, for processes started here as well: they would print tracebacks if it came while they import.

    Ctrl-C goes to all processes of a terminal; here it waits for the end of the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # it starts with the first process, and would unblock
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerExecutor:
    """Runs jobs in `workers` processes, each with its own copy of the models and its share of the CPU threads.

    Where the block ends by an exception, Ctrl-C included, jobs under way are not waited for.

    Raises:
        OptionError: a model or data set cannot be sent to another process.
    """

    def __init__(self, setting: Setting, workers: int) -> None:
        self._workers = workers
        try:
            pickled = pickle.dumps(setting)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise OptionError(
                f"With --workers {workers} the models and data are sent to other processes, but that failed: {error}. "
                "Use --workers 1, or define the network's classes and hooks at the top level of a module."
            ) from error
        threads = max(1, torch.get_num_threads() // workers)
        self._arguments: tuple[Any, ...] = (imported_files(), pickled, threads)

    def __enter__(self) -> "WorkerExecutor":
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._workers, context, _start_worker, self._arguments)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[Job], begun: Begun) -> Iterator[Answer]:
        """Yield the answers as they come; only a few jobs are under way at once, so memory stays bounded."""
        waiting = list(reversed(jobs))
        running: dict[Future[Answer], Job] = {}
        while waiting or running:
            while waiting and len(running) < 2 * self._workers:
                job = waiting.pop()
                with _without_interrupts():
                    running[self._pool.submit(_perform_in_worker, job)] = job
            begun(next(iter(running.values())))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                yield future.result()
