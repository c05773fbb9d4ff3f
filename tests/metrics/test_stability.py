"""Stability: the reduction, its twin, and the whole way on real pixels."""

import numpy as np
import pytest
import reference_lime
import torch
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.lime import segment
from sparsescope.lime.perturbations import draw_neighbourhood, draw_pivots
from sparsescope.measurements.explanations import Explanations
from sparsescope.metrics.stability import Stability
from sparsescope.units import Units


def units(**changes) -> Units:
    """Three images: the second is skipped, the third constant."""
    arrays = {
        "stability": [0.3, 0.0, 0.0],
        "stability_relative": [1.5, 0.0, 0.0],
        "superpixels": [10, 1, 6],
        "valid": [True, False, True],
        "constant": [False, False, True],
        "singular": [False, False, False],
    } | changes
    return Units({"test/lime/3": 3}, {name: np.array(values) for name, values in arrays.items()})


def test_value_and_details_by_hand():
    assert Stability().value(units()) == pytest.approx(0.15)
    np.testing.assert_allclose(Stability().reduce(units(), np.array([[3.0, 9, 1], [0, 1, 0]])), [0.225, np.nan])
    details = Stability().details(units())
    assert details["stability_relative"] == pytest.approx(1.5)
    assert (details["images"], details["skipped_images"], details["constant_images"]) == (2, 1, 1)


def test_a_constant_model_looks_perfect_and_its_twin_is_undefined():
    details = Stability().details(units(constant=[True, False, True]))
    assert details["stability_relative"] is None and details["constant_images"] == 2


class Brightness(nn.Module):
    """Two classes by a curved function of the mean level."""

    def forward(self, x):
        level = 6 * x.mean(dim=(1, 2, 3)) ** 2 - 0.5
        return torch.stack([level, -level], dim=1)


@pytest.mark.parametrize("distance", ["hamming", "cosine"])
def test_whole_way_equals_the_literal_rewrite(distance):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    benchmark = Benchmark("blocks", ArrayImages(pixels, np.arange(12) % 3))
    metric = Stability(samples=50, pivots=3, images=4, target="own", distance=distance, kernel_width=0.3)
    classifier = Classifier(Brightness())
    ids = Explanations(images=4).unit_ids(benchmark, 0)
    expected, norms = [], []
    for i, image in zip(ids, benchmark.test.read(ids).numpy(), strict=True):
        segments = segment(image, "felzenszwalb")
        z = draw_neighbourhood(50, segments.max() + 1, 0, int(i)).astype(float)
        images = np.stack([reference_lime.perturbed(image, segments, row, 0.0) for row in z])
        probabilities = classifier(torch.from_numpy(images)).double().softmax(dim=1).numpy()
        y = probabilities[:, probabilities[0].argmax()]
        expected.append(reference_lime.stability(z, y, draw_pivots(50, 3, 0, int(i)), distance, 0.3, 1.0))
        norms.append(
            (reference_lime.ridge(z, y, reference_lime.weights_around(z, z[0], distance, 0.3), 1.0)[0] ** 2).sum()
        )
    measured = metric.measure(classifier, benchmark)
    np.testing.assert_allclose(measured["stability"], expected, rtol=1e-4)
    np.testing.assert_allclose(measured["stability_relative"], np.array(expected) / norms, rtol=1e-4)
    assert metric.value(measured) == pytest.approx(np.mean(expected), rel=1e-4)


def test_an_under_confident_model_has_better_raw_values_and_the_same_twins():
    """Probabilities 1/2 + (p - 1/2) / 10 explain exactly the same; the raw numbers fall a hundredfold."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (4, 4, 4, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    benchmark = Benchmark("blocks", ArrayImages(pixels, np.arange(4) % 2))

    class Flattened(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x):
            return 0.5 + self.scale * (Brightness()(x).softmax(dim=1) - 0.5)

    metric = Stability(samples=60, images=None, target="label")
    sure, unsure = (
        metric.measure(Classifier(Flattened(scale), output="probabilities"), benchmark) for scale in (1.0, 0.1)
    )
    assert metric.value(unsure) == pytest.approx(metric.value(sure) / 100, rel=1e-3)
    for twin in ("stability_relative", "fidelity_r2"):
        np.testing.assert_allclose(unsure[twin], sure[twin], rtol=1e-3, atol=1e-4)
