import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.corruptions import STANDARD
from sparsescope.corruptions import corrupt as corrupt_for_real
from sparsescope.errors import NotEvaluated
from sparsescope.measurements import corrupted_predictions as module
from sparsescope.measurements.base import run
from sparsescope.measurements.corrupted_predictions import CorruptedPredictions, plan_cells
from sparsescope.randomness import generator

NAMES = ("fog", "snow", "contrast")


@pytest.fixture
def corrupt(monkeypatch):
    """Stand in for the corruption engine: noise keyed by cell, seed and image; calls are kept."""
    calls = []

    def corrupt(images, name, severity, *, seed, ids):
        assert images.dtype == np.uint8 and images.ndim == 4 and len(ids) == len(images)
        calls.append((name, severity, ids.tolist(), images))
        shift = [generator(seed, f"{name}/{severity}", i).integers(0, 40 * severity, images.shape[1:]) for i in ids]
        return np.clip(images + np.array(shift), 0, 255).astype(np.uint8)

    monkeypatch.setattr(module, "corrupt", corrupt)
    corrupt.calls = calls
    return corrupt


def some(cells_per_image=4, images=None):
    return CorruptedPredictions(NAMES, (1, 3, 5), images, cells_per_image)


class FourPixels(nn.Module):
    """The class is the brightest of the first four values: it changes with the noise."""

    def forward(self, images):
        return images.flatten(1)[:, :4]


def test_every_error_is_that_of_the_corrupted_image(corrupt, small_benchmark):
    classifier = Classifier(FourPixels())
    arrays = run(some(), classifier, small_benchmark, seed=5, batch_size=7)
    assert arrays["error"].shape == arrays["observed"].shape == (40, 3, 3)
    pixels = np.round(small_benchmark.test.read(range(40)).numpy() * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    wrong = np.empty((40, 3, 3), bool)
    for c, name in enumerate(NAMES):
        for s, severity in enumerate((1, 3, 5)):
            corrupted = corrupt(pixels, name, severity, seed=5, ids=np.arange(40))
            images = torch.from_numpy(corrupted.transpose(0, 3, 1, 2).astype(np.float32) / 255)
            wrong[:, c, s] = classifier(images).argmax(1).numpy() != small_benchmark.test.labels
    np.testing.assert_array_equal(arrays["error"], wrong & arrays["observed"])
    assert (wrong != wrong[:, :1, :1]).any()  # the corruptions matter


def test_confidence_and_loss_are_those_of_the_corrupted_image(corrupt, small_benchmark):
    classifier = Classifier(FourPixels())
    arrays = run(some(), classifier, small_benchmark, seed=5, batch_size=7)
    assert arrays["confidence"].dtype == arrays["nll"].dtype == np.float32
    pixels = small_benchmark.test.read_uint8(range(40))
    for c, name in enumerate(NAMES):
        corrupted = corrupt(pixels, name, 3, seed=5, ids=np.arange(40))
        logits = classifier(torch.from_numpy(corrupted.transpose(0, 3, 1, 2).astype(np.float32) / 255)).double()
        seen = arrays["observed"][:, c, 1]
        assert 0 < seen.sum() < 40
        chances = torch.softmax(logits, dim=1)
        picked = chances[range(40), small_benchmark.test.labels]
        np.testing.assert_allclose(arrays["confidence"][seen, c, 1], chances.max(1).values[seen], rtol=1e-6)
        np.testing.assert_allclose(arrays["nll"][seen, c, 1], -picked.log()[seen], rtol=1e-6)
        assert (arrays["confidence"][~seen, c, 1] == 0).all() and (arrays["nll"][~seen, c, 1] == 0).all()
        place = arrays["observed"].reshape(40, -1)[:, : 3 * c + 1].sum(axis=1)  # severity 3 is the second of three
        np.testing.assert_allclose(arrays["probabilities"][seen, place[seen]], chances[seen], rtol=1e-6)


@pytest.mark.parametrize(("classes", "kept"), [(100, True), (101, False)])
def test_probabilities_are_kept_of_up_to_a_hundred_classes(corrupt, small_benchmark, classes, kept):
    classifier = Classifier(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, classes)))
    arrays = run(CorruptedPredictions(("fog",), (1,), images=4), classifier, small_benchmark)
    assert ("probabilities" in arrays) == kept


def test_images_reach_the_corruptions_as_they_were_stored(corrupt, small_classifier):
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1).repeat(3, axis=3)
    benchmark = Benchmark("b", ArrayImages(pixels, np.arange(4)))
    run(some(None), small_classifier, benchmark)
    for _, _, ids, images in corrupt.calls:
        np.testing.assert_array_equal(images, pixels[ids])


def test_float_images_are_rounded_to_uint8(corrupt, small_classifier):
    images = np.full((2, 3, 8, 8), 100.4 / 255, np.float32)
    images[1] = 100.6 / 255
    run(some(None), small_classifier, Benchmark("b", ArrayImages(images, np.arange(2))))
    seen = corrupt.calls[0][3]
    assert (seen[0] == 100).all() and (seen[1] == 101).all()


