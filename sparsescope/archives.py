"""Zip archives that are looked at before anything is unpacked: torch's own files, and NumPy's.

What an archive says of itself is compared with what is there: a small file cannot fill the memory, a damaged one is
not read as something else, and nothing is ever unpickled here.
"""

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ObjectArrayError", "check_archive", "is_archive", "most_bytes", "read_arrays"]

_ALWAYS = 512 * 2**20
_FACTOR = 20
_CHUNK = 2**20
_MOST_MEMBERS = 100_000
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class ObjectArrayError(ValueError):
    """An array of Python objects, which is never unpickled."""


def is_archive(path: Path) -> bool:
    """Return whether a file begins as a zip archive does."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def most_bytes(path: Path) -> int:
    """Return how much a file may unpack to: 512 MiB, or 20 times its own size where that is more."""
    return max(_ALWAYS, _FACTOR * path.stat().st_size)


def check_archive(path: Path, *, checksums: bool = False) -> list[str]:
    """Return the names of an archive's members, after a look at all of them.

    Args:
        path: the archive.
        checksums: whether to read every member and compare it with its checksum.

    Raises:
        ValueError: it is damaged, encrypted, lies about its sizes, or unpacks to far more than it is; the text says so.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, path)
            for member in members if checksums else ():
                with archive.open(member) as content:
                    while content.read(_CHUNK):
                        pass
            return [member.filename for member in members]
    except MemoryError as error:
        raise ValueError("its list of members does not fit into memory") from error
    except ValueError:
        raise
    except Exception as error:  # zipfile raises what it likes
        raise ValueError(str(error) or type(error).__name__) from error


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that `numpy.savez` or `numpy.savez_compressed` wrote.

    Args:
        path: the archive.
        names: which to read, as far as they are there; default: all.

    Raises:
        ObjectArrayError: one holds Python objects.
        ValueError: the archive or an array is damaged; see `check_archive`.
    """
    check_archive(path)
    found: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename or (names is not None and name not in names):
                continue
            try:
                with archive.open(member) as content:
                    found[name] = _array(content, member.file_size)
            except ObjectArrayError:
                raise
            except MemoryError as error:
                raise ValueError(f"{member.filename} does not fit into memory") from error
            except Exception as error:  # zipfile, zlib and NumPy raise what they like
                raise ValueError(f"{member.filename}: {error}") from error
    return found


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(members):,} members")
    names = set[str]()
    for member in members:
        if member.filename in names:
            raise ValueError(f"two of its members are called {member.filename}")
        names.add(member.filename)
        if member.flag_bits & _ENCRYPTED:
            raise ValueError(f"its member {member.filename} is encrypted")
        if member.compress_type not in _METHODS:
            raise ValueError(f"its member {member.filename} is compressed by a method that neither NumPy nor torch use")
        if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
            raise ValueError(f"the sizes of its member {member.filename} contradict each other")
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if sum(member.compress_size for member in members) > size:
        raise ValueError("its members are larger than the file")
    if unpacked > most_bytes(path):
        raise ValueError(
            f"it unpacks to {unpacked / 2**20:,.0f} MiB from {size / 2**20:,.1f}; if that is meant, write it without "
            "compression"
        )


def _array(content: IO[bytes], size: int) -> NDArray[Any]:
    """Return one array; its header must announce exactly the bytes that are there."""
    version = np.lib.format.read_magic(content)
    if version not in _HEADERS:
        raise ValueError("its array has fields of its own, where plain numbers were expected")
    shape, fortran, dtype = _HEADERS[version](content)
    if dtype.hasobject:
        raise ObjectArrayError("an array of Python objects")
    announced, there = math.prod(shape) * dtype.itemsize, size - content.tell()
    if announced != there or min(shape, default=0) < 0:
        raise ValueError(f"its header announces {announced:,} bytes, shape {shape}, but {there:,} are there")
    buffer = bytearray(there)
    content.readinto(buffer)  # type: ignore[attr-defined]  # zipfile's members are buffered
    return np.ndarray(shape, dtype, buffer, order="F" if fortran else "C")
