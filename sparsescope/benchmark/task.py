"""Benchmark: the image sets of one task."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch

from sparsescope.benchmark.corrupted import CorruptedSet
from sparsescope.benchmark.images import ImageSet
from sparsescope.benchmark.probe import ProbeSet
from sparsescope.errors import DataError

__all__ = ["Benchmark", "OodGroup"]

_LOOKED_AT = 8

OodGroup = Literal["near", "far", "given"]
"""How far an out-of-distribution set is from the test images: other classes in the same manner, or another kind of
picture altogether; `given` where nobody said."""


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
        outputs: the model outputs that are the classes of the test set, in label order; models are cut to these.
            None means all.
        ood_outputs: out-of-distribution sets that are judged on some of the outputs (after any cut) -> these; their
            in-distribution side is the test images of these classes.
        probe: images with labelled concepts, for compositional neurons; None: these cannot be measured.

    Raises:
        DataError: test or training images without labels, sets of different image shapes, a group that is none or of
            no set, outputs without test images, or corrupted images that are not those of the test set; the text names
            the sets.

    Example:
        >>> import numpy as np
        >>> from sparsescope import ArrayImages, Benchmark
        >>> test = ArrayImages(np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1]))
        >>> letters = ArrayImages(np.ones((3, 8, 8, 1), np.uint8))
        >>> benchmark = Benchmark("toy", test, ood={"letters": letters}, classes=("zero", "one"))
        >>> list(benchmark.sets)
        ['test', 'ood:letters']
    """

    name: str
    test: ImageSet
    train: ImageSet | None = None
    ood: dict[str, ImageSet] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    ood_groups: dict[str, OodGroup] = field(default_factory=dict)
    corrupted: CorruptedSet | None = None
    outputs: tuple[int, ...] | None = None
    ood_outputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    probe: ProbeSet | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.ood, Mapping):
            raise DataError(f"Expected ood to be image sets by name, but got a {type(self.ood).__name__}.")
        for name, images in self.sets.items():
            if not isinstance(images, ImageSet):
                raise DataError(
                    f"Expected {name} to be an ImageSet, such as ArrayImages(images, labels), but got a "
                    f"{type(images).__name__}."
                )
        for name, group in self.ood_groups.items():
            if name not in self.ood or group not in get_args(OodGroup):
                raise DataError(
                    f"Expected ood_groups to say near, far or given of {list(self.ood)}, but got {name!r}: {group!r}."
                )
        labels = self.test.required_labels()
        for name, outputs in self.ood_outputs.items():
            if name not in self.ood or len(outputs) < 2 or not np.isin(labels, outputs).any():
                raise DataError(
                    f"Expected ood_outputs to give a set of {list(self.ood)} two or more of the classes that "
                    f"{self.test.source} has images of, but got {name!r}: {len(outputs)} outputs ({outputs[:3]} …)."
                )
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
        if self.probe is not None and tuple(self.probe.shape) != tuple(self.test.shape):
            raise DataError(
                f"Expected the probe images ({self.probe.source}) to have the test images' shape {self.test.shape} "
                f"(C, H, W), but they have {self.probe.shape}. Open them in that shape: open_probe(spec, shape)."
            )

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

    @cached_property
    def copies(self) -> dict[str, str]:
        """Sets whose images an earlier set of `sets` has -> that one, wherever they came from and whatever the labels.

        Some images of each are looked at.
        """
        found: dict[str, str] = {}
        named = list(self.sets.items())
        for place, (name, images) in enumerate(named):
            earlier = (other for other, there in named[:place] if other not in found and _alike(images, there))
            if (same := next(earlier, None)) is not None:
                found[name] = same
        return found

    @property
    def image_size(self) -> float:
        """How much larger than 32 x 32 pixels an image is: what work and memory of a forward pass are like."""
        _, height, width = self.test.shape
        return height * width / (32 * 32)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the fingerprints of all sets."""
        beside = {"corrupted": self.corrupted, "probe": self.probe}
        names = [*self.sets, *(name for name, images in beside.items() if images is not None)]
        parts = [f"{name}={self.fingerprint_of(name)}" for name in names]
        parts += [f"outputs={part}" for part in (self.outputs, self.ood_outputs) if part]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fingerprint_of(self, name: str) -> str:
        """Return the fingerprint of one set of `sets`, or of `corrupted` or `probe`."""
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


def _alike(one: ImageSet, other: ImageSet) -> bool:
    """Return whether two sets hold the same images in the same order, as far as some of them show."""
    if one is other or len(one) != len(other):
        return one is other
    some = np.unique(np.linspace(0, len(one) - 1, _LOOKED_AT).astype(np.int64))
    mine = one.read(some)
    if torch.equal(mine, mine[:1].expand_as(mine)):  # a few images of one picture show nothing
        return one.fingerprint == other.fingerprint
    return torch.equal(mine, other.read(some))
