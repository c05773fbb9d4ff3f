import numpy as np
import pytest
import reference_curvature as reference
import torch

from sparsescope.attacks import fgsm
from sparsescope.attacks.fgsm import fgsm_start
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
    looked = 2  # images of noise
    assert (small_classifier.passes.forward, small_classifier.passes.backward) == (3 * 40 + looked, 2 * 40 + looked)


def test_a_grid_costs_one_forward_pass_for_every_further_size(small_classifier, small_benchmark):
    run(Adversarial(8 / 255, epsilons=(0.01, 0.02, 8 / 255)), small_classifier, small_benchmark, batch_size=7)
    assert (small_classifier.passes.forward, small_classifier.passes.backward) == (5 * 40 + 2, 2 * 40 + 2)


@pytest.mark.parametrize("random_start", [False, True])
def test_curve_is_what_each_size_gives_by_itself(small_classifier, small_benchmark, random_start):
    sizes = (0.01, 0.03, 0.1)
    grid = Adversarial(0.03, epsilons=sizes, random_start=random_start)
    whole = run(grid, small_classifier, small_benchmark, seed=4)
    assert grid.grid == (sizes if random_start else (0.0, *sizes))
    images, labels = small_benchmark.test.read(range(40)), small_benchmark.test.labels
    for size, column in zip(grid.grid, whole["curve"].T, strict=True):
        with small_classifier.prepared(), torch.no_grad():
            attacked = fgsm(small_classifier, images, torch.from_numpy(labels), size, random_start=random_start, seed=4)
            np.testing.assert_array_equal(column, small_classifier(attacked).argmax(1).numpy() == labels)
    np.testing.assert_array_equal(whole["curve"][:, grid.grid.index(0.03)], whole["correct"])


def test_random_start_is_paired_by_image(small_classifier, small_benchmark):
    random = Adversarial(0.03, random_start=True)
    results = [run(random, small_classifier, small_benchmark, seed=4, batch_size=size) for size in (1, 7)]
    np.testing.assert_array_equal(results[0]["correct"], results[1]["correct"])
    ids, prepared = np.array([5, 30]), random.prepare(small_benchmark, np.array([5, 30]), 4)
    with small_classifier.prepared():
        part = random.measure(small_classifier, prepared, {}, 32)
    np.testing.assert_array_equal(part["correct"], results[0]["correct"][ids])


def test_one_whole_step_from_a_random_start_is_the_released_codes_attack(small_classifier, small_benchmark):
    """LinfPGDAttack of the released code, literally: one step of eps_iter = eps after rand_init, clipped twice."""
    epsilon, images = 0.05, small_benchmark.test.read(range(40))
    labels = torch.from_numpy(small_benchmark.test.labels)
    start = fgsm_start(images, epsilon, np.arange(40), 4)
    with small_classifier.prepared():
        delta = (start - images).requires_grad_()
        loss = torch.nn.functional.cross_entropy(small_classifier(images + delta), labels)
        (gradient,) = torch.autograd.grad(loss, delta)
        delta = (delta.detach() + epsilon * gradient.sign()).clamp(-epsilon, epsilon)
        with torch.no_grad():
            expected = small_classifier((images + delta).clamp(0, 1)).argmax(1) == labels
    released = run(Adversarial(epsilon, random_start=True, step=1.0), small_classifier, small_benchmark, seed=4)
    np.testing.assert_array_equal(released["correct"], expected.numpy())


def test_the_length_of_the_step_is_in_multiples_of_epsilon(small_classifier, small_benchmark):
    sizes = tuple(np.linspace(0.01, 0.5, 40))
    curves = {
        step: run(Adversarial(0.03, None, sizes, True, step), small_classifier, small_benchmark)["curve"]
        for step in (None, 1.25, 1.0)
    }
    np.testing.assert_array_equal(curves[None], curves[1.25])
    assert (curves[1.0] != curves[1.25]).any()
