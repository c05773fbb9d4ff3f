"""What Ctrl-C leaves: each long command says what of its work is kept."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["end_on_signals", "go_on", "kept"]

_asked_to_end = False


def end_on_signals() -> None:
    """Let SIGTERM end this process as Ctrl-C does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    global _asked_to_end
    _asked_to_end = True
    raise KeyboardInterrupt


def go_on() -> None:
    """Raise KeyboardInterrupt if a signal asked for the end and work goes on: Python ignores what finalizers raise."""
    if _asked_to_end:
        raise KeyboardInterrupt


@contextlib.contextmanager
def kept(what: str) -> Iterator[None]:
    """Say what is kept where the block, or the command that this decorates, is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(what) from None