def test_shards_and_batches_change_no_bit(corrupt, small_classifier, small_benchmark):
    measurement = some(images=30)
    whole = run(measurement, small_classifier, small_benchmark, seed=1, batch_size=64)
    ids = measurement.unit_ids(small_benchmark, 1)
    shuffled = np.random.default_rng(0).permutation(30)
    parts = []
    with small_classifier.prepared():
        for rows in np.split(shuffled, [1, 12]):
            shown = measurement.prepare(small_benchmark, ids[rows], 1)
            parts.append(measurement.measure(small_classifier, shown, {}, batch_size=3))
    for name, array in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), array[shuffled])


def test_images_are_the_units(corrupt, small_classifier, small_benchmark):
    measurement = some(images=10)
    arrays = run(measurement, small_classifier, small_benchmark, seed=2)
    np.testing.assert_array_equal(arrays["image"], measurement.unit_ids(small_benchmark, 2))
    assert measurement.population == "test/10"
    assert some().population == "test"
    asked = {i for _, _, ids, _ in corrupt.calls for i in ids}
    assert asked == set(arrays["image"].tolist())


def test_passes_are_images_times_cells_in_full_batches(corrupt, small_classifier, small_benchmark):
    sizes = []
    handle = small_classifier.module.register_forward_hook(lambda module, args, output: sizes.append(len(output)))
    run(some(4), small_classifier, small_benchmark, batch_size=32)
    handle.remove()
    assert small_classifier.passes.forward == 40 * 4
    assert sizes == [32] * 5
    assert some(4).cost(small_benchmark) == 4
    assert some(None).cost(small_benchmark) == some(99).cost(small_benchmark) == 9


def test_corruption_is_done_once_for_all_models(corrupt, small_classifier, small_benchmark):
    measurement = some()
    shown = measurement.prepare(small_benchmark, np.arange(40), 0)
    calls = len(corrupt.calls)
    kept = shown.images.copy()
    with small_classifier.prepared():
        first = measurement.measure(small_classifier, shown, {}, 16)
        second = measurement.measure(small_classifier, shown, {}, 16)
    assert len(corrupt.calls) == calls == 9
    np.testing.assert_array_equal(shown.images, kept)
    np.testing.assert_array_equal(first["error"], second["error"])


def test_one_image(corrupt, small_classifier):
    one = Benchmark("b", ArrayImages(np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, int)))
    assert run(some(2), small_classifier, one)["observed"].sum() == 2


def test_the_real_corruptions(small_classifier):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    benchmark = Benchmark("b", ArrayImages(pixels, rng.integers(0, 4, 20)))
    names = ("gaussian_noise", "brightness", "contrast")
    arrays = run(CorruptedPredictions(names, (1, 5)), small_classifier, benchmark, seed=3)
    small_classifier.module.eval()
    for c, name in enumerate(names):
        foreign = ArrayImages(corrupt_for_real(pixels, name, 5, seed=3))
        with torch.no_grad():
            wrong = small_classifier(foreign.read(range(20))).argmax(1).numpy() != benchmark.test.labels
        np.testing.assert_array_equal(arrays["error"][:, c, 1], wrong)


def test_defaults_are_the_fifteen_standard_corruptions_at_five_severities(small_benchmark):
    assert CorruptedPredictions().corruptions == STANDARD
    assert CorruptedPredictions().cost(small_benchmark) == 75


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 13), st.integers(0, 99))
def test_plan_is_balanced(labels, cells, per_image, seed):
    labels = np.array(labels)
    plan = plan_cells(labels, cells, per_image, seed)
    assert (plan.sum(axis=1) == min(per_image, cells)).all()
    assert np.ptp(plan.sum(axis=0)) <= 1
    for label in np.unique(labels):
        assert np.ptp(plan[labels == label].sum(axis=0)) <= 1


def test_standard_plan_spreads_evenly():
    """1,000 images of 10 classes, 15 of 75 cells each: 200 images per cell and 20 of every class."""
    labels = np.repeat(np.arange(10), 100)
    plan = plan_cells(labels, 75, 15, 0)
    assert (plan.sum(axis=0) == 200).all()
    assert (plan.reshape(10, 100, 75).sum(axis=1) == 20).all()


def test_plan_is_a_function_of_labels_and_seed():
    labels = np.arange(50) % 4
    plan = plan_cells(labels, 9, 4, 0)
    np.testing.assert_array_equal(plan_cells(labels.copy(), 9, 4, 0), plan)
    assert (plan_cells(labels, 9, 4, 1) != plan).any()


def test_every_image_is_equally_likely_to_be_seen_under_every_cell():
    labels = np.array([0, 0, 0, 1, 1, 2, 2])
    share = np.mean([plan_cells(labels, 5, 2, seed) for seed in range(2000)], axis=0)
    assert np.abs(share - 2 / 5).max() < 4.5 * np.sqrt(0.4 * 0.6 / 2000)


def test_all_cells_when_not_limited():
    assert plan_cells(np.arange(3), 5, None, 0).all()
    assert plan_cells(np.arange(3), 5, 5, 0).all()


def test_images_too_small_to_be_corrupted_are_a_reason_not_an_error():
    tiny = Benchmark("tiny", ArrayImages(np.zeros((3, 6, 9, 3), dtype=np.uint8), np.array([0, 1, 2])))
    with pytest.raises(NotEvaluated, match="images below 8 x 8 pixels are too small"):
        CorruptedPredictions().unit_ids(tiny, 0)
