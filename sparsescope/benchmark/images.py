"""ImageSet: images read by index, float32 in [0, 1], (N, C, H, W); normalisation is the model's."""

import abc
import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.errors import DataError

__all__ = ["ArrayImages", "ImageSet"]


class ImageSet(abc.ABC):
    """A finite, ordered set of images, read by index so that memory stays bounded.

    Attributes:
        source: where it came from, as the user would write it.
        shape: (C, H, W) of every image.
        labels: int64 (n,), or None where the images have none.

    Example:
        >>> import numpy as np
        >>> from sparsescope import ArrayImages
        >>> images = ArrayImages(np.zeros((5, 8, 8, 3), np.uint8), np.arange(5))
        >>> images.read([4, 0]).shape, images.labels.tolist()
        (torch.Size([2, 3, 8, 8]), [0, 1, 2, 3, 4])
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

    Example:
        >>> import numpy as np
        >>> from sparsescope import ArrayImages
        >>> images = ArrayImages(np.full((2, 4, 4), 255, np.uint8), np.array([0, 1]))
        >>> images.shape, float(images.read([0]).max())
        ((1, 4, 4), 1.0)
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

    @override
    def __len__(self) -> int:
        return len(self._images)

    @override
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        picked = self._images[np.asarray(indices, dtype=np.int64)]
        if picked.dtype == np.uint8:
            return torch.from_numpy(np.ascontiguousarray(picked.transpose(0, 3, 1, 2))).float() / 255
        return torch.from_numpy(picked.astype(np.float32, copy=False))

    @override
    @cached_property
    def fingerprint(self) -> str:
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
            "Give pixels, not normalized values (the model normalizes), or uint8."
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
