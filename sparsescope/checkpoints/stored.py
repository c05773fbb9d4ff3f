"""What our own checkpoint says of its data and its images, without its network."""

from dataclasses import dataclass
from pathlib import Path

from sparsescope.checkpoints.kinds import kind_of
from sparsescope.checkpoints.layout import is_ours
from sparsescope.checkpoints.native import Details, parse_details
from sparsescope.checkpoints.read import read
from sparsescope.errors import ArtefactError

__all__ = ["StoredTask", "stored_size", "stored_task"]


@dataclass(frozen=True)
class StoredTask:
    """What our own checkpoint says of its data; None for what it does not say.

    Args:
        data: data specification. It may name code: `evaluation.task.stored_data` refuses to run it.
        resize: pixels of the shorter side to which its images were resized.
        crop: side of the centre crop, pixels.
    """

    data: str | None = None
    resize: int | None = None
    crop: int | None = None


def stored_task(path: str | Path) -> StoredTask:
    """Return what our own checkpoint says of its data; nothing where the file is another.

    Raises:
        ArtefactError: the file cannot be read, or a size in it is none.
    """
    task = _details(path).task
    sizes = {name: task[name] for name in ("resize", "crop") if task.get(name) is not None}
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ArtefactError(f"{path}: expected the task's {name} to be a number of pixels, but got {size!r}.")
    data = task.get("data")
    return StoredTask(None if data is None else str(data), **sizes)


def stored_size(path: str | Path) -> int | None:
    """Return the input size in pixels that our own checkpoint states; None where the file is another or states none.

    Raises:
        ArtefactError: the file cannot be read.
    """
    preprocessing = _details(path).preprocessing
    return None if preprocessing is None else preprocessing.size


def _details(path: str | Path) -> Details:
    """Return what only a checkpoint of ours says; nothing of it where the artefact is another."""
    if kind_of(path, trust_pickle=True) is not None:
        return Details()
    value = read(Path(path)).value
    return parse_details(value, Path(path)) if is_ours(value) else Details()
