"""Write a corrupted set in the layout of CIFAR-C, so that it can be looked at, shared and measured again."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsescope.benchmark import ImageSet
from sparsescope.corruptions.engine import VERSION, corrupt
from sparsescope.corruptions.stored import LABELS, MANIFEST, file_of, read_manifest
from sparsescope.corruptions.tables import EXTRA, SEVERITIES, STANDARD
from sparsescope.errors import InputError, OptionError
from sparsescope.files import replacing, write_atomically

__all__ = ["write_corrupted"]

FORMAT = "sparsescope.corrupted/1"
CHUNK_VALUES = 1 << 22  # pixel values held at once

Tell = Callable[[float, float, str], None]


def write_corrupted(
    images: ImageSet,
    out: str | Path,
    *,
    corruptions: Sequence[str] = STANDARD,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    progress: Tell | None = None,
) -> list[Path]:
    """Write `NAME.npy` for each corruption, `labels.npy` and `sparsescope.json`; return the paths of the first.

    The images are those that the evaluation would make of the same data with the same seed. Every file is complete or
    not there. Files of an earlier call are kept if they were made of the same data with the same seed by the same
    corruptions (`engine.VERSION`) and hold the severities asked for. Severities that nobody asked for stay black; the
    manifest does not list them, and `open_corrupted` does not offer them.

    Args:
        images: labelled images.
        out: the folder; made if it is not there.
        corruptions: names, as in `corrupt`.
        severities: from 1 to 5.
        seed: key of all random numbers.
        progress: told (images done, images in all, corruption) after every chunk.

    Raises:
        OptionError: an unknown corruption, a severity or seed out of range.
        DataError: images without labels, or too small.
        InputError: the folder holds another set, or there is not enough space.
    """
    channels, height, width = images.shape
    labels = np.tile(images.required_labels(), len(SEVERITIES))
    if not corruptions or not severities:
        raise OptionError("Expected at least one corruption and one severity to write.")
    for name in corruptions:
        for severity in severities:
            corrupt(np.zeros((0, height, width, channels), np.uint8), name, severity, seed)  # refuses what is wrong
    out = Path(out).expanduser()
    manifest = _open_manifest(out, _identity(images, seed))
    wanted = {name: _missing(out, manifest, name, severities) for name in dict.fromkeys(corruptions)}
    wanted = {name: numbers for name, numbers in wanted.items() if numbers}
    _check_space(out, len(wanted) * len(SEVERITIES) * len(images) * channels * height * width)
    with replacing(out / LABELS) as partial, partial.open("wb") as file:
        np.save(file, labels)
    tell = _counter(progress, len(images) * sum(map(len, wanted.values())))
    for name, numbers in wanted.items():
        _write_one(images, out / file_of(name), name, numbers, seed, tell)
        manifest["files"][file_of(name)] = {"severities": list(numbers)}
        _save_manifest(out, manifest)
    return [out / file_of(name) for name in dict.fromkeys(corruptions)]


def _write_one(
    images: ImageSet, path: Path, name: str, severities: Sequence[int], seed: int, tell: Callable[[int, str], None]
) -> None:
    channels, height, width = images.shape
    n = len(images)
    size = max(1, CHUNK_VALUES // (channels * height * width))
    with replacing(path) as partial:
        stored = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=(len(SEVERITIES) * n, height, width, channels)
        )
        for start in range(0, n, size):
            ids = np.arange(start, min(start + size, n))
            clean = images.read_uint8(ids)
            for severity in severities:
                stored[(severity - 1) * n + ids] = corrupt(clean, name, severity, seed, ids=ids)
                tell(len(ids), name)
        stored.flush()
        del stored  # closes the file, which some systems ask for before it is renamed


def _identity(images: ImageSet, seed: int) -> dict[str, Any]:
    """Return everything that decides the pixels; the severity table follows from the shape."""
    return {
        "format": FORMAT,
        "engine": VERSION,
        "data": images.fingerprint,
        "n": len(images),
        "shape": list(images.shape),
        "seed": int(seed),
    }


def _open_manifest(out: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Return the folder's manifest, a new one where it holds no set yet; refuse to mix or to overwrite sets."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        found = read_manifest(out)
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot write a corrupted set to {out}: {error}. Choose another folder.") from error
    if found is not None:
        other = [f"{key} {found.get(key)!r}" for key, value in identity.items() if found.get(key) != value]
        if other:
            asked = ", ".join(f"{key} {value!r}" for key, value in identity.items() if found.get(key) != value)
            raise InputError(
                f"{out} already holds another corrupted set: expected {asked}, but its {MANIFEST} says "
                f"{', '.join(other)}. Choose another folder, or delete that one."
            )
        return found
    there = [name for name in (LABELS, *map(file_of, (*STANDARD, *EXTRA))) if (out / name).exists()]
    if there:
        raise InputError(
            f"{out} already holds {', '.join(there)}, and no {MANIFEST} that says what they were made of. They are not "
            "overwritten: choose another folder."
        )
    manifest = {**identity, "files": {}}
    _save_manifest(out, manifest)
    return manifest


def _save_manifest(out: Path, manifest: dict[str, Any]) -> None:
    write_atomically(out / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


def _missing(out: Path, manifest: dict[str, Any], name: str, severities: Sequence[int]) -> tuple[int, ...]:
    """Return the severities to write: none if all are there, else also those that the file has, as it is replaced."""
    entry = manifest["files"].get(file_of(name), {"severities": []})
    there = set(entry["severities"]) if _is_whole(out / file_of(name), manifest) else set()
    return () if set(severities) <= there else tuple(sorted(there | {int(severity) for severity in severities}))


def _is_whole(path: Path, manifest: dict[str, Any]) -> bool:
    channels, height, width = manifest["shape"]
    try:
        stored = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return stored.dtype == np.uint8 and stored.shape == (len(SEVERITIES) * manifest["n"], height, width, channels)


def _check_space(out: Path, needed: int) -> None:
    """Refuse before writing: a memory-mapped file that outgrows the disk would kill the process."""
    free = shutil.disk_usage(out).free
    if needed > free:
        raise InputError(
            f"Expected {needed / 1e9:.1f} GB of free space for {out}, but there is {free / 1e9:.1f} GB. Choose another "
            "folder, or fewer corruptions."
        )


def _counter(progress: Tell | None, total: int) -> Callable[[int, str], None]:
    done = 0

    def tell(images: int, name: str) -> None:
        nonlocal done
        done += images
        if progress is not None:
            progress(done, total, name)

    return tell
