"""Kills commands; see the package."""

import argparse
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.kills.processes import Ended, run

if TYPE_CHECKING:  # the workers of a command import this file: they would import all of the package with it
    from tests.kills.commands import Command

SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM}


def main() -> int:
    """Kill every command so many times, print what came of it; exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("--kills", type=int, default=50, help="in time, of each command, signal and number of workers")
    parser.add_argument("--command", choices=["evaluate", "sweep", "prune"], help="this one alone")
    parser.add_argument("--signal", choices=list(SIGNALS), help="this one alone")
    parser.add_argument("--workers", type=int, help="this number alone")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    chosen = parser.parse_args()
    from tests.kills.commands import COMMANDS

    print(
        f"{'command':<10}{'workers':>8}{'signal':>8}{'killed':>8}{'too late':>9}{'orphans':>9}{'half':>6}{'other':>7}"
    )
    failed = False
    for name, command in COMMANDS.items():
        for workers in command.workers:
            if (chosen.command or name) == name and (chosen.workers or workers) == workers:
                failed |= _kill(name, command, workers, chosen)
    return int(failed)


def _kill(name: str, command: "Command", workers: int, chosen: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command.prepare(folder)
        whole = run(folder, command.arguments(workers))
        assert whole.code == 0, whole.printed
        expected = command.numbers(folder)
    failed = False
    for title in [chosen.signal] if chosen.signal else SIGNALS:
        counts = dict.fromkeys(("killed", "too late", "orphans", "half", "other"), 0)
        moments = random.Random(f"{name} {workers} {title} {chosen.seed}")
        while counts["killed"] < chosen.kills:  # a signal that comes too late tells nothing
            after = moments.uniform(0, whole.seconds)
            for kind, text in kill_once(command, workers, SIGNALS[title], after, expected):
                counts[kind] += 1
                if text:
                    print(f"  {kind} after {after:.2f} s: {text}", file=sys.stderr, flush=True)
        failed |= any(counts[kind] for kind in ("orphans", "half", "other"))
        row = "".join(f"{count:>{width}}" for count, width in zip(counts.values(), (8, 9, 9, 6, 7), strict=True))
        print(f"{name:<10}{workers:>8}{title:>8}{row}", flush=True)
    return failed


def kill_once(
    command: "Command", workers: int, number: signal.Signals, after: float, expected: Any
) -> Iterator[tuple[str, str]]:
    """Yield what came of one kill and of the same command again: kinds of `counts`, with a text where it is wrong."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command.prepare(folder)
        ended = run(folder, command.arguments(workers), number, after)
        yield ("too late", "") if ended.code == 0 else ("killed", "")
        if ended.orphans:
            yield "orphans", str(ended.orphans)
        yield from _wrong_end(ended, number)
        try:
            command.check(folder)
            left = [path.name for path in folder.rglob("*.partial")]
            assert number == signal.SIGKILL or not left, f"unfinished files are left: {left}"
            kept = command.kept(folder)
        except Exception as error:
            yield "half", repr(error)
            return
        again = run(folder, command.arguments(workers))
        if again.code != 0:
            yield "other", f"exit code {again.code}: {again.printed[-2000:]}"
        elif again.orphans:
            yield "orphans", str(again.orphans)
        elif command.numbers(folder) != expected:
            yield "other", "the numbers differ"
        elif not command.resumed(folder, kept):
            yield "other", f"{kept} parts were there and not all were used"


def _wrong_end(ended: Ended, number: signal.Signals) -> Iterator[tuple[str, str]]:
    """A command that gets SIGTERM ends as by Ctrl-C, without a traceback; before it has begun, by the signal.

    After SIGKILL a worker that was just being started may print one: what it is sent has no end.
    """
    right = (0, -signal.SIGKILL) if number == signal.SIGKILL else (0, 130, -signal.SIGTERM)
    if ended.code not in right or (number != signal.SIGKILL and "Traceback" in ended.printed):
        yield "other", f"ended with {ended.code}: {ended.printed[-2000:]}"


if __name__ == "__main__":
    sys.exit(main())
