"""`folder:DIR`: image files in one sub-folder per class, or side by side without labels, read as they are needed."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import ImageSet
from sparsescope.datasets.decoding import decode, opened
from sparsescope.datasets.resizing import Resizing
from sparsescope.datasets.source import WHOLE, Source
from sparsescope.errors import DataError, SparsescopeWarning

__all__ = ["EXTENSIONS", "FolderImages", "open_folder", "split_folders", "sub_folders"]

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_TEST_FOLDERS = ("test", "val")


def open_folder(argument: str, resizing: Resizing) -> Source:
    """Return the images of a folder that holds one sub-folder per class; sorted names are the label order.

    A folder that holds `test/` (or `val/`, if there is no `test/`) and `train/`, each with sub-folders of its own,
    has these two splits; other folders beside them are not looked at. A folder of image files alone is a set without
    labels, which serves as an out-of-distribution set.

    Raises:
        DataError: no such folder, no classes, no images, or splits with different classes.
    """
    spec, folder = f"folder:{argument}", Path(argument).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{spec}: expected a folder, but {folder} {'is a file' if folder.exists() else 'does not exist'}."
        )
    splits = split_folders(folder)
    if beside := _image_files(folder):
        if not sub_folders(folder):
            return Source(spec, folder.resolve().name, {WHOLE: partial(FolderImages, folder, None, spec, resizing)})
        said = f"{spec}: images beside the sub-folders are not read ({len(beside)}, such as {beside[0]})."
        warnings.warn(said, SparsescopeWarning, stacklevel=2)
    classes = {split: _class_names(place, spec) for split, place in splits.items()}
    first = next(iter(classes.values()))
    for names in classes.values():
        if names != first:
            odd = sorted(set(names) ^ set(first))
            raise DataError(
                f"{spec}: expected the same classes in {' and '.join(place.name for place in splits.values())}, since "
                f"their order gives the labels, but only one of them has: {', '.join(odd[:5])}."
            )
    readers: dict[str, Callable[[], ImageSet]] = {
        split: partial(FolderImages, place, first, f"{spec} (train)" if split == "train" else spec, resizing)
        for split, place in splits.items()
    }
    return Source(spec, folder.resolve().name, readers, first)


class FolderImages(ImageSet):
    """The images below one folder, as RGB or grey: each file is read when it is asked for, and forgotten.

    Files are decoded by what they hold, whatever their ending says (see `decoding`); other formats, animations and more
    than 50 million pixels are refused. Grey and palette files become RGB, or all files grey (ITU-R 601 luma) if
    `resizing` says so. Transparency is dropped, and orientation tags are not followed, as torchvision does it.
    Resizing works on the 8-bit image, as in the usual evaluation pipelines.

    Args:
        folder: holds one sub-folder per class; files lie in it at any depth. Names that begin with a dot are skipped.
        classes: sub-folder names in label order; None: the files lie in `folder` itself and have no labels.
        source: how messages name the set.
        resizing: what brings the images to one size; without it they must have one size.
        labels: label of each class; default: its place.

    Raises:
        DataError: no images, or images of different sizes; the text names two of them.
    """

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str] | None,
        source: str,
        resizing: Resizing,
        labels: Sequence[int] | None = None,
    ) -> None:
        self.source, self._folder, self._resizing = source, folder, resizing
        if classes is None:
            self._files, self.labels = _image_files(folder), None
        else:
            self._files, self.labels = self._by_class(classes, labels)
        self.shape = (1 if resizing.grey else 3, *self._common_size())

    def _by_class(self, classes: Sequence[str], labels: Sequence[int] | None) -> tuple[list[str], NDArray[np.int64]]:
        per_class = [_image_files(self._folder, name) for name in classes]
        if not any(per_class):
            raise DataError(
                f"{self.source}: expected images in the sub-folders of {self._folder}, but found none. Read are: "
                f"{' '.join(EXTENSIONS)}."
            )
        empty = [name for name, files in zip(classes, per_class, strict=True) if not files]
        if empty:
            warnings.warn(
                f"{self.source}: no images in {', '.join(empty[:5])}; the label stays reserved.",
                SparsescopeWarning,
                stacklevel=2,
            )
        numbers = np.arange(len(classes)) if labels is None else np.asarray(labels, dtype=np.int64)
        files = [file for files in per_class for file in files]
        return files, np.repeat(numbers, [len(files) for files in per_class])

    @override
    def required_labels(self) -> NDArray[np.int64]:
        if self.labels is None:
            raise DataError(
                f"{self.source}: expected one sub-folder of images per class, whose names are the labels, in "
                f"{self._folder}, but the images lie side by side: without labels they serve as --ood alone."
            )
        return self.labels

    @override
    def __len__(self) -> int:
        return len(self._files)

    @property
    def files(self) -> tuple[str, ...]:
        """The file of each image: its class folder and its path in there, joined by slashes."""
        return tuple(self._files)

    @override
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Raises DataError, naming the file, if one cannot be decoded."""
        images = np.stack([self._pixels(self._files[index]) for index in indices])
        return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float() / 255

    @override
    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of names and content of the files, of the labels and of the resizing: the same on every machine."""
        labels = b"" if self.labels is None else self.labels.tobytes()
        digest = hashlib.sha256(self._resizing.key.encode() + labels)
        digest.update(b"grey" if self.shape[0] == 1 else b"")
        for name in self._files:
            content = hashlib.sha256((self._folder / name).read_bytes()).hexdigest()
            digest.update(f"{name}|{content}\n".encode())
        return digest.hexdigest()

    def _common_size(self) -> tuple[int, int]:
        """Return (height, width) of every image read; the files' headers are looked at unless a crop decides."""
        resizing = self._resizing
        first = resizing.output_size(*self._file_size(self._files[0]), f"{self.source}, {self._files[0]}")
        for name in self._files[1:] if resizing.crop is None else ():
            size = resizing.output_size(*self._file_size(name), name)
            if size != first:
                raise DataError(
                    f"{self.source}: expected images of one size, but {self._files[0]} has {first[0]} x {first[1]} and "
                    f"{name} has {size[0]} x {size[1]} (height x width{', resized' if resizing else ''}). "
                    "Bring them to one size with --resize and --crop."
                )
        return first

    def _file_size(self, name: str) -> tuple[int, int]:
        try:
            with opened(self._folder / name) as image:
                return image.height, image.width
        except Exception as error:  # decoders raise what they like
            raise self._unreadable(name, error) from error

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        """Return one image, uint8 (H, W, C)."""
        try:
            image = decode(self._folder / name, self.shape[0])
        except Exception as error:  # decoders raise what they like
            raise self._unreadable(name, error) from error
        if self._resizing:
            place = f"{self.source}, {name}"
            self._resizing.output_size(image.height, image.width, place)  # says so if a crop is too large
            image = self._resizing(image)
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        if pixels.shape[:2] != self.shape[1:]:
            raise DataError(f"{self.source}: {self._folder / name} has changed its size since the folder was opened.")
        return pixels

    def _unreadable(self, name: str, error: Exception) -> DataError:
        return DataError(
            f"{self.source}: expected an image file of 8 bits per channel, but {self._folder / name} cannot be read "
            f"({error}). Replace it or take it out of the folder."
        )


def split_folders(folder: Path) -> dict[str, Path]:
    """Return where `test` (or `val`) and `train` lie in a folder, or the folder itself as `WHOLE`."""
    tests = [folder / name for name in _TEST_FOLDERS if sub_folders(folder / name)]
    splits = {"test": tests[0]} if tests else {}
    if sub_folders(folder / "train"):
        splits["train"] = folder / "train"
    return splits or {WHOLE: folder}


def sub_folders(folder: Path) -> list[str]:
    """Return the names of the sub-folders but hidden ones, sorted; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _class_names(folder: Path, spec: str) -> tuple[str, ...]:
    names = sub_folders(folder)
    if not names:
        raise DataError(f"{spec}: expected one sub-folder of images per class in {folder}, but it has no sub-folders.")
    return tuple(names)


def _image_files(folder: Path, class_name: str | None = None) -> list[str]:
    """Return the image files of one class, at any depth, or those in `folder` itself; relative to it, sorted."""
    places = folder.iterdir() if class_name is None else (folder / class_name).rglob("*")
    return sorted(
        path.relative_to(folder).as_posix()
        for path in places
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    )
