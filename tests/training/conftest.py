"""A tiny problem: 26 images of 3 x 8 x 8 in three classes that are easy to tell apart, and a network with dropout."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.benchmark import ArrayImages
from sparsescope.classifier import Classifier
from sparsescope.mask import Mask


def _images(n: int, seed: int) -> ArrayImages:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    pixels = rng.integers(0, 120, (n, 8, 8, 3))
    pixels[np.arange(n), :, :, labels] += 110
    return ArrayImages(pixels.astype(np.uint8), labels, "tiny")


@pytest.fixture
def tiny_images() -> ArrayImages:
    return _images(26, 0)


@pytest.fixture
def tiny_test() -> ArrayImages:
    return _images(20, 1)


@pytest.fixture
def make_classifier() -> Callable[..., Classifier]:
    def make(sparsity: float = 0.0, *, dropout: bool = True, normalised: bool = True) -> Classifier:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            module = nn.Sequential(
                nn.Conv2d(3, 6, 3, padding=1),
                nn.BatchNorm2d(6) if normalised else nn.Identity(),
                nn.ReLU(),
                nn.Dropout(0.2) if dropout else nn.Identity(),
                nn.Conv2d(6, 6, 3, stride=2),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(54, 3),
            )
            kept = torch.rand(module[4].weight.shape) >= sparsity
        return Classifier(module, (0.4,), (0.25,), mask=Mask({"4.weight": kept}) if sparsity else Mask({}))

    return make
