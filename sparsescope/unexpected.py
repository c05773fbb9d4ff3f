"""Errors that nobody expected, in one line; their tracebacks are for those who ask for them."""

import os
import sys
import traceback
from pathlib import Path

from sparsescope.printable import printable

__all__ = ["DEBUG", "in_one_line"]

DEBUG = "SPARSESCOPE_DEBUG"
"""Environment variable that shows tracebacks, set by `--debug`; worker processes inherit it."""


def in_one_line(error: BaseException) -> str:
    """Return kind, text and place of an error; prints its traceback to stderr where that is asked for."""
    if os.environ.get(DEBUG):
        sys.stderr.write(printable("".join(traceback.format_exception(error))))
    cause = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")
    frames = traceback.extract_tb(error.__traceback__)
    return f"{cause} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else cause
