"""ProbeSet: images whose every pixel is labelled with concepts, to ask what the units of a network respond to."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Concept", "ProbeSet"]


@dataclass(frozen=True)
class Concept:
    """Something that a probe image can show: `name` as formulas print it, and its `category`, such as `color`.

    Example:
        >>> from sparsescope import Concept
        >>> Concept("red", category="color").category
        'color'
    """

    name: str
    category: str


class ProbeSet(abc.ABC):
    """A finite, ordered set of images with densely labelled concepts, read by index so that memory stays bounded.

    Attributes:
        source: where it came from, as the user would write it.
        shape: (C, H, W) of every image, that of the model's input.
        label_shape: (h, w) of every label map; it need not be (H, W).
        concepts: all concepts, in label order: ties between formulas are broken by it.

    Example:
        >>> from sparsescope import open_probe
        >>> probe = open_probe("shapes", (3, 32, 32))
        >>> indices, where = probe.labels(0)
        >>> probe.read([0, 1]).shape, where.shape == (len(indices), *probe.label_shape)
        (torch.Size([2, 3, 32, 32]), True)
    """

    source: str
    shape: tuple[int, int, int]
    label_shape: tuple[int, int]
    concepts: tuple[Concept, ...]

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Return the images float32 (len(indices), C, H, W) in [0, 1], on the CPU, in the order asked."""

    @abc.abstractmethod
    def labels(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return what one image shows: indices (p,) into `concepts`, ascending, and where, bool (p, h, w).

        A concept of the whole image, such as a scene, is True everywhere. A concept that covers no pixel is not there.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides what `read` and `labels` return."""
