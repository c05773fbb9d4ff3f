"""Fixtures that several rooms share."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier

sys.path.insert(0, str(Path(__file__).parent / "references"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data and real networks; tests that need it are skipped where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data is absent")
    return folder


@pytest.fixture
def small_network() -> nn.Module:
    """A seeded convolutional ReLU network with BatchNorm for 3 x 8 x 8 images and 4 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        )


@pytest.fixture
def small_classifier(small_network: nn.Module) -> Classifier:
    """`small_network` with normalisation."""
    return Classifier(small_network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), name="small")


@pytest.fixture
def small_benchmark() -> Benchmark:
    """40 test images, 24 training images and 30 out-of-distribution images of 3 x 8 x 8, 4 classes."""
    rng = np.random.default_rng(0)

    def images(n: int, source: str, *, labelled: bool = True) -> ArrayImages:
        pixels = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
        return ArrayImages(pixels, rng.integers(0, 4, n) if labelled else None, source)

    return Benchmark(
        "small", images(40, "test"), images(24, "train"), {"noise": images(30, "noise", labelled=False)}, tuple("abcd")
    )


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Test processes side by side would fight for the cores with their threads."""
    torch.set_num_threads(1)
