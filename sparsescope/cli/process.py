"""The process around a command: signals that end it, and an output that cannot be written any more."""

import errno
import io
import sys
from collections.abc import Callable
from typing import NoReturn

from typing_extensions import Buffer, override

from sparsescope.cli.ending import BROKEN
from sparsescope.cli.interruption import end_on_signals

__all__ = ["run_as_process"]


class _Output(io.FileIO):
    """Standard output that never ends a command: what cannot be written is lost, and the first error is kept."""

    error: OSError | None = None

    @override
    def write(self, data: Buffer, /) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def run_as_process(command: Callable[[], object]) -> NoReturn:
    """Run a command that raises SystemExit, and exit with its code.

    SIGTERM ends it as Ctrl-C does. A reader that has closed standard output, such as `head`, changes nothing; where it
    cannot be written for another reason, such as a full disk, the code is not 0.
    """
    end_on_signals()
    code: str | int | None = 0
    output = _tolerant_stdout()
    try:
        command()
    except SystemExit as end:
        code = end.code
    if output is not None:
        sys.stdout.flush()
        if output.error is not None and output.error.errno != errno.EPIPE:
            sys.stderr.write(f"Error: standard output cannot be written: {output.error.strerror}.\n")
            code = code or BROKEN
    sys.exit(code)


def _tolerant_stdout() -> _Output | None:
    """Put an `_Output` in the place of standard output; None where there is none, or it is not a file."""
    try:
        number = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    output = _Output(number, "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(output), encoding=sys.stdout.encoding, errors="replace", line_buffering=output.isatty()
    )
    return output
