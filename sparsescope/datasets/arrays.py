"""`npz:FILE`: images, and where known labels and class names, as arrays in one NumPy archive."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsescope.archives import ObjectArrayError, check_archive, read_arrays
from sparsescope.benchmark import ArrayImages, ImageSet
from sparsescope.datasets.resizing import Resizing, resized
from sparsescope.datasets.source import WHOLE, Source
from sparsescope.errors import DataError

__all__ = ["open_npz"]


def open_npz(argument: str, resizing: Resizing) -> Source:
    """Return the images of an archive, a source of one set.

    Keys: `images` uint8 (N, H, W, C) or float (N, C, H, W) in [0, 1]; `labels` integers (N,), needed unless the set is
    only out-of-distribution; `classes`, optional: names in label order. Nothing is ever unpickled.

    Raises:
        DataError: no archive, a damaged one, a missing key, object arrays, or labels without a class.
    """
    spec, path = f"npz:{argument}", Path(argument).expanduser()
    arrays = _read(path, spec)
    images = ArrayImages(arrays["images"], arrays.get("labels"), spec)
    classes = _class_names(arrays.get("classes"), images, spec)
    return Source(spec, path.stem, {WHOLE: lambda: resized(images, resizing)}, classes)


def _read(path: Path, spec: str) -> dict[str, NDArray[Any]]:
    _check_archive(path, spec)
    try:
        arrays = read_arrays(path, ("images", "labels", "classes"))
        if "images" not in arrays:
            held = ", ".join(name.removesuffix(".npy") for name in check_archive(path))
            raise DataError(f"{spec}: expected an array 'images', but it holds only: {held}.")
    except DataError:
        raise
    except ObjectArrayError as error:
        raise DataError(
            f"{spec}: expected arrays of numbers, but one is an object array, which is never unpickled. Save the "
            "images, all of one size, as one uint8 array, and class names as an array of strings."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{spec}: the file is damaged ({error}). Copy or write it again.") from error
    return arrays


def _check_archive(path: Path, spec: str) -> None:
    if not path.is_file():
        raise DataError(f"{spec}: expected a file, but {path} {'is a folder' if path.is_dir() else 'does not exist'}.")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            cut_short = file.read(2) == b"PK"
        raise DataError(
            f"{spec}: expected an archive as numpy.savez writes it, but "
            + ("its end is missing: the file was cut short. Copy it again." if cut_short else "this is another format.")
        )


def _class_names(classes: NDArray[Any] | None, images: ImageSet, spec: str) -> tuple[str, ...]:
    if classes is None:
        return ()
    try:
        names = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(classes))
    except (SystemError, ValueError) as error:  # bytes that are no letters of Unicode
        raise DataError(f"{spec}: expected names of classes in 'classes', but some of them are no text.") from error
    if images.labels is not None and images.labels.max() >= len(names):
        raise DataError(
            f"{spec}: expected labels 0–{len(names) - 1} (it has {len(names)} classes), but image "
            f"{int(images.labels.argmax())} has label {int(images.labels.max())}."
        )
    return names
