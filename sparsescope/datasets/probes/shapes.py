"""`shapes`: scenes of shapes, colours, textures, parts and positions, drawn with exact masks; nothing to download."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import ProbeSet
from sparsescope.datasets.probes import CHANNELS
from sparsescope.datasets.probes.scenes import Scene, concepts, paint_scene
from sparsescope.datasets.source import Shape
from sparsescope.errors import DataError
from sparsescope.randomness import generator

__all__ = ["Shapes", "open_shapes"]

_IMAGES = 400
_HASHED = 8


def open_shapes(argument: str, shape: Shape) -> "Shapes":
    """Return the scenes in the model's input shape; raises DataError for channels that are not 1 or 3."""
    return Shapes(shape)


class Shapes(ProbeSet):
    """Scenes painted as they are asked for, in any size, of 1 or 3 channels; label maps have the images' size.

    Image i depends on i and the shape alone, and looks alike at every size. With three channels there are 46 concepts,
    11 of them colours; with one channel 40, grey levels taking the colours' place.

    Args:
        shape: (C, H, W) of every image.
        images: how many there are.

    Raises:
        DataError: channels that are not 1 or 3.
    """

    def __init__(self, shape: Shape, images: int = _IMAGES) -> None:
        if shape[0] not in CHANNELS:
            raise DataError(f"shapes: expected a model with 1 or 3 input channels, but it takes {shape[0]}.")
        self.source, self.shape, self.label_shape = "shapes", shape, shape[1:]
        self.concepts = concepts(shape[0])
        self._images = images

    @override
    def __len__(self) -> int:
        return self._images

    @override
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        levels = np.stack([np.rint(self._scene(index).pixels * 255) for index in indices])
        return torch.from_numpy((levels / 255).astype(np.float32).transpose(0, 3, 1, 2).copy())

    @override
    def labels(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        masks = self._scene(index).masks
        shown = [number for number, concept in enumerate(self.concepts) if _visible(masks.get(concept.name))]
        return np.array(shown, dtype=np.int64), np.stack([masks[self.concepts[number].name] for number in shown])

    @override
    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of shape, number and concepts, and of the first scenes, since the rest is drawn likewise."""
        digest = hashlib.sha256(repr((self.shape, len(self), self.concepts)).encode())
        first = range(min(_HASHED, len(self)))
        digest.update(self.read(first).numpy().tobytes())
        for index in first:
            for part in self.labels(index):
                digest.update(part.tobytes())
        return digest.hexdigest()

    def _scene(self, index: int) -> Scene:
        return paint_scene(generator(0, "datasets/shapes", int(range(len(self))[index])), self.shape)


def _visible(mask: NDArray[np.bool_] | None) -> bool:
    return mask is not None and bool(mask.any())
