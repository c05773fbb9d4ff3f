"""From a file to plain content: tensors, numbers, strings and containers of them. No code of the file's is ever run."""

import argparse
import contextlib
import io
import mmap
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparsescope.archives import check_archive, is_archive, most_bytes, read_arrays
from sparsescope.checkpoints.distributed import METADATA, read_distributed
from sparsescope.checkpoints.folders import INDEX, parts_of, weight_file
from sparsescope.checkpoints.pickles import check_tuples
from sparsescope.errors import ArtefactError

__all__ = ["Content", "read"]

_SAVE_WEIGHTS = "Save the weights alone: torch.save(model.state_dict(), 'weights.pt')."
_PICKLE_START = b"\x80"
_BYTE_ARRAY = b"bytearray\n"
_PICKLES = 5  # at the start of a file of torch before 1.6, one after the other
_DEEPEST = 100
_MOST_PARTS = 5_000_000
_MOST_TENSORS = 100_000
_NUMPY_SCALAR: Any = np.float64(0).__reduce__()[0]


def _plain_dict(factory: object = None) -> dict[Any, Any]:
    """Return what takes the place of a defaultdict, which torch does not fill: a dictionary without a default."""
    return {}


# Plain data that training scripts often store beside the weights. Building them runs no code of the file's.
_PLAIN_CLASSES: list[Any] = [
    argparse.Namespace,
    dict,
    (_plain_dict, "collections.defaultdict"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),  # its name in numpy 1
    (_NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
]


@dataclass(frozen=True)
class Content:
    """What a file holds, or a folder.

    Args:
        format: `"torch"`, `"safetensors"`, `"npz"` or `"torch distributed checkpoint"`.
        value: the object in the file; for safetensors and npz a dictionary of tensors.
        metadata: safetensors' own metadata; empty otherwise.
        files: all that was read.
    """

    format: str
    value: object
    metadata: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def read(path: Path) -> Content:
    """Read a file by its content, whatever its name ends in; of a folder, the weights in it.

    Raises:
        ArtefactError: there is no such file, it is empty, truncated, holds Python objects, or is no checkpoint at all,
            or a folder holds several; the text says which and what to do.
    """
    if path.is_dir():
        if (path / METADATA).is_file():
            value, files = read_distributed(path)
            return Content("torch distributed checkpoint", value, files=files)
        path = weight_file(path)
    if path.is_file() and path.name.endswith(INDEX):
        return _read_parts(path)
    return replace(_read_file(path), files=(path,))


def _read_parts(index: Path) -> Content:
    """Read the tensors that an index names from the files that it names for them."""
    contents: list[Content] = []
    tensors: dict[str, Any] = {}
    for file, names in parts_of(index).items():
        content = _read_file(file)
        found = content.value if isinstance(content.value, dict) else {}
        missing = [name for name in names if name not in found]
        if missing:
            raise ArtefactError(f"{file} lacks {missing[0]}, which {index.name} says is there. Copy the folder again.")
        tensors |= {name: found[name] for name in names}
        contents.append(content)
    return Content(contents[0].format, tensors, contents[0].metadata, (index, *parts_of(index)))


def _read_file(path: Path) -> Content:
    if not path.is_file():
        raise ArtefactError(f"There is no file {path}.")
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise ArtefactError(f"{path} is empty (0 bytes). Was it saved completely?")
    if _is_safetensors(start):
        return _read_safetensors(path)
    members = _members(path)
    if members and all(name.endswith(".npy") for name in members):
        return _read_npz(path)
    return _read_torch(path, start)


def _is_safetensors(start: bytes) -> bool:
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] <= 100_000_000


def _members(path: Path) -> list[str]:
    """Return the names of a zip archive's members, all of them checked; none of another file."""
    if not is_archive(path):
        return []
    try:
        return check_archive(path, checksums=True)
    except ValueError as error:
        raise ArtefactError(
            f"{path} is a damaged or truncated torch or npz file ({error}). Save or copy it again."
        ) from error


