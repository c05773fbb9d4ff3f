"""The executor that runs jobs in several worker processes of this machine."""

import atexit
import contextlib
import multiprocessing
import multiprocessing.resource_tracker
import os
import pickle
import signal
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

import torch

from sparsescope.errors import InputError, OptionError, SparsescopeWarning
from sparsescope.evaluation.jobs import Answer, Begun, Job, Setting, one_blas_thread, perform
from sparsescope.identity import Fingerprint
from sparsescope.namesread import is_users_module, replaced_in
from sparsescope.results.metric import BROKE
from sparsescope.sources import known_as
from sparsescope.userfiles import import_file, imported_files
from sparsescope.workerstart import start_worker

__all__ = ["WorkerExecutor"]

_worker_setting: Setting | Exception
_worker_stack = contextlib.ExitStack()  # keeps the models prepared for the life of the worker


def make_ready(files: Sequence[str], pickled: bytes, threads: int) -> None:
    """Make a worker ready; where that fails, its jobs say why."""
    global _worker_setting
    atexit.register(_worker_stack.close)  # while there still is an interpreter to do it
    torch.set_num_threads(threads)
    try:
        _worker_stack.enter_context(one_blas_thread())
        for file in files:
            with contextlib.suppress(InputError):  # one that does not run any more is missed only if a model needs it
                import_file(file)
        setting: Setting = pickle.loads(pickled)
        for classifier in setting.classifiers:
            _worker_stack.enter_context(classifier.prepared(setting.device))
    except Exception as error:
        _worker_setting = error
    else:
        _worker_setting = setting


def _perform_in_worker(job: Job, code: str) -> Answer:
    if isinstance(_worker_setting, Exception):
        raise OptionError(
            f"The models could not be opened in a worker process: {type(_worker_setting).__name__}: {_worker_setting}. "
            "Use --workers 1."
        ) from _worker_setting
    if _code(_worker_setting, type(job.measurement)) != code:
        raise OptionError(
            f"Worker processes import your files anew, and there {type(job.measurement).__name__} or a network is not "
            "what it is here: something was changed after the import, such as a constant or a method. Use --workers 1, "
            "or make the change in the file itself."
        )
    return perform(job, _worker_setting)


