"""Source: what a data SPEC offers, before it is known what for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sparsescope.benchmark import ImageSet
from sparsescope.errors import DataError

__all__ = ["WHOLE", "Source"]

WHOLE = "whole"
"""The split of a source that has only one: it serves as test set, training set or out-of-distribution set alike."""


@dataclass(frozen=True)
class Source:
    """Image sets of one place; each is read only when it is asked for.

    Args:
        spec: as the user wrote it.
        name: short name for reports.
        splits: `"test"` and `"train"`, or `WHOLE` alone -> the function that reads the set.
        classes: class names in label order; empty where unknown.
        ood: its own out-of-distribution sets, used unless others are asked for.
    """

    spec: str
    name: str
    splits: Mapping[str, Callable[[], ImageSet]]
    classes: tuple[str, ...] = ()
    ood: Mapping[str, Callable[[], ImageSet]] = field(default_factory=dict)

    def images(self, split: str) -> ImageSet:
        """Return the images of `split`; raises DataError where there are none."""
        read = self.splits.get(split) or self.splits.get(WHOLE)
        if read is None:
            raise DataError(
                f"{self.spec} has no {split} images, only: {', '.join(self.splits)}. Choose another SPEC for them."
            )
        return read()
