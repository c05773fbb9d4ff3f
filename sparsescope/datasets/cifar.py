"""`cifar10:DIR` and `cifar100:DIR`: the published Python folders (Krizhevsky 2009), read by torchvision.

The files are pickles. torchvision compares their MD5 with the published one before it opens them, so nothing but the
published files is ever unpickled.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from sparsescope.benchmark import ArrayImages
from sparsescope.datasets.resizing import Resizing, resized
from sparsescope.datasets.source import Source
from sparsescope.errors import DataError

__all__ = ["open_cifar10", "open_cifar100"]


def open_cifar10(argument: str, resizing: Resizing) -> Source:
    """Return CIFAR-10 from a folder that holds `cifar-10-batches-py`, or is it."""
    from torchvision.datasets import CIFAR10

    return _open("cifar10", CIFAR10, argument, resizing)


def open_cifar100(argument: str, resizing: Resizing) -> Source:
    """Return CIFAR-100 (its 100 fine labels) from a folder that holds `cifar-100-python`, or is it."""
    from torchvision.datasets import CIFAR100

    return _open("cifar100", CIFAR100, argument, resizing)


def _open(scheme: str, kind: Any, argument: str, resizing: Resizing) -> Source:
    spec = f"{scheme}:{argument}"
    root = _root(kind, argument, spec)
    test_data = _load(kind, root, spec, train=False)
    return Source(
        spec=spec,
        name=scheme,
        splits={
            "test": lambda: resized(_images(test_data, spec), resizing),
            "train": lambda: resized(_images(_load(kind, root, spec, train=True), f"{spec} (train)"), resizing),
        },
        classes=tuple(test_data.classes),
    )


def _root(kind: Any, argument: str, spec: str) -> Path:
    """Return the folder that holds the folder of the published name, with every file in it."""
    folder = Path(argument).expanduser().resolve()
    root = folder.parent if folder.name == kind.base_folder else folder
    missing = [name for name in _checksums(kind) if not (root / kind.base_folder / name).is_file()]
    if missing:
        raise DataError(
            f"{spec}: expected the folder {root / kind.base_folder} with the files {', '.join(_checksums(kind))}, but "
            + ("there is none of them" if len(missing) == len(_checksums(kind)) else f"{', '.join(missing)} is missing")
            + f". Unpack {kind.filename} in {root} (from {kind.url}), or let torchvision fetch it once: "
            f"torchvision.datasets.{kind.__name__}({str(root)!r}, download=True)."
        )
    return root


def _checksums(kind: Any) -> dict[str, str]:
    return {**dict(kind.test_list), **dict(kind.train_list), kind.meta["filename"]: kind.meta["md5"]}


def _load(kind: Any, root: Path, spec: str, *, train: bool) -> Any:
    try:
        with warnings.catch_warnings():
            # The files were pickled by an old numpy that wrote `align` as an integer, and numpy 2.4.0 warns of that.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            return kind(root, train=train, download=False)
    except RuntimeError as error:
        raise DataError(f"{spec}: {_damage(kind, root)} Unpack {kind.filename} again (from {kind.url}).") from error


def _damage(kind: Any, root: Path) -> str:
    from torchvision.datasets.utils import check_integrity

    folder = root / kind.base_folder
    damaged = [name for name, md5 in _checksums(kind).items() if not check_integrity(folder / name, md5)]
    return f"expected the published files in {folder}, but the MD5 of {', '.join(damaged)} is another."


def _images(data: Any, source: str) -> ArrayImages:
    return ArrayImages(data.data, np.asarray(data.targets, dtype=np.int64), source)
