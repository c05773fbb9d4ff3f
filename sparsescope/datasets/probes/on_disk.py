"""Probe sets in files: images, PNG label maps and labels of whole images, read as they are needed."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import Concept, ProbeSet
from sparsescope.datasets.decoding import LARGEST_LABEL, decode, read_label_map
from sparsescope.datasets.probes import CHANNELS
from sparsescope.datasets.source import Shape
from sparsescope.errors import DataError

__all__ = ["DiskProbeSet", "Record", "listed", "unique_concepts"]

_SHOWN = 10  # problems and numbers that a message lists
_NONE, _UNKNOWN = -1, -2  # of a label number: it stands for no concept; it is not in the label list


@dataclass(frozen=True, slots=True)
class Record:
    """One image: its file, its label maps (layers), and the label numbers that hold for the whole image."""

    image: str
    maps: tuple[str, ...]
    whole: tuple[int, ...]


class DiskProbeSet(ProbeSet):
    """Probe images below one folder; only file names are held in memory.

    Every image is resized, bilinearly with antialiasing, to the height and width of `shape` as a whole: never cropped,
    because its label maps show the whole frame. For a model with one channel it becomes grey (0.299 R + 0.587 G +
    0.114 B). Layers are joined: a concept is where any of the image's maps has its number.

    Args:
        source: as the user wrote it.
        folder: what file names are relative to.
        shape: (C, H, W) of the model's input, C being 1 or 3.
        label_shape: (h, w) of the label maps.
        concepts: label number -> concept, in label order; None for a number that stands for no concept.
        records: the images.
        any_size: label maps may have any size, and are brought to `label_shape` by their nearest pixels; else a map of
            another size is an error.

    Raises:
        DataError: images cannot have that many channels. Files are checked as they are read: see `read`, `labels`.
    """

    def __init__(
        self,
        source: str,
        folder: Path,
        shape: Shape,
        label_shape: tuple[int, int],
        concepts: Mapping[int, Concept | None],
        records: Sequence[Record],
        *,
        any_size: bool = False,
    ) -> None:
        if shape[0] not in CHANNELS:
            raise DataError(f"{source}: images can be read with 1 or 3 channels, but the model takes {shape[0]}.")
        self.source, self.shape, self.label_shape = source, shape, label_shape
        self._folder, self._records, self._any_size = folder, tuple(records), any_size
        self.concepts = tuple(concept for concept in concepts.values() if concept is not None)
        self._numbered = dict(concepts)
        numbers = [number for number, concept in concepts.items() if concept is not None]
        self._index = np.full(LARGEST_LABEL + 1, _UNKNOWN, dtype=np.int32)
        self._index[[0, *(number for number, concept in concepts.items() if concept is None)]] = _NONE
        self._index[numbers] = np.arange(len(numbers))

    @override
    def __len__(self) -> int:
        return len(self._records)

    @override
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Raises DataError, naming the file, if one cannot be decoded."""
        images = np.stack([self._pixels(self._records[index].image) for index in indices])
        return torch.from_numpy(images).float() / 255

    @override
    def labels(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Raises DataError, naming the file, for a label map that cannot be used."""
        record = self._records[index]
        masks: dict[int, NDArray[np.bool_]] = {}
        for number in record.whole:
            masks[int(self._index[number])] = np.ones(self.label_shape, dtype=bool)
        for name in record.maps:
            label_map = self._label_map(name)
            present = np.flatnonzero(np.bincount(label_map.ravel())).tolist()
            for number, concept in zip(present, self._known(present, name), strict=True):
                if concept != _NONE:
                    here = label_map == number
                    masks[concept] = masks[concept] | here if concept in masks else here
        masks.pop(_NONE, None)
        order = sorted(masks)
        shown = np.stack([masks[concept] for concept in order]) if order else np.zeros((0, *self.label_shape), bool)
        return np.array(order, dtype=np.int64), shown

    @override
    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shapes, concepts, index, and names and content of all files: the same on every machine."""
        facts = (self.shape, self.label_shape, self._any_size, list(self._numbered.items()))
        digest = hashlib.sha256(repr(facts).encode())
        for record in self._records:
            digest.update(repr(record).encode())
            for name in (record.image, *record.maps):
                try:
                    content = (self._folder / name).read_bytes()
                except OSError as error:
                    raise self._unreadable(name, error) from error
                digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        """Return one image, uint8 (C, H, W)."""
        channels, height, width = self.shape
        try:
            image = decode(self._folder / name, channels)
        except Exception as error:  # decoders raise what they like
            raise self._unreadable(name, error) from error
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)

    def _label_map(self, name: str) -> NDArray[np.uint16]:
        """Return one label map (h, w) in `label_shape`."""
        try:
            label_map = read_label_map(self._folder / name)
        except Exception as error:  # decoders raise what they like
            raise self._unreadable(name, error) from error
        if label_map.shape == self.label_shape:
            return label_map
        if self._any_size:
            rows, columns = (
                (2 * np.arange(new) + 1) * old // (2 * new)
                for old, new in zip(label_map.shape, self.label_shape, strict=True)
            )
            return label_map[np.ix_(rows, columns)]
        height, width = self.label_shape
        raise DataError(
            f"{self.source}: expected a label map of {height} x {width}, the size of the set, but "
            f"{self._folder / name} has {label_map.shape[0]} x {label_map.shape[1]} (height x width)."
        )

    def _known(self, numbers: list[int], name: str) -> list[int]:
        """Return the concept of each label number; raises DataError, naming the map, for one that is no label."""
        concepts: list[int] = self._index[numbers].tolist()
        if _UNKNOWN in concepts:
            unknown = [str(number) for number, concept in zip(numbers, concepts, strict=True) if concept == _UNKNOWN]
            raise DataError(
                f"{self.source}: expected the label map {self._folder / name} to hold numbers of the label list or 0 "
                f"(no label), but it also holds {', '.join(unknown[:_SHOWN])}. Add them to the list, or check that "
                "the map's pixels are red + 256 green, or plain numbers in one channel."
            )
        return concepts

    def _unreadable(self, name: str, error: Exception) -> DataError:
        return DataError(f"{self.source}: {self._folder / name} cannot be read ({error}). Replace the file.")


def unique_concepts(concepts: Mapping[int, Concept]) -> dict[int, Concept]:
    """Return the concepts with names that are unique: a name that comes again gets its category, then its number."""
    names, pairs = Counter(concept.name for concept in concepts.values()), Counter(concepts.values())
    found = {}
    for number, concept in concepts.items():
        name, category = concept.name, concept.category
        if names[name] > 1:
            name += f" [{category}]" if pairs[concept] == 1 else f" [{category} {number}]"
        found[number] = Concept(name, category)
    return found


def listed(problems: Sequence[str]) -> str:
    """Return problems as lines of a message, the first ones of many."""
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return "".join(f"\n- {problem}" for problem in [*problems[:_SHOWN], *more])
