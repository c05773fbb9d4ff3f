"""The executor that runs jobs in several worker processes of this machine."""

import contextlib
import multiprocessing
import multiprocessing.resource_tracker
import pickle
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import torch

from sparsescope.errors import InputError, OptionError
from sparsescope.evaluation.jobs import Answer, Begun, Job, Setting, one_blas_thread, perform
from sparsescope.identity import Fingerprint
from sparsescope.namesread import is_users_module, replaced_in
from sparsescope.sources import known_as
from sparsescope.userfiles import import_file, imported_files

__all__ = ["WorkerExecutor"]

_worker_setting: Setting | None = None
_worker_stack = contextlib.ExitStack()  # keeps the models prepared for the life of the worker


def _start_worker(files: Sequence[str], pickled: bytes, threads: int) -> None:
    global _worker_setting
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers; see `_without_interrupts`
    torch.set_num_threads(threads)
    _worker_stack.enter_context(one_blas_thread())
    for file in files:
        with contextlib.suppress(InputError):  # one that does not run any more is missed only if a model needs it
            import_file(file)
    setting: Setting = pickle.loads(pickled)
    for classifier in setting.classifiers:
        _worker_stack.enter_context(classifier.prepared(setting.device))
    _worker_setting = setting


def _perform_in_worker(job: Job, code: str) -> Answer:
    assert _worker_setting is not None
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
        OptionError: a model or data set cannot be sent to another process, or the user's code is another one there.
    """

    def __init__(self, setting: Setting, workers: int) -> None:
        self._setting, self._workers = setting, workers
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
        code = {kind: _code(self._setting, kind) for kind in {type(job.measurement) for job in jobs}}
        running: dict[Future[Answer], Job] = {}
        while waiting or running:
            while waiting and len(running) < 2 * self._workers:
                job = waiting.pop()
                with _without_interrupts():
                    running[self._pool.submit(_perform_in_worker, job, code[type(job.measurement)])] = job
            begun(next(iter(running.values())))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                yield future.result()
