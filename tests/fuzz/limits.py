"""Inputs tried in a process of their own, which has bounds: memory, processor time, and its own death."""

import multiprocessing
import os
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from sparsescope.errors import SparsescopeError

MEMORY = 2 * 2**30
SECONDS = 10.0
_PATIENCE = 600.0  # of the clock, where other programs have the processor

Try = Callable[[int], bool]
"""Makes and reads one input by its number; False where the input could not be told from a valid one, and was read."""


class Hang(BaseException):
    """The input took more processor time than it may."""


def run_inputs(attempt: Try, first: int, until: float, most: int) -> tuple[Counter[str], list[str]]:
    """Try inputs from number `first` on until a moment of `time.monotonic`, at most `most`.

    Returns:
        How many were read, refused, foreign, hung, over memory or fatal; and what makes each of the last four again.
    """
    counts, found = Counter[str](), list[str]()
    number = first
    while time.monotonic() < until and number < first + most:
        here, there = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=_work, args=(attempt, number, until, most, there))
        child.start()
        there.close()
        while number < first + most:
            try:
                if not here.poll(_PATIENCE):
                    break
                outcome, said = here.recv()
            except EOFError:
                break
            if outcome == "end":
                number = first + most
                break
            counts[outcome] += 1
            if outcome not in ("read", "refused"):
                found.append(f"{outcome}: input {number}: {said}")
            number += 1
        else:
            child.join(1)
        if child.is_alive():
            child.join(1)
        if child.is_alive() or child.exitcode not in (0, None):
            stuck = child.is_alive()
            child.kill()
            child.join()
            if number < first + most:
                outcome = "hang" if stuck else "fatal"
                counts[outcome] += 1
                found.append(f"{outcome}: input {number}: ended by {child.exitcode}")
                number += 1
        here.close()
    return counts, found


def _work(attempt: Try, first: int, until: float, most: int, results: Connection) -> None:
    os.setpgrp()
    signal.signal(signal.SIGPROF, _hang)
    bound = int(_status("VmSize")) * 1024 + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    for number in range(first, first + most):
        if time.monotonic() > until:
            results.send(("end", ""))
            return
        results.send(_tried(attempt, number))


def _tried(attempt: Try, number: int) -> tuple[str, str]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = int(_status("VmHWM"))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        attempt(number)
        outcome, said = "read", ""
    except SparsescopeError as error:
        outcome, said = "refused", str(error)
    except Hang:
        outcome, said = "hang", traceback.format_exc(limit=-6)
    except BaseException:
        outcome, said = "foreign", traceback.format_exc(limit=-8)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if (int(_status("VmHWM")) - before) * 1024 > MEMORY:
        return "memory", said
    return outcome, said


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang


def _status(field: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
