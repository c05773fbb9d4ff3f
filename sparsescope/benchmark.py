"""Benchmark: the image sets of one task. Images are float32 in [0, 1], (N, C, H, W); normalisation is the model's."""

import abc
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.corrupted_set import CorruptedSet
from sparsescope.errors import DataError
from sparsescope.probe import ProbeSet
from sparsescope.randomness import generator

__all__ = ["ArrayImages", "Benchmark", "ImageSet", "OodGroup", "stratified_sample"]

OodGroup = Literal["near", "far", "given"]
"""How far an out-of-distribution set is from the test images: other classes in the same manner, or another kind of
picture altogether; `given` where nobody said."""


class ImageSet(abc.ABC):
    """A finite, ordered set of images, read by index so that memory stays bounded.

    Attributes:
        source: where it came from, as the user would write it.
        shape: (C, H, W) of every image.
        labels: int64 (n,), or None where the images have none.
    """

    source: str
    shape: tuple[int, int, int]
    labels: NDArray[np.int64] | None

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Return the images float32 (len(indices), C, H, W) in [0, 1], on the CPU, in the order asked."""

    def read_uint8(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images uint8 (len(indices), H, W, C), rounded: what corruptions are defined on."""
        images: NDArray[np.uint8] = (self.read(indices) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return images

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides what `read` returns, and of the labels."""

    def required_labels(self) -> NDArray[np.int64]:
        """Return the labels; raises DataError where there are none."""
        if self.labels is None:
            raise DataError(f"{self.source} has no labels, and they are needed here.")
        return self.labels


class ArrayImages(ImageSet):
    """Images held in memory.

    Args:
        images: uint8 (N, H, W, C) or (N, H, W), or float (N, C, H, W) in [0, 1].
        labels: integers (N,), or None.
        source: how messages name the set.

    Raises:
        DataError: wrong shape or type, no images, values outside [0, 1] or not finite, labels that do not fit.
    """

    def __init__(self, images: NDArray[Any], labels: NDArray[Any] | None = None, source: str = "array") -> None:
        self.source = source
        self._images = _checked_images(images, source)
        if self._images.dtype == np.uint8:
            _, height, width, channels = self._images.shape
            self.shape = (channels, height, width)
        else:
            self.shape = self._images.shape[1:]
        self.labels = None if labels is None else _checked_labels(labels, len(images), source)

    def __len__(self) -> int:
        return len(self._images)

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """See `ImageSet.read`."""
        picked = self._images[np.asarray(indices, dtype=np.int64)]
        if picked.dtype == np.uint8:
            return torch.from_numpy(np.ascontiguousarray(picked.transpose(0, 3, 1, 2))).float() / 255
        return torch.from_numpy(picked.astype(np.float32, copy=False))

    @cached_property
    def fingerprint(self) -> str:
        """See `ImageSet.fingerprint`."""
        digest = hashlib.sha256(f"{self._images.dtype}{self._images.shape}".encode())
        digest.update(np.ascontiguousarray(self._images).tobytes())
        if self.labels is not None:
            digest.update(self.labels.tobytes())
        return digest.hexdigest()


def _checked_images(images: NDArray[Any], source: str) -> NDArray[Any]:
    images = np.asarray(images)
    if len(images) == 0 if images.ndim else True:
        raise DataError(f"{source} is empty: expected at least one image, but got an array of shape {images.shape}.")
    if images.dtype == np.uint8:
        if images.ndim == 3:
            images = images[..., None]
        if images.ndim != 4 or images.shape[3] not in (1, 3):
            raise DataError(
                f"{source}: expected uint8 images (N, H, W, C) with 1 or 3 channels, but got shape {images.shape}."
            )
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{source}: expected images of type uint8 or float, but got {images.dtype}.")
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(
            f"{source}: expected float images (N, C, H, W) with 1 or 3 channels, but got shape {images.shape}."
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # also catches nan
        raise DataError(
            f"{source}: expected float images in [0, 1], but they reach from {low:g} to {high:g}. "
            "Give pixels, not normalised values (the model normalises), or uint8."
        )
    return images


def _checked_labels(labels: NDArray[Any], n: int, source: str) -> NDArray[np.int64]:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise DataError(f"{source}: expected {n} labels of shape ({n},), but got shape {labels.shape}.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{source}: expected integer labels, but got {labels.dtype}.")
    if labels.min() < 0:
        raise DataError(f"{source}: expected labels >= 0, but image {int(labels.argmin())} has {int(labels.min())}.")
    return labels.astype(np.int64)


@dataclass(frozen=True)
class Benchmark:
    """The image sets of one task.

    Args:
        name: what the report calls it.
        test: labelled test images.
        train: labelled training images without augmentation, where given.
        ood: out-of-distribution sets by name; labels are not used.
        classes: class names in label order; empty where unknown.
        ood_groups: `near`, `far` or `given` for out-of-distribution sets by name; `given` for those left out.
        corrupted: stored corrupted copies of the test images; None: they are made on the fly.
        probe: images with labelled concepts, of any size that the model takes; None: units are not dissected.

    Raises:
        DataError: test or training images without labels, sets of different image shapes, a group that is none or of
            no set, or corrupted images that are not those of the test set; the text names the sets.
    """

    name: str
    test: ImageSet
    train: ImageSet | None = None
    ood: dict[str, ImageSet] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    ood_groups: dict[str, OodGroup] = field(default_factory=dict)
    corrupted: CorruptedSet | None = None
    probe: ProbeSet | None = None

    def __post_init__(self) -> None:
        for name, group in self.ood_groups.items():
            if name not in self.ood or group not in get_args(OodGroup):
                raise DataError(
                    f"Expected ood_groups to say near, far or given of {list(self.ood)}, but got {name!r}: {group!r}."
                )
        self.test.required_labels()
        if self.train is not None:
            self.train.required_labels()
        for name, images in self.sets.items():
            if images.shape != self.test.shape:
                raise DataError(
                    f"Expected every set to have the test images' shape {self.test.shape} (C, H, W), but {name} "
                    f"({images.source}) has {images.shape}. Bring it to that size first, or use --resize/--crop."
                )
        if self.corrupted is not None:
            self._check_corrupted(self.corrupted)

    def _check_corrupted(self, corrupted: CorruptedSet) -> None:
        if corrupted.shape != self.test.shape or not np.array_equal(corrupted.labels, self.test.required_labels()):
            raise DataError(
                f"Expected the corrupted images of {corrupted.source} to be those of the test set ({self.test.source}):"
                f" {len(self.test)} of shape {self.test.shape} (C, H, W) with the same labels in the same order, but "
                f"got {len(corrupted.labels)} of shape {corrupted.shape}, or other labels."
            )

    @property
    def sets(self) -> dict[str, ImageSet]:
        """Every image set by the name that measurements use: `test`, `train`, `ood:NAME`."""
        named = {"test": self.test} | ({"train": self.train} if self.train is not None else {})
        return named | {f"ood:{name}": images for name, images in self.ood.items()}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the fingerprints of all sets."""
        names = [*self.sets, *(name for name in ("corrupted", "probe") if getattr(self, name) is not None)]
        parts = [f"{name}={self.fingerprint_of(name)}" for name in names]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fingerprint_of(self, name: str) -> str:
        """Return the fingerprint of one set of `sets`, of `corrupted`, or of `probe`."""
        if name == "corrupted" and self.corrupted is not None:
            return self.corrupted.fingerprint
        if name == "probe" and self.probe is not None:
            return self.probe.fingerprint
        return self.sets[name].fingerprint

    def check_labels(self, classes: int) -> None:
        """Raise DataError, naming the first offending image, if a label is not below the number of model outputs."""
        for name in ("test", "train"):
            images = self.sets.get(name)
            if images is None:
                continue
            labels = images.required_labels()
            if labels.max() >= classes:
                raise DataError(
                    f"{images.source}: expected labels 0–{classes - 1} (the model has {classes} outputs), but "
                    f"{name} image {int(labels.argmax())} has label {int(labels.max())}. Is this the model's data set?"
                )


def stratified_sample(labels: NDArray[np.int64], size: int | None, seed: int, stream: str) -> NDArray[np.int64]:
    """Return `size` indices into `labels`, ascending, with every class in its proportion to within one image.

    Each class gets the whole part of size x n_k / n; the images left over go to the classes with the largest
    remainders, ties broken at random. Within a class the images are drawn at random. All indices where size is None or
    at least n.

    Args:
        labels: labels (n,).
        size: how many images; None means all.
        seed: key of the draws.
        stream: what the sample is for; see `randomness.generator`.
    """
    n = len(labels)
    if size is None or size >= n:
        return np.arange(n)
    rng = generator(seed, stream, 0)
    classes, counts = np.unique(labels, return_counts=True)
    quotas, remainders = np.divmod(size * counts, n)
    order = np.lexsort((rng.random(len(classes)), -remainders))
    quotas[order[: size - quotas.sum()]] += 1
    picked = [
        rng.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(picked))
