"""Writing files so that they are complete or not there: no half-written file stays, no older one is lost."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sparsescope.errors import InputError

__all__ = ["replacing", "write_atomically"]


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
