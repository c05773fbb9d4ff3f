"""Data that say less than they seem to: one class, or images in which there is nothing to see."""

import numpy as np
import torch

from sparsescope.benchmark import Benchmark

__all__ = ["data_warnings"]

_LOOKED_AT = 8


def data_warnings(benchmark: Benchmark) -> tuple[str, ...]:
    """Return what a reader must know of the test images, as a sentence on the dense model each.

    A few of them are looked at.
    """
    found = []
    test = benchmark.test
    labels = np.unique(test.required_labels())
    if len(labels) == 1 and len(test) > 1:
        named = benchmark.classes[labels[0]] if labels[0] < len(benchmark.classes) else f"label {labels[0]}"
        found.append(
            f"is judged on test images of one class alone ({named}), and its numbers say nothing of the others"
        )
    images = test.read(np.unique(np.linspace(0, len(test) - 1, _LOOKED_AT).astype(np.int64)))
    if torch.equal(images, images[:1, :, :1, :1].expand_as(images)):
        found.append("is judged on test images of one and the same color, in which there is nothing to see")
    elif torch.equal(images, images[:, :, :1, :1].expand_as(images)):
        found.append("is judged on test images of a single color each, in which there is nothing to see")
    elif len(images) > 2 and torch.equal(images, images[:1].expand_as(images)):
        found.append("is judged on test images that are all the same picture")
    return tuple(found)
