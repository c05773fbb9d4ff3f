"""A corruption as a transform, for data loaders."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsescope.corruptions.engine import Table, corrupt
from sparsescope.errors import DataError

__all__ = ["Corruption"]


@dataclass(frozen=True)
class Corruption:
    """A callable that corrupts one image or a batch, in the manner of torchvision's transforms.

    A transform does not know an image's place in its set, so the random numbers are keyed by the image's own bytes:
    the same image always gets the same noise, in any order and any worker.

    Args:
        name: one of `STANDARD` or `EXTRA`.
        severity: 1 to 5.
        seed: non-negative key of all random numbers.
        parameters: severity table, as in `corrupt`.
    """

    name: str
    severity: int
    seed: int = 0
    parameters: Table = "auto"

    def __post_init__(self) -> None:
        self._corrupt(np.empty((0, 32, 32, 3), dtype=np.uint8))  # checks the options

    def __call__(self, image: Any) -> Any:
        """Return the corrupted image: a uint8 tensor (C, H, W) or (N, C, H, W), or a PIL image, as what came in."""
        import torch
        from PIL import Image

        if isinstance(image, Image.Image):
            grey = image.mode in ("1", "L", "LA")
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
            return Image.fromarray(self._corrupt(pixels.reshape(1, image.height, image.width, -1))[0].squeeze())
        if not isinstance(image, torch.Tensor) or image.ndim not in (3, 4):
            raise DataError(
                "Expected a PIL image or a uint8 tensor (C, H, W) or (N, C, H, W), but got "
                + (f"a tensor of shape {tuple(image.shape)}." if isinstance(image, torch.Tensor) else f"{type(image)}.")
            )
        batch = image.reshape(-1, *image.shape[-3:]).permute(0, 2, 3, 1).cpu().numpy()
        return torch.from_numpy(self._corrupt(batch)).permute(0, 3, 1, 2).reshape(image.shape).to(image.device)

    def _corrupt(self, images: Any) -> Any:
        ids = [int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=7).digest()) for image in images]
        return corrupt(images, self.name, self.severity, self.seed, ids=ids, parameters=self.parameters)
