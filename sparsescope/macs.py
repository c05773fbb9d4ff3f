"""How many multiplications a network takes for an image: its size, not its speed."""

import contextlib
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from sparsescope.classifier import Classifier
from sparsescope.modules import FixedBatch, RuntimeModule

__all__ = ["count_macs"]


def count_macs(classifier: Classifier, shape: Sequence[int]) -> int | None:
    """Return the multiply-accumulate operations of convolutions and matrix products for one image.

    Zeros are multiplied as every other number: only smaller shapes make them fewer. None where nobody can count: of
    networks that another runtime computes, in integers, or that cannot take such images.

    Args:
        classifier: the model.
        shape: (C, H, W) of the image.

    Example:
        >>> from sparsescope import Classifier
        >>> from sparsescope.macs import count_macs
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(128, 2))
        >>> count_macs(Classifier(network), (3, 4, 4))
        3712
    """
    if isinstance(classifier.module, RuntimeModule) or classifier.lacks.get("gradients"):
        return None
    images = classifier.module.size if isinstance(classifier.module, FixedBatch) else 1
    before = classifier.passes.forward
    counter = FlopCounterMode(display=False)
    try:
        with contextlib.suppress(Exception), torch.no_grad(), classifier.prepared(), counter:  # foreign code may raise
            classifier(torch.full((images, *shape), 0.5))
            return int(counter.get_total_flops()) // (2 * images)
    finally:
        classifier.passes.forward = before
    return None
