"""Stored corrupted sets in the layout of ImageNet-C: `[GROUP/]CORRUPTION/SEVERITY/CLASS/FILE`, read as they are."""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.benchmark import CorruptedSet, ImageSet
from sparsescope.corruptions.tables import EXTRA, SEVERITIES, STANDARD
from sparsescope.datasets.decoding import decode
from sparsescope.datasets.image_folder import FolderImages
from sparsescope.errors import DataError

__all__ = ["ImagenetC"]


class ImagenetC(CorruptedSet):
    """A folder in the layout of ImageNet-C (Hendrycks & Dietterich 2019), whose images are never resized.

    An image is found by its class folder and file name, which are those of the clean test images: so a part of the
    test set can be measured too. The groups of the published archives (`blur/`, `noise/` …) may be there or not.

    Args:
        folder: the folder.
        test: the clean test images, of `folder:DIR` or `imagenet:DIR`.
        source: how messages name the set.

    Raises:
        DataError: test images that have no files, no corruptions, missing images, images of another size; all listed.
    """

    def __init__(self, folder: str | Path, test: ImageSet, source: str) -> None:
        if not isinstance(test, FolderImages):
            raise DataError(
                f"{source}: expected the clean test images as folder:DIR or imagenet:DIR, whose file names tell which "
                f"image is which, but got {test.source}."
            )
        self.source, self.shape, self.labels = source, test.shape, test.required_labels()
        self._files = test.files
        self._folders = _corruption_folders(Path(folder).expanduser())
        if not self._folders:
            raise DataError(
                f"{source}: expected folders CORRUPTION/SEVERITY/CLASS with images in {folder}, such as fog/3/"
                f"{Path(self._files[0]).parent}, but found no folder with the name of a corruption."
            )
        self.cells = {
            name: tuple(severity for severity in SEVERITIES if (place / str(severity)).is_dir())
            for name, place in self._folders.items()
        }
        problems = [text for name in self.cells for severity in self.cells[name] for text in self._cell(name, severity)]
        if problems:
            raise DataError(
                f"{source}: expected the {len(test)} images of {test.source} under every corruption and severity, of "
                f"{self.shape[1]} x {self.shape[2]} pixels (stored images are never resized); but\n- "
                + "\n- ".join(problems)
            )

    @override
    def read(self, corruption: str, severity: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Raises DataError, naming the file, if one cannot be read or has another size."""
        place = self._folders[corruption] / str(severity)
        return np.stack([self._pixels(place / self._files[index]) for index in indices])

    @override
    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of names, sizes and times of change of all files, and of the labels."""
        digest = hashlib.sha256("\n".join(self._files).encode() + self.labels.tobytes())
        for name, severities in self.cells.items():
            for severity in severities:
                place = self._folders[name] / str(severity)
                digest.update(f"{name}/{severity}\n".encode())
                for file in self._files:
                    status = (place / file).stat()
                    digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    @cached_property
    def _by_class(self) -> dict[str, list[str]]:
        """File names by the folder they lie in."""
        groups: dict[str, list[str]] = {}
        for file in self._files:
            group, _, name = file.rpartition("/")
            groups.setdefault(group, []).append(name)
        return groups

    def _cell(self, name: str, severity: int) -> list[str]:
        """Return what is wrong with one corruption at one severity."""
        place, missing = self._folders[name] / str(severity), []
        for group, files in self._by_class.items():
            there = {entry.name for entry in (place / group).iterdir()} if (place / group).is_dir() else set()
            missing += [f"{group}/{file}" for file in files if file not in there]
        if missing:
            return [f"{name}/{severity} lacks {len(missing)} of {len(self._files)} images, first {missing[0]}"]
        try:
            self._pixels(place / self._files[0])
        except DataError as error:
            return [f"{name}/{severity}: {error}"]
        return []

    def _pixels(self, file: Path) -> NDArray[np.uint8]:
        try:
            image = decode(file, self.shape[0])
            pixels = np.asarray(image).reshape(image.height, image.width, -1)
        except Exception as error:  # decoders raise what they like
            raise DataError(f"{self.source}: {file} cannot be read as an image ({error}).") from error
        if pixels.shape[:2] != self.shape[1:]:
            raise DataError(
                f"{self.source}: expected images of {self.shape[1]} x {self.shape[2]} pixels, as the test images are "
                f"shown, but {file} has {pixels.shape[0]} x {pixels.shape[1]}."
            )
        return pixels


def _corruption_folders(folder: Path) -> dict[str, Path]:
    """Return the folder of each corruption that is there, directly or in a group."""
    if not folder.is_dir():
        return {}
    places = [folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())]
    found: dict[str, Path] = {}
    for name in (*STANDARD, *EXTRA):
        where = [place / name for place in places if (place / name).is_dir()]
        if where:
            found[name] = where[0]
    return found
