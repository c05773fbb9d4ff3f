"""Folders of torch.distributed.checkpoint (DCP): `.metadata` says which file has which piece of which tensor."""

import io
import math
import pickle
import re
import warnings
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from typing_extensions import override

from sparsescope.archives import most_bytes
from sparsescope.checkpoints.pickles import check_tuples
from sparsescope.errors import ArtefactError

__all__ = ["METADATA", "read_distributed"]

METADATA = ".metadata"
_BYTE_ARRAY = b"bytearray\n"
_DESCRIPTIONS = {
    "Metadata",
    "MetadataIndex",
    "StorageMeta",
    "BytesStorageMetadata",
    "ChunkStorageMetadata",
    "TensorStorageMetadata",
    "_MEM_FORMAT_ENCODING",
}
_DTYPE = re.compile(r"(b?float|complex|u?int)\d+(_\w+)?|bool")


def read_distributed(folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Return the tensors of a distributed checkpoint, nested as they were saved, and its files.

    `.metadata` is a pickle: it may make nothing but descriptions of tensors. Whatever else the checkpoint holds is
    pickled too, and is not read.

    Raises:
        ArtefactError: files are missing or damaged, or hold Python objects.
    """
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        metadata = _Descriptions(folder / METADATA).load()
        files = _files(metadata, folder)
        return _tensors(metadata, folder), files
    except (ArtefactError, OSError):
        raise
    except RecursionError as error:
        raise ArtefactError(f"{folder / METADATA} is nested beyond measure, and was not loaded.") from error
    except (Exception, CheckpointException) as error:  # torch raises what it likes on damaged files, and no Exception
        cause: BaseException = next(iter(error.failures.values()))[0] if hasattr(error, "failures") else error
        text = str(cause).strip().partition("\n")[0].partition(". ")[0][:200]
        raise ArtefactError(
            f"{folder} is a damaged or incomplete distributed checkpoint ({text or type(cause).__name__}). Save or "
            "copy it again."
        ) from error


class _Descriptions(pickle.Unpickler):
    """Unpickles descriptions of tensors, and refuses everything else."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        check_tuples(io.BytesIO(content))
        super().__init__(io.BytesIO(content))
        self._path = path

    @override
    def find_class(self, module: str, name: str, /) -> Any:
        from torch.distributed.checkpoint import filesystem, metadata

        if module == "pathlib" and name.endswith("Path"):
            return PurePosixPath  # of where it was saved, maybe on another system
        if (module, name) == ("torch.serialization", "_get_layout"):
            return str
        if (module, name) == ("torch", "Size") or (module == "torch" and _DTYPE.fullmatch(name)):
            return getattr(torch, name)
        if module.startswith("torch.distributed.") and name == "TensorProperties":
            return metadata.TensorProperties
        if module == metadata.__name__ and name in _DESCRIPTIONS:
            return getattr(metadata, name)
        if (module, name) == (filesystem.__name__, "_StorageInfo"):
            return filesystem._StorageInfo
        raise ArtefactError(
            f"{self._path} names {module}.{name}, and was not loaded: unpickling it could run any code. Save the "
            "weights alone: torch.save(model.state_dict(), 'weights.pt')."
        )


def _files(metadata: Any, folder: Path) -> tuple[Path, ...]:
    """Return the checkpoint's files, all of them there; raises ArtefactError unless they lie in the folder."""
    names = sorted({info.relative_path for info in metadata.storage_data.values()})
    if outside := [name for name in names if Path(name).name != name]:
        raise ArtefactError(f"{folder / METADATA} names {outside[0]!r}, which is no file in the folder.")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ArtefactError(f"{folder} lacks {', '.join(missing)}, which its {METADATA} names. Copy the whole folder.")
    for name in names:
        if _BYTE_ARRAY in (folder / name).read_bytes():
            raise ArtefactError(f"{folder / name} holds Python objects (builtins.bytearray), and was not loaded.")
    return folder / METADATA, *(folder / name for name in names)


def _tensors(metadata: Any, folder: Path) -> dict[str, Any]:
    """Return the tensors in dictionaries, by the keys under which they were saved."""
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    class Reader(FileSystemReader):
        @override
        def read_metadata(self, *args: Any, **kwargs: Any) -> Any:
            return metadata

    flat: dict[str, Any] = {}
    left = sum(most_bytes(file) for file in folder.glob("*.distcp"))
    for name, about in metadata.state_dict_metadata.items():
        if isinstance(about, TensorStorageMetadata):
            left -= math.prod(about.size) * about.properties.dtype.itemsize
            if left < 0:
                raise ArtefactError(f"{folder} announces more tensors than its files can hold.")
            flat[name] = torch.zeros(about.size, dtype=about.properties.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it runs in one process
        load(flat, storage_reader=Reader(folder), no_dist=True)
    nested: dict[str, Any] = {}
    for name, tensor in flat.items():
        *keys, last = (metadata.planner_data or {}).get(name, (name,))
        place = nested
        for key in keys:
            place = place.setdefault(str(key), {})
        place[str(last)] = tensor
    return nested
