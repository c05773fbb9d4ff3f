"""A benchmark, a dense and a sparse network, and options that make a full evaluation take a second or two."""

import copy
from typing import Any

import numpy as np
import pytest
from array_probe import ArrayProbe, random_masks
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.pruning import prune

NORMALISATION: dict[str, tuple[float, ...]] = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}


@pytest.fixture
def benchmark() -> Benchmark:
    rng = np.random.default_rng(1)

    def images(n: int, source: str, *, labelled: bool = True) -> ArrayImages:
        # Smooth colour fields, so that there are superpixels and corruptions have something to change.
        coarse = rng.integers(0, 256, (n, 4, 4, 3)).astype(float)
        pixels = coarse.repeat(4, axis=1).repeat(4, axis=2) + rng.normal(0, 12, (n, 16, 16, 3))
        labels = rng.integers(0, 4, n) if labelled else None
        return ArrayImages(np.clip(pixels, 0, 255).astype(np.uint8), labels, source)

    ood = {"noise": images(30, "noise", labelled=False), "far": images(20, "far", labelled=False)}
    test, train = images(40, "test"), images(24, "train")
    probe = ArrayProbe(rng.random((24, 3, 16, 16)), random_masks(rng, 6, 24, 12, 12))
    return Benchmark("fields", test, train, ood, ("a", "b", "c", "d"), probe=probe)


@pytest.fixture
def dense(small_network: nn.Module) -> Classifier:
    return Classifier(small_network, **NORMALISATION, name="dense")


@pytest.fixture
def sparse(small_network: nn.Module) -> Classifier:
    pruned = copy.deepcopy(small_network)
    mask = prune("omp", pruned, sparsity=0.5)
    mask.apply(pruned)
    return Classifier(pruned, **NORMALISATION, mask=mask, name="sparse")


@pytest.fixture
def settings() -> dict[str, Any]:
    """Keyword arguments of `evaluate` that keep every metric, in small sizes, without a cache."""
    explanations = {"images": 6, "samples": 60, "superpixels": "grid"}
    return {
        "options": {
            "fidelity": explanations,
            "stability": explanations,
            "corruption_error": {"corruptions": ["gaussian_noise", "brightness", "contrast"], "cells_per_image": 5},
            "composition": {"fraction": 0.02},
            "weight_trace": {"images_per_unit": 4},
            "weight_top_eigenvalue": {"images_per_unit": 8},
        },
        "replicates": 200,
        "cache": False,
        "device": "cpu",
    }
