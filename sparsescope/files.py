"""Files that are complete or not there: no half-written one stays, no older one is lost. JSON without nan."""

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from sparsescope.errors import InputError

__all__ = ["read_json", "replacing", "write_atomically"]


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place at the end of the block, or vanishes on any error.

    Raises:
        InputError: the file cannot be written: no such folder, no permission, disk full.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a whole file; see `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file as RFC 8259 has it; Python's own reader lets NaN and Infinity pass.

    Raises:
        ValueError: the text is not JSON, or holds a number that is not finite; the text names it.
        OSError: the file cannot be read.
    """
    text = Path(path).read_text(encoding="utf-8")
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"it holds {number}, where JSON has null for what was not measured")


def _finite(number: str) -> float:
    return value if math.isfinite(value := float(number)) else _refuse(number)
