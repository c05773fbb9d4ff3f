"""Resizing: shorter side to a size, then a centre crop, as torchvision's `Resize` and `CenterCrop` do it; and grey."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import ImageSet
from sparsescope.errors import DataError, OptionError
from sparsescope.values import is_whole

__all__ = ["Interpolation", "ResizedImages", "Resizing", "resized"]

Interpolation = Literal["bilinear", "bicubic", "nearest"]
Picture = TypeVar("Picture", Tensor, Image)


@dataclass(frozen=True)
class Resizing:
    """Resize with antialiasing, then a centre crop; either may be left out.

    Args:
        resize: pixels of the shorter side; the longer side keeps the aspect ratio, rounded down.
        crop: height and width of the centre crop, pixels. Unlike torchvision, an image smaller than the crop is an
            error: black borders are no part of any test set.
        interpolation: of the resize.
        grey: whether image files, which can be read either way, are read in one channel instead of three.

    Raises:
        OptionError: a size below 1, or another interpolation.
    """

    resize: int | None = None
    crop: int | None = None
    grey: bool = field(default=False, repr=False)
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        for option, size in (("--resize", self.resize), ("--crop", self.crop)):
            if size is not None and not (is_whole(size) and size >= 1):
                raise OptionError(f"Expected {option} to be at least 1 pixel, a whole number, but got {size!r}.")

        if self.interpolation not in get_args(Interpolation):
            known = ", ".join(get_args(Interpolation))
            raise OptionError(f"Expected an interpolation of {known}, but got {self.interpolation!r}.")

    @property
    def key(self) -> str:
        """What identifies it in a fingerprint; images that are resized bilinearly keep those of earlier versions."""
        own = f", interpolation={self.interpolation!r}" if self.interpolation != "bilinear" else ""
        return f"Resizing(resize={self.resize}, crop={self.crop}{own})"

    def __bool__(self) -> bool:
        return self.resize is not None or self.crop is not None

    def output_size(self, height: int, width: int, source: str) -> tuple[int, int]:
        """Return (height, width) of the result; raises DataError, naming `source`, if the crop does not fit."""
        if self.resize is not None:
            long = int(self.resize * max(height, width) / min(height, width))
            height, width = (self.resize, long) if height <= width else (long, self.resize)
        if self.crop is None:
            return height, width
        if self.crop > min(height, width):
            raise DataError(
                f"Expected images of at least {self.crop} x {self.crop} pixels to crop, but {source} has {height} x "
                f"{width} (height x width). Give a smaller --crop, or --resize {self.crop} or more."
            )
        return self.crop, self.crop

    def __call__(self, picture: Picture) -> Picture:
        """Return the PIL image or the images (..., H, W), resized and cropped."""
        import torchvision.transforms.functional as F  # heavy, and most image sets need no resizing

        if self.resize is not None:
            picture = F.resize(picture, [self.resize], F.InterpolationMode(self.interpolation), antialias=True)
        if self.crop is not None:
            picture = F.center_crop(picture, [self.crop, self.crop])
        return picture


class ResizedImages(ImageSet):
    """Another set's images, resized as they are read."""

    def __init__(self, images: ImageSet, resizing: Resizing) -> None:
        self._images, self._resizing = images, resizing
        channels, height, width = images.shape
        self.source, self.labels = images.source, images.labels
        self.shape = (channels, *resizing.output_size(height, width, images.source))

    @override
    def __len__(self) -> int:
        return len(self._images)

    @override
    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        return self._resizing(self._images.read(indices)).clamp(0, 1)  # interpolation rounds: 1 may become 1 + 1e-7

    @override
    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self._images.fingerprint} {self._resizing.key}".encode()).hexdigest()


def resized(images: ImageSet, resizing: Resizing) -> ImageSet:
    """Return `images` seen through `resizing`; the same object where there is nothing to do."""
    return ResizedImages(images, resizing) if resizing else images
