"""Measured shards on disk, keyed by the content that decides them: reruns resume, the dense model is measured once."""

import os
import warnings
from collections.abc import Sequence, Set
from dataclasses import fields
from pathlib import Path

import numpy as np

import sparsescope
from sparsescope.benchmark import Benchmark
from sparsescope.errors import InputError, SparsescopeWarning
from sparsescope.evaluation.parts import Part, remove
from sparsescope.evaluation.plan import Shard
from sparsescope.identity import Fingerprint, Identity
from sparsescope.measurements.base import Measurement
from sparsescope.namesread import replaced_in
from sparsescope.units import Arrays
from sparsescope.userfiles import file_digests

__all__ = ["Cache", "default_directory", "measurement_key"]


def default_directory() -> Path:
    """Return the cache folder: $SPARSESCOPE_CACHE, else the user's cache folder of the platform."""
    if folder := os.environ.get("SPARSESCOPE_CACHE"):
        return Path(folder)
    from platformdirs import user_cache_path

    return user_cache_path("sparsescope")


def measurement_key(measurement: Measurement, benchmark: Benchmark, seed: int, models: Sequence[Identity]) -> Identity:
    """Return the identity of a measurement's numbers: of everything that decides them.

    Of sparsescope's own measurements that is their kind and version, and what was put in the place of their methods; of
    others also the whole file that defines the
    class, the user's modules which that imports, and the files imported by path.

    Args:
        measurement: kind, version and options.
        benchmark: the image sets it reads count, by their content.
        seed: key of the random numbers.
        models: of the measured model, and of the dense one where its results are read.
    """
    kind, found = type(measurement), Fingerprint()
    found.add(sparsescope.__version__, kind.__module__, kind.__qualname__, measurement.version, seed)
    # Dataclass hooks of later Python versions do not matter here: names and values of the options are what counts.
    found.add({item.name: getattr(measurement, item.name) for item in fields(measurement)})  # type: ignore[arg-type]
    found.add({name: benchmark.fingerprint_of(name) for name in measurement.image_sets(benchmark)})
    found.add([model.digest for model in models])
    if kind.__module__.partition(".")[0] != "sparsescope":
        found.add(kind, file_digests())
    else:
        found.add(*replaced_in(kind))
    unread = [f"{kind.__name__}: {phrase}" for phrase in found.identity.unread]
    return Identity(found.identity.digest, (*unread, *(phrase for model in models for phrase in model.unread)))


class Cache:
    """A folder of measured shards; a missing, foreign, damaged or unreadable file is a miss, never an error.

    Args:
        directory: where the files are; None: nothing is read or written.
    """

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory

    def load(self, key: str, shard: Shard, common: Set[str] = frozenset()) -> Arrays | None:
        """Return the arrays of a shard, of which those named in `common` are not per unit, or None."""
        if self.directory is None:
            return None
        part = Part(self.directory, key, shard.name)
        arrays = part.read()
        if arrays is None:
            return None
        per_unit = [array for name, array in arrays.items() if name not in common]
        if per_unit and all(array.shape[:1] == (len(shard),) for array in per_unit):
            return arrays
        remove(part.path)
        return None

    def load_part(self, key: str, shard: Shard, piece: Shard, common: Set[str] = frozenset()) -> Arrays | None:
        """Return the arrays of some of a shard's units from the file of the whole shard, or None."""
        arrays = self.load(key, shard, common) if self.has(key, shard) else None
        if arrays is None:
            return None
        rows = np.searchsorted(shard.rows, piece.rows)
        return {name: array if name in common else array[rows] for name, array in arrays.items()}

    def has(self, key: str, shard: Shard) -> bool:
        """Return whether there is a file for a shard, sound or not."""
        return self.directory is not None and Part(self.directory, key, shard.name).path.exists()

    def store(self, key: str, shard: Shard, arrays: Arrays) -> None:
        """Write the arrays of a shard atomically; where that fails (a full disk), warn once and go on without."""
        if self.directory is None:
            return
        try:
            Part(self.directory, key, shard.name).write(arrays)
        except (OSError, InputError, ValueError) as error:
            warnings.warn(
                f"Results cannot be cached ({error}); going on without a cache.", SparsescopeWarning, stacklevel=2
            )
            self.directory = None
