"""A command in a process of its own, with all that it starts: a session, whose processes can be found and counted.

Processes are forked from this one, which has imported the package: hundreds of them begin at once. Their workers are
new processes as ever.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 300.0
ORPHANED = 10.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (minus the signal where one ended it), seconds, orphans, and what it printed."""

    code: int
    seconds: float
    orphans: tuple[str, ...]
    printed: str


def run(folder: Path, arguments: Sequence[str], number: int | None = None, after: float = 0.0) -> Ended:
    """Run `sparsescope ARGUMENTS` in a folder; send its process a signal after a while, unless it has ended.

    Args:
        folder: the working folder.
        arguments: of the command line.
        number: of the signal; None: it is left to end.
        after: seconds before the signal.
    """
    printed, started = folder / "printed.txt", time.monotonic()
    process = os.fork()
    if process == 0:
        _command(folder, arguments, printed)
    if number is not None:
        time.sleep(after)
        os.kill(process, number)  # not waited for yet: it is there, or a zombie
    code = _wait(process)
    seconds, until = time.monotonic() - started, time.monotonic() + ORPHANED
    while (orphans := _processes(process)) and time.monotonic() < until:
        time.sleep(0.05)
    for orphan in orphans:
        os.kill(orphan, signal.SIGKILL)
    return Ended(code, seconds, tuple(orphans.values()), printed.read_text(errors="replace"))


def _command(folder: Path, arguments: Sequence[str], printed: Path) -> None:
    """Become the command; never returns."""
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        for stream in (1, 2):
            os.dup2(os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", closefd=False) for stream in (1, 2))
        os.environ["SPARSESCOPE_CACHE"] = str(folder / "cache")
        sys.argv = ["sparsescope", *arguments]
        from sparsescope.cli import main

        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(process: int) -> int:
    """Return the exit code; a process that does not end is killed."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return -1000


def _processes(session: int) -> dict[int, str]:
    """Return the living processes of a session with their command lines."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            status = (place / "stat").read_text().rpartition(")")[2].split()
            if int(status[3]) == session and status[0] != "Z":
                found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    return found
