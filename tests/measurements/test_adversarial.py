import numpy as np
import reference_curvature as reference
import torch

from sparsescope.measurements.adversarial import Adversarial
from sparsescope.measurements.base import run
from sparsescope.measurements.predictions import Predictions


def clean_correct(classifier, benchmark, images=None):
    arrays = run(Predictions("test", images), classifier, benchmark)
    return arrays["logits"].argmax(1) == arrays["label"]


def test_epsilon_zero_is_the_clean_prediction(small_classifier, small_benchmark):
    arrays = run(Adversarial(epsilon=0.0), small_classifier, small_benchmark)
    for name in ("correct", "correct_margin"):
        np.testing.assert_array_equal(arrays[name], clean_correct(small_classifier, small_benchmark))


def test_against_the_literal_formula(small_classifier, small_benchmark):
    arrays = run(Adversarial(epsilon=0.05), small_classifier, small_benchmark)
    images, labels = small_benchmark.test.read(range(40)), small_benchmark.test.labels
    attacked = reference.fgsm(small_classifier, images, labels, 0.05)
    with torch.no_grad():
        expected = reference.doubled(small_classifier)(attacked).argmax(1).numpy() == labels
    np.testing.assert_array_equal(arrays["correct"], expected)
    assert (arrays["correct"] != clean_correct(small_classifier, small_benchmark)).any()


def test_does_not_depend_on_the_batch_size(small_classifier, small_benchmark):
    results = [run(Adversarial(), small_classifier, small_benchmark, batch_size=size) for size in (1, 7, 200)]
    for other in results[1:]:
        for name, array in results[0].items():
            np.testing.assert_array_equal(other[name], array)


def test_shares_the_units_of_the_clean_predictions(small_benchmark):
    for images in (None, 10):
        ours, clean = Adversarial(images=images), Predictions("test", images)
        assert ours.population == clean.population
        np.testing.assert_array_equal(ours.unit_ids(small_benchmark, 3), clean.unit_ids(small_benchmark, 3))


def test_counts_its_passes(small_classifier, small_benchmark):
    run(Adversarial(), small_classifier, small_benchmark, batch_size=7)
    assert (small_classifier.passes.forward, small_classifier.passes.backward) == (3 * 40, 2 * 40)
