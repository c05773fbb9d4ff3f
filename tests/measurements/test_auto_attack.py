import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.auto_attack import AutoAttack
from sparsescope.measurements.base import run


@pytest.fixture
def four_classes():
    """z = x on four pixels: two images with a gap of 0.4, one of them labelled wrong, and one of 0.02."""
    network = nn.Linear(4, 4, bias=False)
    network.weight.data = torch.eye(4)
    pixels = np.array([[0.9, 0.5, 0.1, 0.1], [0.9, 0.5, 0.1, 0.1], [0.5, 0.52, 0.1, 0.1]], dtype=np.float32)
    benchmark = Benchmark("four", ArrayImages(pixels.reshape(3, 1, 2, 2), np.array([0, 1, 1])))
    return Classifier(nn.Sequential(nn.Flatten(), network)), benchmark


@pytest.mark.skipif(importlib.util.find_spec("pyautoattack") is None, reason="needs pyautoattack")
def test_by_hand(four_classes):
    arrays = run(AutoAttack(epsilon=0.05), *four_classes)
    assert arrays["clean"].tolist() == [True, False, True]
    assert arrays["correct"].tolist() == [True, False, False]


def test_without_the_package_it_says_how_to_get_it(four_classes, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotEvaluated, match=r"pip install 'sparsescope\[attacks\]'"):
        AutoAttack().unit_ids(four_classes[1], 0)
