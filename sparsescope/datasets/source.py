"""Source: what a data SPEC offers, before it is known what for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sparsescope.benchmark import Benchmark, ImageSet, OodGroup
from sparsescope.datasets.resizing import Resizing, resized
from sparsescope.errors import DataError

__all__ = ["DEFAULT_SHAPE", "WHOLE", "Shape", "Source", "drawn_source"]

WHOLE = "whole"
"""The split of a source that has only one: it serves as test set, training set or out-of-distribution set alike."""

Shape = tuple[int, int, int]
"""(C, H, W) of an image."""

DEFAULT_SHAPE: Shape = (3, 32, 32)
"""What a source that can draw any shape draws on its own."""


@dataclass(frozen=True)
class Source:
    """Image sets of one place; each is read only when it is asked for.

    Args:
        spec: as the user wrote it.
        name: short name for reports.
        splits: `"test"` and `"train"`, or `WHOLE` alone -> the function that reads the set.
        classes: class names in label order; empty where unknown.
        ood: its own out-of-distribution sets, used unless others are asked for.
        ood_groups: their groups; see `Benchmark.ood_groups`.
        benchmark: the whole task, where the user's code returned one; what the other fields do not say, it says.
        draw: for a source that is drawn: the function that draws it in a shape, as an out-of-distribution set needs it.
        outputs: the model outputs that the set is about, where it is defined on some of them; see `Benchmark`.
    """

    spec: str
    name: str
    splits: Mapping[str, Callable[[], ImageSet]]
    classes: tuple[str, ...] = ()
    ood: Mapping[str, Callable[[], ImageSet]] = field(default_factory=dict)
    ood_groups: Mapping[str, OodGroup] = field(default_factory=dict)
    benchmark: Benchmark | None = None
    draw: Callable[[Shape], ImageSet] | None = None
    outputs: tuple[int, ...] | None = None

    def images(self, split: str) -> ImageSet:
        """Return the images of `split`; raises DataError where there are none."""
        read = self.splits.get(split) or self.splits.get(WHOLE)
        if read is None:
            raise DataError(
                f"{self.spec} has no {split} images, only: {', '.join(self.splits)}. Choose another SPEC for them."
            )
        return read()


def drawn_source(spec: str, name: str, draw: Callable[[Shape], ImageSet], resizing: Resizing) -> Source:
    """Return a source of one set, drawn in the shape of the test images it stands beside; alone in DEFAULT_SHAPE."""
    return Source(spec, name, {WHOLE: lambda: resized(draw(DEFAULT_SHAPE), resizing)}, draw=draw)
