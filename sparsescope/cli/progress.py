"""Progress of long work on stderr: a bar with time left on a terminal, a line now and then elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from sparsescope.cli.interruption import go_on
from sparsescope.printable import printable

__all__ = ["duration", "progress_bar"]

LINE_EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


@contextlib.contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[float, float, str], None]]:
    """Yield a callback (done, total, label), which raises KeyboardInterrupt where a signal asked for the end."""
    with contextlib.nullcontext(_nothing) if quiet else _bar() if sys.stderr.isatty() else _lines() as shown:

        def tell(done: float, total: float, label: str) -> None:
            go_on()
            shown(done, total, label)

        yield tell


def _nothing(done: float, total: float, label: str) -> None:
    """Show no progress."""


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[float, float, str], None]]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
    from rich.table import Column

    from sparsescope.cli.console import SafeConsole

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(ratio=3, no_wrap=True, overflow="ellipsis")),
        BarColumn(None, table_column=Column(ratio=1)),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", table_column=Column(width=len("100 min left"), no_wrap=True)),
    )
    console = SafeConsole(stderr=True)
    with Progress(*columns, console=console, transient=True, expand=True, speed_estimate_period=120) as bar:
        task = bar.add_task("getting ready", total=None, left="")

        def tell(done: float, total: float, label: str) -> None:
            seconds = bar.tasks[0].time_remaining
            left = "" if seconds is None else f"{duration(seconds)} left"
            bar.update(task, completed=done, total=total, description=escape(label), left=left)

        yield tell


@contextlib.contextmanager
def _lines() -> Iterator[Callable[[float, float, str], None]]:
    started = last = time.monotonic()

    def tell(done: float, total: float, label: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_EVERY or done <= 0:
            return
        last = now
        left = (now - started) * (total - done) / done
        sys.stderr.write(f"{done / total:4.0%}  {printable(label)}, about {duration(left)} left\n")
        sys.stderr.flush()

    yield tell


def duration(seconds: float) -> str:
    """Return seconds in words, such as `40 s`, `12 min`, `3.4 h`, `15 days` or `31 years`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    days = seconds / 86400
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.0f} years"
