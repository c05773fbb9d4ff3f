"""Parts: the files of the cache. Each carries a digest of its place and payload; what does not fit it is no part."""

import contextlib
import hashlib
import io
import os
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparsescope.files import write_atomically
from sparsescope.units import Arrays

__all__ = ["Part", "find_leftovers", "find_parts", "remove"]

_MAGIC = b"sparsescope part 1\n"
_DIGEST = 32  # bytes of a SHA-256
_KEY = re.compile(r"[0-9a-f]{4,64}")
_STALE = 24 * 3600.0
"""Seconds after which a file that is half written belongs to no running process any more."""


@dataclass(frozen=True)
class Part:
    """One file of the cache: the arrays that a measurement gave for some units.

    Args:
        directory: the cache.
        key: what decides the numbers, in hexadecimal digits.
        units: what tells it from the other parts of its key.
    """

    directory: Path
    key: str
    units: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.directory / self.key[:2] / self.key / f"{self.units}.part"

    def write(self, arrays: Arrays) -> None:
        """Write the arrays atomically.

        Raises:
            InputError, OSError: the file cannot be written, such as on a full disk.
            ValueError: an array holds Python objects.
        """
        if any(array.dtype.hasobject for array in arrays.values()):
            raise ValueError("arrays of Python objects cannot be kept")
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
        payload = buffer.getvalue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, _MAGIC + self._digest(payload) + payload)

    def read(self) -> Arrays | None:
        """Return the arrays, or None where there is no such file; a damaged or foreign one is removed."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            remove(self.path)
            return None
        arrays = self.decoded(content)
        if arrays is None:
            remove(self.path)
        else:
            with contextlib.suppress(OSError):
                os.utime(self.path)  # so that what nobody reads any more can be told
        return arrays

    def is_sound(self) -> bool:
        """Return whether the file is as it was written."""
        try:
            return self.decoded(self.path.read_bytes()) is not None
        except OSError:
            return False

    def decoded(self, content: bytes) -> Arrays | None:
        """Return the arrays that a file of this place and content holds, or None where it is not as it was written."""
        head = len(_MAGIC) + _DIGEST
        payload = content[head:]
        if content[:head] != _MAGIC + self._digest(payload):
            return None
        try:
            with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile):  # written by a NumPy that has other types
            return None

    def _digest(self, payload: bytes) -> bytes:
        return hashlib.sha256(f"{self.key}/{self.units}\n".encode() + payload).digest()


def find_parts(directory: Path) -> Iterator[Part]:
    """Yield all parts of a cache; whatever else lies in the folder is passed over."""
    for path in sorted(_files(directory, "*.part")):
        yield Part(directory, path.parent.name, path.stem)


def find_leftovers(directory: Path) -> Iterator[Path]:
    """Yield what no command reads any more: parts of earlier versions, and files that were never finished."""
    yield from _files(directory, "*.npz")
    for path in _files(directory, "*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                yield path


def remove(path: Path) -> None:
    """Remove a file of the cache, and its folders if they are empty then; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        path.unlink()
        path.parent.rmdir()
        path.parent.parent.rmdir()


def _files(directory: Path, pattern: str) -> Iterator[Path]:
    for path in directory.glob(f"??/*/{pattern}"):
        key = path.parent.name
        if _KEY.fullmatch(key) and key[:2] == path.parent.parent.name and path.is_file() and not path.is_symlink():
            yield path
