"""The first thing that a worker process does. Importing this module imports nothing heavy."""

import multiprocessing
import os
import signal
import threading
from importlib import import_module

__all__ = ["start_worker"]


def start_worker(module: str, function: str, *arguments: object) -> None:
    """Tie this process to its parent, then make it ready: what that imports takes seconds.

    Args:
        module: where the function is.
        function: makes the process ready.
        arguments: of the function.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers on Ctrl-C
    if hasattr(signal, "pthread_sigmask"):  # blocked until here
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    getattr(import_module(module), function)(*arguments)


def _end_with_parent() -> None:
    """End this process with the parent, which cannot end its workers when it is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
