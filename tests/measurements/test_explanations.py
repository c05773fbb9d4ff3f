"""The measurement behind fidelity and stability: units, classes, arrays, sharing and pairing."""

import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError
from sparsescope.lime.perturbations import draw_neighbourhood
from sparsescope.measurements.base import run
from sparsescope.measurements.explanations import Explanations
from sparsescope.measurements.predictions import Predictions

QUICK = Explanations(samples=20, images=6, superpixels="grid")
NAMES = {
    "fidelity",
    "fidelity_r2",
    "stability",
    "stability_relative",
    "superpixels",
    "valid",
    "constant",
    "singular",
}


@pytest.fixture
def dense(small_classifier, small_benchmark):
    return {Predictions("test"): run(Predictions("test"), small_classifier, small_benchmark)}


def test_arrays_and_counted_passes(small_classifier, small_benchmark, dense):
    small_classifier.passes.forward = 0
    arrays = run(QUICK, small_classifier, small_benchmark, dense=dense)
    assert set(arrays) == NAMES
    assert all(len(array) == 6 for array in arrays.values())
    assert small_classifier.passes.forward == 6 * 20 == 6 * QUICK.cost(small_benchmark)
    assert arrays["valid"].all() and (arrays["superpixels"] == 64).all()
    assert {arrays[name].dtype for name in ("valid", "constant", "singular")} == {np.dtype(bool)}
    assert arrays["superpixels"].dtype == np.int64 and arrays["fidelity"].dtype == np.float64
    assert (arrays["fidelity"] > 0).all() and (arrays["stability"] > 0).all()


def test_units_are_a_stratified_sample_or_the_first_images(small_benchmark):
    labels = small_benchmark.test.labels
    ids = Explanations(images=20).unit_ids(small_benchmark, 0)
    counts = np.bincount(labels[ids], minlength=4)
    assert np.abs(counts - np.bincount(labels, minlength=4) / 2).max() <= 1
    assert not np.array_equal(ids, Explanations(images=20).unit_ids(small_benchmark, 1))
    first = Explanations(images=20, selection="first")
    np.testing.assert_array_equal(first.unit_ids(small_benchmark, 1), np.arange(20))
    for options in ({"images": None}, {"images": 1000}, {"images": None, "selection": "first"}):
        np.testing.assert_array_equal(Explanations(**options).unit_ids(small_benchmark, 0), np.arange(40))


def test_populations_name_their_units():
    names = [
        Explanations(images=50).population,
        Explanations(images=50, selection="first").population,
        Explanations(images=None).population,
    ]
    assert names == ["test/lime/50", "test/lime/first/50", "test"]
    assert Explanations(samples=10).population == Explanations().population == "test/lime/100"


def test_the_explained_class(small_classifier, small_benchmark, dense):
    ids = QUICK.unit_ids(small_benchmark, 0)
    top = dense[Predictions("test")]["logits"].argmax(axis=1)[ids]
    assert QUICK.requires() == (Predictions("test"),)
    np.testing.assert_array_equal(QUICK.given(small_benchmark, 0, dense)["target"], top)
    own = Explanations(samples=20, images=6, superpixels="grid", target="own")
    label = Explanations(samples=20, images=6, superpixels="grid", target="label")
    assert own.requires() == label.requires() == ()
    assert own.given(small_benchmark, 0, {}) == {}
    np.testing.assert_array_equal(label.given(small_benchmark, 0, {})["target"], small_benchmark.test.labels[ids])
    by_dense = run(QUICK, small_classifier, small_benchmark, dense=dense)
    by_own = run(own, small_classifier, small_benchmark)
    by_label = run(label, small_classifier, small_benchmark)
    np.testing.assert_allclose(by_dense["fidelity"], by_own["fidelity"])  # the dense model's own class is its own
    differs = top != small_benchmark.test.labels[ids]
    assert differs.any()
    assert (np.abs(by_label["fidelity"] - by_own["fidelity"]) > 1e-12)[differs].all()


