"""Masks of bits, 64 pixels to a word, and the file that takes what does not fit in memory."""

import math
import tempfile
import weakref
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sparsescope.errors import InputError

__all__ = ["Spool", "Words", "count", "pack", "words_per_mask"]

Words = NDArray[np.uint64]

MEMORY = 1 << 28
"""Bytes that a `Spool` holds in memory before it goes on in a file."""


def words_per_mask(pixels: int) -> int:
    """Return how many words hold a mask of so many pixels."""
    return -(-pixels // 64)


def pack(masks: NDArray[np.bool_]) -> Words:
    """Return masks (n, ...) as words (n, w): pixel i, in row-major order, is bit i % 64 of word i // 64."""
    flat = masks.reshape(len(masks), math.prod(masks.shape[1:]))
    packed = np.zeros((len(masks), 8 * words_per_mask(flat.shape[1])), dtype=np.uint8)
    bits = np.packbits(flat, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return packed.view("<u8").astype(np.uint64, copy=False)


def count(words: Words) -> NDArray[np.int64]:
    """Return the number of set bits of every row (n, w) -> (n,)."""
    bits: NDArray[np.int64] = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return bits


class Spool:
    """Collects arrays along their first axis: in memory while they are small, else in an unnamed temporary file.

    The array that `finish` returns is then a view of that file, which the system pages in as it is read and removes
    when the array goes.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory, self._size, self._rows = memory, 0, 0
        self._parts: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None

    def append(self, part: NDArray[Any]) -> None:
        """Add an array (m, ...); raises InputError where the disk is full."""
        self._size += part.nbytes
        self._rows += len(part)
        self._parts.append(np.ascontiguousarray(part))
        if self._file is None and self._size > self._memory:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `finish`, or with the spool
            weakref.finalize(self, self._file.close)
        if self._file is not None:
            try:
                for pending in self._parts:
                    self._file.write(pending.data)
            except OSError as error:
                raise InputError(
                    f"Cannot write {self._size / 2**30:.1f} GiB to the temporary folder {tempfile.gettempdir()}: "
                    f"{error.strerror or error}. Make room there, or set TMPDIR to another folder."
                ) from error
            self._parts.clear()

    def finish(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return everything as one read-only array (rows, *shape)."""
        if self._file is None:
            empty = np.empty((0, *shape), dtype=dtype)
            array: NDArray[Any] = np.concatenate([empty, *self._parts])
        else:
            self._file.flush()
            array = np.asarray(np.memmap(self._file, dtype=dtype, mode="r", shape=(self._rows, *shape)))
            self._file.close()  # the map keeps it
        self._parts.clear()
        array.flags.writeable = False
        return array