def _read_safetensors(path: Path) -> Content:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys()
            if len(names) > _MOST_TENSORS:
                raise ValueError(f"{len(names):,} tensors")
            return Content("safetensors", {name: file.get_tensor(name) for name in names}, file.metadata() or {})
    except Exception as error:  # of a type that torch does not have, KeyError; else SafetensorError
        raise ArtefactError(f"{path} is a damaged or truncated safetensors file ({error}). Copy it again.") from error


def _read_npz(path: Path) -> Content:
    try:
        arrays = read_arrays(path)
        tensors = {
            name: torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
            for name, array in arrays.items()
        }
    except (ValueError, TypeError, OSError) as error:
        raise ArtefactError(
            f"{path} could not be read as an npz file of numeric arrays ({error}). Expected np.savez(path, **arrays), "
            "one array per parameter name."
        ) from error
    return Content("npz", tensors)


def _read_torch(path: Path, start: bytes) -> Content:
    try:
        # torch warns of pickle protocols and of sparse tensors being new: nothing that the user could act on. Wrong
        # indices of sparse tensors would be read beyond their memory.
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals(_PLAIN_CLASSES),
            torch.sparse.check_sparse_tensor_invariants(),  # type: ignore[no-untyped-call]
        ):
            warnings.simplefilter("ignore")
            _check_pickles(path)
            value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises nearly anything on foreign bytes, KeyError included
        raise ArtefactError(_torch_failure(path, start, error)) from error
    _check_extent(value, path)
    return Content("torch", value)


def _check_pickles(path: Path) -> None:
    """Raise UnpicklingError for byte arrays, which torch makes of any length, and RecursionError for nested tuples."""
    with contextlib.ExitStack() as stack:
        pickles: list[Any]
        if is_archive(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            pickles = [io.BytesIO(archive.read(name)) for name in archive.namelist() if name.endswith(".pkl")]
            found = any(_BYTE_ARRAY in content.getvalue() for content in pickles)
        else:
            file = stack.enter_context(path.open("rb"))
            pickles = [stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))]
            found = pickles[0].find(_BYTE_ARRAY) >= 0
        if found:
            raise pickle.UnpicklingError("GLOBAL builtins.bytearray")
        for content in pickles:
            with contextlib.suppress(ValueError, IndexError):  # torch says what is wrong with it
                for _ in range(_PICKLES):
                    check_tuples(content)


def _check_extent(value: object, path: Path) -> None:
    """Raise ArtefactError for contents that are far larger than their file: shared or repeated parts, many times."""
    level, parts, size = {id(value): (value, 1)}, 0, 0  # each object once, with how often it comes
    for _ in range(_DEEPEST):
        below: dict[int, tuple[object, int]] = {}
        for each, times in level.values():
            size += times * each.numel() * each.element_size() if isinstance(each, torch.Tensor) else 0
            for part in _parts(each):
                below[id(part)] = part, below.get(id(part), (part, 0))[1] + times
        level, parts = below, parts + sum(times for _, times in below.values())
        if parts > _MOST_PARTS or size > most_bytes(path):
            break
        if not level:
            return
    raise ArtefactError(
        f"{path} holds more than a file of its size can: its content is repeated or nested beyond measure. "
        f"{_SAVE_WEIGHTS}"
    )


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, argparse.Namespace):
        return vars(value).values()
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple | set | frozenset) else ()


def _torch_failure(path: Path, start: bytes, error: Exception) -> str:
    if not start.startswith((_PICKLE_START, b"PK")):
        return (
            f"{path} is no checkpoint: expected a file of torch.save, safetensors or np.savez, but it begins with "
            f"{start!r}."
        )
    if isinstance(error, MemoryError):
        return f"{path} does not fit into memory."
    if isinstance(error, RecursionError):
        return f"{path} holds tuples or lists that are nested beyond measure, and was not loaded. {_SAVE_WEIGHTS}"
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"Python objects ({found.group(1)})" if found else "more than plain tensors"
        return (
            f"{path} holds {what}, and was not loaded: unpickling them could run any code. {_SAVE_WEIGHTS} If it is a "
            "whole network, and you trust whoever made it, give --trust-pickle."
        )
    cause = str(error).partition("\n")[0].partition(". ")[0]
    return f"{path} is a damaged or truncated torch file ({cause or type(error).__name__}). Save or copy it again."