def test_a_sparse_model_explains_the_dense_models_class(small_benchmark, dense):
    """This model always prefers class 0; it must be asked about the dense model's class all the same."""

    class Seen(nn.Module):
        def forward(self, x):
            level = x.mean(dim=(1, 2, 3))
            return torch.stack([level + 9, level, -level, 2 * level], dim=1)

    classifier = Classifier(Seen())
    top = QUICK.given(small_benchmark, 0, dense)["target"]
    assert (top != 0).any()
    asked = run(QUICK, classifier, small_benchmark, dense=dense)
    own = run(Explanations(samples=20, images=6, superpixels="grid", target="own"), classifier, small_benchmark)
    same = np.isclose(asked["fidelity"], own["fidelity"], rtol=1e-3, atol=0)
    np.testing.assert_array_equal(same, top == 0)


def test_batches_and_shards_change_nothing(small_classifier, small_benchmark, dense):
    base = run(QUICK, small_classifier, small_benchmark, dense=dense)
    runs = [run(QUICK, small_classifier, small_benchmark, dense=dense, batch_size=size) for size in (1, 7, 200)]
    ids = QUICK.unit_ids(small_benchmark, 0)
    target = QUICK.given(small_benchmark, 0, dense)["target"]
    with small_classifier.prepared():
        shards = [
            QUICK.measure(small_classifier, QUICK.prepare(small_benchmark, ids[s], 0), {"target": target[s]}, 32)
            for s in (slice(0, 1), slice(1, 4), slice(4, 6))
        ]
    runs.append({name: np.concatenate([shard[name] for shard in shards]) for name in NAMES})
    for other in runs:
        for name in NAMES:
            np.testing.assert_allclose(other[name], base[name], rtol=1e-3, atol=1e-10, err_msg=name)


def test_the_seed_decides_the_perturbations(small_classifier, small_benchmark):
    options = {"samples": 20, "images": 6, "superpixels": "grid", "selection": "first", "target": "own"}
    first, again, other = (
        run(Explanations(**options), small_classifier, small_benchmark, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first["fidelity"], again["fidelity"])
    assert (first["fidelity"] != other["fidelity"]).all()


def test_random_numbers_are_keyed_by_the_images_place_in_the_test_set(small_benchmark, small_classifier):
    measurement = Explanations(samples=20, images=3, superpixels="grid", target="own")
    ids = measurement.unit_ids(small_benchmark, 0)
    shown = measurement.prepare(small_benchmark, ids, 0)
    assert [item.image_id for item in shown.images] == ids.tolist()
    rows = [draw_neighbourhood(20, 64, 0, int(i)) for i in ids]
    assert not np.array_equal(rows[0], rows[1])


def test_images_of_one_superpixel_are_skipped_and_marked(small_classifier):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    images[[1, 3]] = 90
    measurement = Explanations(samples=15, pivots=2, images=None, superpixels="felzenszwalb", target="own")
    noisy = ArrayImages(images.repeat(4, axis=1).repeat(4, axis=2), np.zeros(4, int))
    arrays = run(measurement, small_classifier, Benchmark("b", noisy))
    assert arrays["valid"].tolist() == [True, False, True, False]
    assert arrays["superpixels"][[1, 3]].tolist() == [1, 1]
    assert small_classifier.passes.forward == 2 * 15
    for name in NAMES - {"valid", "superpixels"}:
        assert not arrays[name][[1, 3]].any()


def test_missing_dense_predictions_and_bad_options(small_classifier, small_benchmark):
    with pytest.raises(InputError, match=r"Expected the dense model's predictions of the test images.*target='own'"):
        run(QUICK, small_classifier, small_benchmark)
    with pytest.raises(OptionError, match="Expected images to be at least 1, but got 0"):
        Explanations(images=0)
    with pytest.raises(OptionError, match="Expected samples to be at least 2"):
        Explanations(samples=0)
    with pytest.raises(OptionError, match="Expected target to be one of dense, own, label, but got 'top'"):
        Explanations(target="top")
    with pytest.raises(OptionError, match="Expected selection to be one of stratified, first, but got 'last'"):
        Explanations(selection="last")


def test_equal_options_are_one_measurement():
    assert Explanations(samples=20) == Explanations(samples=20) and len({Explanations(), Explanations()}) == 1
    assert Explanations(samples=20) != Explanations(samples=21)
