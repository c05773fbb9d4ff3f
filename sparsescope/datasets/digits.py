"""`digits`: the 1,797 handwritten digits embedded in scikit-learn (UCI optdigits, Alpaydin & Kaynak 1998)."""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import ArrayImages, stratified_sample
from sparsescope.datasets.grey_levels import upsample
from sparsescope.datasets.letters import letters
from sparsescope.datasets.resizing import Resizing, resized
from sparsescope.datasets.source import Source

__all__ = ["digits", "open_digits"]

_TEST_IMAGES = 800


def open_digits(argument: str, resizing: Resizing) -> Source:
    """Return the digits with their fixed split, and the letters as their out-of-distribution set."""
    return Source(
        spec="digits",
        name="digits",
        splits={"test": lambda: resized(digits("test"), resizing), "train": lambda: resized(digits("train"), resizing)},
        classes=tuple("0123456789"),
        ood={"letters": lambda: resized(letters(), resizing)},
        ood_groups={"letters": "near"},
    )


def digits(split: Literal["test", "train"]) -> ArrayImages:
    """Return 800 test or 997 training images, 1 x 32 x 32, labels 0-9.

    The 8 x 8 grey levels are upsampled bilinearly (`grey_levels.upsample`). The split is fixed and stratified: every
    digit has its share of the test images. Writers are not told apart in the data, so they may be in both splits.
    """
    levels, labels = _dataset()
    in_test = np.zeros(len(labels), dtype=bool)
    in_test[stratified_sample(labels, _TEST_IMAGES, seed=0, stream="datasets/digits")] = True
    rows = in_test if split == "test" else ~in_test
    return ArrayImages(upsample(levels[rows]), labels[rows], "digits" if split == "test" else "digits (train)")


@cache
def _dataset() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target.astype(np.int64)