def _code(setting: Setting, measurement: type) -> str:
    """Return a digest of the user's code behind the models and a measurement, with the values that it reads by name."""
    networks = {type(child) for classifier in setting.classifiers for child in classifier.module.modules()}
    users = [kind for kind in {measurement, *networks} if is_users_module(kind.__module__)]
    found = Fingerprint()
    found.add(*sorted(users, key=lambda kind: (known_as(kind.__module__), kind.__qualname__)))
    found.add(*(() if measurement in users else replaced_in(measurement)))
    return found.identity.digest


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT and SIGTERM, for processes started here as well, until they are ready; see `start_worker`.

    Ctrl-C goes to all processes of a terminal: they would print tracebacks if it came while they import, and also where
    the signal ends this process while it still tells them what to do. Here it waits for the end of the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # it starts with the first process, and would unblock
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerExecutor:
    """Runs jobs in `workers` processes, each with its own copy of the models and its share of the CPU threads.

    Where the block ends by an exception, Ctrl-C included, jobs under way are not waited for. Where a process dies, as
    it does when memory runs out, the jobs under way are tried once more, alone and for one model at a time; a model on
    which the process dies again is not evaluated, and one process fewer goes on with the rest.

    Raises:
        OptionError: a model or data set cannot be sent to another process, or the user's code is another one there.
    """

    def __init__(self, setting: Setting, workers: int) -> None:
        self._setting, self._workers = setting, workers
        self._arguments: tuple[Any, ...] = ()

    def __enter__(self) -> "WorkerExecutor":
        try:
            pickled = pickle.dumps(self._setting)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise OptionError(
                f"With --workers {self._workers} the models and data are sent to other processes, but that failed: "
                f"{error}. Use --workers 1, or define the network's classes and hooks at the top level of a module."
            ) from error
        threads = max(1, torch.get_num_threads() // self._workers)
        self._arguments = (__name__, make_ready.__name__, imported_files(), pickled, threads)
        self._open(self._workers)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _open(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, context, start_worker, self._arguments)

    def run(self, jobs: Sequence[Job], begun: Begun) -> Iterator[Answer]:
        """Yield the answers as they come; only a few jobs are under way at once, so memory stays bounded."""
        self._codes = {kind: _code(self._setting, kind) for kind in {type(job.measurement) for job in jobs}}
        waiting = list(reversed(jobs))
        running: dict[Future[Answer], Job] = {}
        while waiting or running:
            try:
                while waiting and len(running) < 2 * self._workers:
                    running[self._submit(waiting[-1])] = waiting[-1]
                    waiting.pop()
                begun(next(iter(running.values())))
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    answer = future.result()
                    del running[future]
                    yield answer
            except BrokenProcessPool:
                for answer in self._once_more(running, begun):
                    yield answer
                    waiting, given_up = _without_what_fails(waiting, answer)
                    yield from given_up
                running.clear()

    def _submit(self, job: Job) -> Future[Answer]:
        with _without_interrupts():
            return self._pool.submit(_perform_in_worker, job, self._codes[type(job.measurement)])

    def _once_more(self, running: dict[Future[Answer], Job], begun: Begun) -> Iterator[Answer]:
        """Yield what came of the jobs under way when a process died: those without an answer are tried alone."""
        wait(running)  # the others fail at once
        lost = [job for future, job in running.items() if future.exception() is not None]
        how = _how_it_died(self._pool)
        self._workers = max(1, self._workers - 1)
        warnings.warn(
            f"A worker process {how}; what it was measuring is tried once more, alone. Going on with "
            f"{self._workers} of them.",
            SparsescopeWarning,
            stacklevel=2,
        )
        yield from (future.result() for future in running if future.exception() is None)
        self._reopen(1)
        for job in [replace(each, models=(model,)) for each in lost for model in each.models]:
            begun(job)
            try:
                yield self._submit(job).result()
            except BrokenProcessPool:
                how = _how_it_died(self._pool)
                self._reopen(1)
                reason = f"{BROKE}its worker process {how}, twice, the second time alone"
                yield Answer(job, dict.fromkeys(job.models, reason))
        self._reopen(self._workers)

    def _reopen(self, workers: int) -> None:
        """Take new processes, if they live at all."""
        self._pool.shutdown(wait=True)
        self._open(workers)
        try:
            with _without_interrupts():
                alive = self._pool.submit(os.getpid)
            alive.result()
        except BrokenProcessPool as error:
            raise OptionError(
                f"A worker process {_how_it_died(self._pool)} before it began. Use --workers 1."
            ) from error


def _without_what_fails(jobs: Sequence[Job], answer: Answer) -> tuple[list[Job], list[Answer]]:
    """Return the jobs without models on which the answer's measurement failed, and the same answer for those."""
    reasons = {model: result for model, result in answer.results.items() if isinstance(result, str)}
    left, given_up = [], []
    for job in jobs:
        failing = {m: reasons[m] for m in job.models if m in reasons and job.measurement == answer.job.measurement}
        if failing:
            given_up.append(Answer(replace(job, models=tuple(failing)), dict(failing)))
        if models := tuple(model for model in job.models if model not in failing):
            left.append(replace(job, models=models))
    return left, given_up


def _how_it_died(pool: ProcessPoolExecutor) -> str:
    """Return what became of the process that broke the pool, which is shut down; it terminates the others itself."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=True, cancel_futures=True)
    codes = [process.exitcode for process in processes]
    code = next((code for code in codes if code not in (None, 0, -signal.SIGTERM)), -signal.SIGTERM)
    if code == -signal.SIGKILL:
        return "was killed, as happens where memory runs out (a smaller --batch-size needs less)"
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
    return f"ended by {name}"
