"""Fidelity: the reduction, its counts and twin, and the whole way on real pixels."""

import numpy as np
import pytest
import reference_lime
import torch
from pydantic import ValidationError
from sklearn.datasets import load_digits
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.lime import segment
from sparsescope.lime.perturbations import draw_neighbourhood
from sparsescope.measurements.explanations import Explanations
from sparsescope.metrics.fidelity import Fidelity
from sparsescope.metrics.stability import Stability
from sparsescope.units import Units, resampling_weights


def units(**changes) -> Units:
    """Four images: the third is skipped, the fourth constant."""
    arrays = {
        "fidelity": [0.01, 0.03, 0.0, 0.0],
        "fidelity_r2": [0.9, 0.5, 0.0, 0.0],
        "stability": [0.2, 0.4, 0.0, 0.0],
        "stability_relative": [1.0, 2.0, 0.0, 0.0],
        "superpixels": [10, 20, 1, 6],
        "valid": [True, True, False, True],
        "constant": [False, False, False, True],
        "singular": [False, True, False, False],
    } | changes
    return Units({"test/lime/4": 4}, {name: np.array(values) for name, values in arrays.items()})


def test_value_by_hand():
    assert Fidelity().value(units()) == pytest.approx(0.04 / 3)
    weights = np.array([[1.0, 1, 1, 1], [2, 1, 5, 0], [0, 0, 3, 1], [0, 0, 9, 0]])
    np.testing.assert_allclose(Fidelity().reduce(units(), weights), [0.04 / 3, 0.05 / 3, 0, np.nan])


def test_details_by_hand():
    assert Fidelity().details(units()) == {
        "fidelity_r2": pytest.approx(0.7),
        "images": 3,
        "skipped_images": 1,
        "constant_images": 1,
        "singular_images": 1,
        "mean_superpixels": pytest.approx(12),
    }


def test_nothing_but_skipped_images_is_nan_and_plain_none_in_the_details():
    skipped = units(valid=[False] * 4)
    assert np.isnan(Fidelity().value(skipped))
    details = Fidelity().details(skipped)
    assert details["fidelity_r2"] is None and details["mean_superpixels"] is None
    assert details["images"] == 0 and details["skipped_images"] == 4


def test_permuting_units_changes_nothing():
    order = np.array([2, 0, 3, 1])
    base = units()
    shuffled = Units(base.strata, {name: array[order] for name, array in base.arrays.items()})
    weights = resampling_weights(base.strata, range(20), 0)
    np.testing.assert_allclose(
        Fidelity().reduce(base, weights), Fidelity().reduce(shuffled, weights[:, order]), rtol=1e-12
    )
    assert Fidelity().details(base) == pytest.approx(Fidelity().details(shuffled))


def test_the_defaults_are_the_papers_but_for_the_images():
    (measurement,) = Fidelity().measurements(None)
    assert measurement == Explanations(
        samples=1000,
        pivots=5,
        alpha=1.0,
        kernel_width=0.25,
        distance="hamming",
        fill=0.0,
        superpixels="auto",
        images=100,
        selection="stratified",
        target="dense",
    )
    assert Fidelity(samples=250).measurements(None) == Stability(samples=250).measurements(None)
    assert Fidelity(samples=250).measurements(None) != Stability().measurements(None)
    assert Fidelity(fill="0.5") == Fidelity(fill=0.5) and Fidelity(fill=[0, 0.5, 1]).fill == (0, 0.5, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": "euclid"}, "'hamming' or 'cosine'"),
        ({"samples": 4}, "Expected pivots to be from 1 to samples - 1 = 3, but got 5"),
        ({"images": 0}, "Expected images to be at least 1, but got 0"),
        ({"sample": 4}, "Unexpected keyword argument"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Fidelity(**options)


def test_declares_what_the_report_needs():
    for metric, label in ((Fidelity(), "Fidelity"), (Stability(), "Stability")):
        assert metric.label == label and metric.name == label.lower()
        assert metric.dimension == "interpretability" and not metric.higher_is_better
        assert metric.bounds == (0.0, None) and (metric.margin, metric.margin_kind) == (0.10, "relative")
        assert metric.in_verdict and metric.source == "Chen et al. 2022"


class Brightness(nn.Module):
    """Two classes by a curved function of the mean level, so that no linear model fits it."""

    def forward(self, x):
        level = 40 * x.mean(dim=(1, 2, 3)) ** 2 - 0.5
        return torch.stack([level, -level], dim=1)


@pytest.fixture(scope="module")
def digits() -> Benchmark:
    """60 digits at 32 x 32, one channel."""
    data = load_digits()
    pixels = (data.images[:60] / 16).repeat(4, axis=1).repeat(4, axis=2)
    return Benchmark("digits", ArrayImages(pixels[:, None], data.target[:60]))


def test_whole_way_on_digits_equals_the_literal_rewrite(digits):
    metric = Fidelity(samples=80, images=5, target="own", distance="cosine")
    classifier = Classifier(Brightness())
    ids = Explanations(images=5).unit_ids(digits, 3)
    expected = []
    for i, image in zip(ids, digits.test.read(ids).numpy(), strict=True):
        segments = segment(image, "felzenszwalb")
        z = draw_neighbourhood(80, segments.max() + 1, 3, int(i)).astype(float)
        images = np.stack([reference_lime.perturbed(image, segments, row, 0.0) for row in z])
        probabilities = classifier(torch.from_numpy(images)).double().softmax(dim=1).numpy()
        expected.append(reference_lime.fidelity(z, probabilities[:, probabilities[0].argmax()], "cosine", 0.25, 1.0))
    classifier.passes.forward = 0
    measured = metric.measure(classifier, digits, seed=3)
    np.testing.assert_allclose(measured["fidelity"], expected, rtol=1e-4)
    assert metric.value(measured) == pytest.approx(np.mean(expected), rel=1e-4)
    assert classifier.passes.forward == 5 * 80
    assert measured.strata == {"test/lime/5": 5}


def test_a_model_against_itself_is_equal_to_the_last_bit(small_network, small_benchmark):
    metric = Fidelity(samples=20, images=4, superpixels="grid")
    dense, sparse = Classifier(small_network, name="dense"), Classifier(small_network, name="sparse")
    alone = metric.measure(dense, small_benchmark)
    beside = metric.measure(sparse, small_benchmark, dense=dense)
    for name, array in alone.arrays.items():
        np.testing.assert_array_equal(array, beside[name], err_msg=name)
