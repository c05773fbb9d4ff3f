"""Stored corrupted sets in the layout of CIFAR-10-C and CIFAR-100-C (Hendrycks & Dietterich 2019).

A folder holds one `NAME.npy` per corruption, uint8 (5 n, H, W, C): the n test images at severity 1, then at severity 2,
and so on; and `labels.npy`, integers (5 n,). Sets that sparsescope writes also have `sparsescope.json`.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.benchmark import CorruptedSet, ImageSet
from sparsescope.corruptions import STORED_SETS
from sparsescope.corruptions.tables import EXTRA, SEVERITIES, STANDARD
from sparsescope.errors import DataError, OptionError
from sparsescope.files import read_json

__all__ = ["LABELS", "MANIFEST", "CifarC", "file_of", "open_corrupted", "read_manifest"]

LABELS = "labels.npy"
MANIFEST = "sparsescope.json"

_PROBES = 8  # rows of each file that enter the fingerprint


def open_corrupted(spec: str, test: ImageSet) -> CorruptedSet:
    """Return the stored corrupted copies of `test`.

    Args:
        spec: a form of `STORED_SETS`; a folder alone is read as `cifar-c:DIR`.
        test: the clean test images that were corrupted.

    Raises:
        OptionError: another form.
        DataError: files that are missing, cannot be read, or do not fit the test images; the text lists them all.
    """
    if ":" not in spec:
        if Path(spec).expanduser().is_dir():
            return CifarC(spec, test, spec)
        raise OptionError(f"There is no folder {spec!r}. Expected one of: {', '.join(STORED_SETS.forms())}.")
    entry, folder = STORED_SETS.find(spec)
    stored: CorruptedSet = entry.open(folder, test, spec)
    return stored


def file_of(corruption: str) -> str:
    """Return the file name of one corruption."""
    return f"{corruption}.npy"


class CifarC(CorruptedSet):
    """A folder in the layout of CIFAR-C, read from disk as it is needed, and never resized.

    Corruptions that are not there are an error only where they are measured; a file that is there must fit.

    Args:
        folder: the folder.
        test: the clean test images, in the order of the stored ones.
        source: how messages name the set.

    Raises:
        DataError: see `open_corrupted`.
    """

    def __init__(self, folder: str | Path, test: ImageSet, source: str) -> None:
        self.source, self.shape, self.labels = source, test.shape, test.required_labels()
        self._folder = Path(folder).expanduser()
        if not self._folder.is_dir():
            raise DataError(f"{source}: expected a folder, but {self._folder} is none.")
        known = (*STANDARD, *EXTRA)
        names = [name for name in known if (self._folder / file_of(name)).is_file()]
        listed, problems = _listed_severities(self._folder)
        channels, height, width = self.shape
        problems += _label_problems(self._folder / LABELS, self.labels)
        for name in names:
            problems += _image_problems(
                self._folder / file_of(name), (len(SEVERITIES) * len(test), height, width, channels)
            )
            if listed is not None and name not in listed:
                problems.append(f"{file_of(name)} is not listed in {MANIFEST}, so it may be incomplete")
        if problems or not names:
            missing = [file_of(name) for name in STANDARD if name not in names]
            problems += [f"missing: {', '.join(missing)}"] if missing else []
            raise DataError(
                f"{source}: expected, for the {len(test)} images of {test.source}, NAME.npy of type uint8 and shape "
                f"{(len(SEVERITIES) * len(test), height, width, channels)} for each corruption (severities 1 to 5, one "
                f"after the other) and {LABELS}; but\n- " + "\n- ".join(problems) + "\nStored images are never resized."
                " `sparsescope corrupt` writes such a set."
            )
        self.cells = {name: SEVERITIES if listed is None else listed[name] for name in names}

    @override
    def read(self, corruption: str, severity: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        stored = np.load(self._folder / file_of(corruption), mmap_mode="r", allow_pickle=False)
        images: NDArray[np.uint8] = np.asarray(stored[(severity - 1) * len(self.labels) + np.asarray(indices)])
        return images

    @override
    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of names, sizes, times of change and a few images of the files, of severities and labels."""
        digest = hashlib.sha256(self.labels.tobytes())
        for name, severities in self.cells.items():
            path = self._folder / file_of(name)
            status = path.stat()
            digest.update(f"{name} {severities} {status.st_size} {status.st_mtime_ns}\n".encode())
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
            digest.update(stored[np.linspace(0, len(stored) - 1, _PROBES).astype(np.int64)].tobytes())
        return digest.hexdigest()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the content of `sparsescope.json`, or None where there is none; raises ValueError if it is not one."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise ValueError("it has no list of files")
    return content


def _listed_severities(folder: Path) -> tuple[dict[str, tuple[int, ...]] | None, list[str]]:
    """Return the severities of each corruption by the manifest, None without one; and what is wrong with it."""
    try:
        manifest = read_manifest(folder)
        if manifest is None:
            return None, []
        files = manifest["files"].items()
        found = {name.removesuffix(".npy"): tuple(entry["severities"]) for name, entry in files}
        if strange := set().union(*found.values()) - set(SEVERITIES):
            raise ValueError(f"severities are 1 to 5, but it has {strange.pop()!r:.40}")
        return found, []
    except (OSError, ValueError, TypeError, KeyError) as error:
        return None, [f"{MANIFEST} cannot be read ({error})"]


def _image_problems(path: Path, expected: tuple[int, ...]) -> list[str]:
    try:
        stored = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a damaged header is parsed as Python text, which raises nearly anything
        return [f"{path.name} cannot be read ({error})"]
    if stored.dtype != np.uint8:
        return [f"{path.name} has type {stored.dtype}"]
    if stored.shape[1:] == expected[1:] and stored.shape != expected:
        return [f"{path.name} has {len(stored)} images instead of {expected[0]}"]
    return [] if stored.shape == expected else [f"{path.name} has shape {stored.shape}"]


def _label_problems(path: Path, labels: NDArray[np.int64]) -> list[str]:
    expected = np.tile(labels, len(SEVERITIES))
    if not path.is_file():
        return [f"{path.name} is missing"]
    try:
        stored = np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except Exception as error:  # a damaged header is parsed as Python text, which raises nearly anything
        return [f"{path.name} cannot be read ({error})"]
    if stored.shape != expected.shape or not np.issubdtype(stored.dtype, np.integer):
        return [f"{path.name} has type {stored.dtype} and shape {stored.shape} instead of integers {expected.shape}"]
    wrong = np.flatnonzero(stored != expected)
    if not len(wrong):
        return []
    return [
        f"{path.name} is not the test set's labels five times over: {len(wrong)} of {len(expected)} differ, first "
        f"number {wrong[0]}, which is {stored[wrong[0]]} instead of {expected[wrong[0]]}; the images must be those of "
        "the test set in the same order"
    ]
