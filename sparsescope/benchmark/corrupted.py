"""CorruptedSet: corrupted copies of a benchmark's test images that were stored before, instead of made on the fly."""

import abc
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sparsescope.errors import DataError

__all__ = ["CorruptedSet"]


class CorruptedSet(abc.ABC):
    """The test images, in their order, under some corruptions at some severities.

    Attributes:
        source: where it came from, as the user would write it.
        shape: (C, H, W) of every image.
        labels: int64 (n,), those of the test images.
        cells: corruption -> the severities that are there.
    """

    source: str
    shape: tuple[int, int, int]
    labels: NDArray[np.int64]
    cells: Mapping[str, tuple[int, ...]]

    @abc.abstractmethod
    def read(self, corruption: str, severity: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return test images `indices` under one corruption, uint8 (len(indices), H, W, C), in the order asked."""

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of what decides what `read` returns, and of the labels."""

    def require(self, corruptions: Sequence[str], severities: Sequence[int]) -> None:
        """Raise DataError, listing every corruption × severity asked for that is not there."""
        lacking = []
        for name in corruptions:
            there = self.cells.get(name, ())
            missing = [severity for severity in severities if severity not in there]
            if missing:
                lacking.append(f"{name} at severity {', '.join(map(str, missing))}" if there else name)
        if lacking:
            raise DataError(
                f"{self.source} lacks {len(lacking)} of the {len(corruptions)} corruptions to measure: "
                f"{'; '.join(lacking)}. Complete the set, or name those it has by "
                "--set corruption_error.corruptions and corruption_error.severities."
            )
