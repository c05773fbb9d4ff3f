import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsescope.benchmark import ArrayImages, Benchmark, stratified_sample
from sparsescope.datasets import open_probe
from sparsescope.errors import DataError

_RNG = np.random.default_rng(0)
_UINT8 = _RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
_FLOAT = _RNG.random((6, 3, 5, 4))


def test_uint8_images_become_exact_fractions():
    images = ArrayImages(_UINT8, [0, 1, 2, 0, 1, 2], "mine")

    shown = images.read([5, 0, 5])

    assert images.shape == (3, 5, 4)
    assert len(images) == 6
    assert (shown.dtype, shown.shape) == (torch.float32, (3, 3, 5, 4))
    assert np.array_equal(shown.numpy(), _UINT8[[5, 0, 5]].transpose(0, 3, 1, 2).astype(np.float32) / 255)
    assert images.labels.dtype == np.int64


def test_every_level_is_what_totensor_gives():
    from torchvision.transforms.functional import to_tensor

    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)

    assert torch.equal(ArrayImages(levels[None]).read([0])[0], to_tensor(levels[..., None]))


def test_float_images_are_given_back():
    images = ArrayImages(_FLOAT)

    assert images.shape == (3, 5, 4)
    assert np.array_equal(images.read(np.array([2, 1])).numpy(), _FLOAT[[2, 1]].astype(np.float32))
    assert images.labels is None


def test_what_is_read_is_a_copy():
    for pixels in (_UINT8.copy(), _FLOAT.astype(np.float32)):
        images = ArrayImages(pixels)
        images.read([0]).zero_()
        assert images.read([0]).sum() > 0


def test_greyscale_without_a_channel_axis():
    assert ArrayImages(_UINT8[..., 0]).shape == (1, 5, 4)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (_UINT8[:0], r"set is empty: expected at least one image, but got an array of shape \(0, 5, 4, 3\)"),
        (_FLOAT[:0], "set is empty"),
        (np.float64(0.5), "set is empty"),
        (_UINT8[0, 0], r"expected uint8 images \(N, H, W, C\) with 1 or 3 channels, but got shape \(4, 3\)"),
        (_UINT8.transpose(0, 3, 1, 2), r"but got shape \(6, 3, 5, 4\)"),
        (np.zeros((2, 4, 4, 2), np.uint8), r"with 1 or 3 channels, but got shape \(2, 4, 4, 2\)"),
        (_FLOAT.transpose(0, 2, 3, 1), r"expected float images \(N, C, H, W\) with 1 or 3 channels"),
        (_FLOAT[:, 0], r"expected float images .* but got shape \(6, 5, 4\)"),
        (_UINT8.astype(np.int32), "expected images of type uint8 or float, but got int32"),
        (np.array(["a"]), "expected images of type uint8 or float, but got <U1"),
        (_FLOAT * 255, r"expected float images in \[0, 1\], but they reach from .*Give pixels, not normalized values"),
        (_FLOAT - 1, r"expected float images in \[0, 1\], but they reach from -"),
        (np.where(_FLOAT > 0.9, np.nan, _FLOAT), "reach from nan to nan"),
        (np.where(_FLOAT > 0.9, np.inf, _FLOAT), "to inf"),
    ],
)
def test_images_that_cannot_be_used(images, text):
    with pytest.raises(DataError, match=text):
        ArrayImages(images, source="set")


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([0, 1], r"set: expected 6 labels of shape \(6,\), but got shape \(2,\)"),
        (np.eye(6, dtype=int), r"but got shape \(6, 6\)"),
        (np.zeros(6), "expected integer labels, but got float64"),
        (["a"] * 6, "expected integer labels, but got <U1"),
        ([0, 1, -1, 0, 0, 0], "expected labels >= 0, but image 2 has -1"),
    ],
)
def test_labels_that_cannot_be_used(labels, text):
    with pytest.raises(DataError, match=text):
        ArrayImages(_UINT8, labels, "set")


def test_fingerprint_is_that_of_pixels_and_labels():
    labels = np.arange(6)
    changed = _UINT8.copy()
    changed[3, 1, 2, 0] ^= 1
    sets = [
        ArrayImages(_UINT8),
        ArrayImages(_UINT8, labels),
        ArrayImages(_UINT8, labels[::-1]),
        ArrayImages(changed),
        ArrayImages(_UINT8[::-1]),
        ArrayImages(_UINT8.reshape(6, 4, 5, 3)),
        ArrayImages(_UINT8.transpose(0, 3, 1, 2) / 255),
    ]

    assert len({images.fingerprint for images in sets}) == len(sets)
    assert (
        ArrayImages(np.asfortranarray(_UINT8), labels.astype(np.uint8), "elsewhere").fingerprint == sets[1].fingerprint
    )
    assert pickle.loads(pickle.dumps(sets[1])).fingerprint == sets[1].fingerprint


def test_missing_labels_are_named():
    with pytest.raises(DataError, match="mine has no labels, and they are needed here"):
        ArrayImages(_UINT8, source="mine").required_labels()


def _labelled(n=4, size=8, channels=3, source="x"):
    return ArrayImages(np.zeros((n, size, size, channels), np.uint8), np.arange(n), source)


def test_the_sets_of_a_benchmark():
    ood = {"a": ArrayImages(np.zeros((5, 8, 8, 3), np.uint8)), "b": _labelled(2)}

    benchmark = Benchmark("task", _labelled(), _labelled(3), ood)

    assert {name: len(images) for name, images in benchmark.sets.items()} == {
        "test": 4,
        "train": 3,
        "ood:a": 5,
        "ood:b": 2,
    }
    assert list(Benchmark("task", _labelled()).sets) == ["test"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        benchmark.name = "other"


@pytest.mark.parametrize("which", ["test", "train"])
def test_test_and_training_images_need_labels(which):
    sets = {"test": _labelled(), "train": _labelled(), which: ArrayImages(_UINT8, source="bare")}
    with pytest.raises(DataError, match="bare has no labels"):
        Benchmark("task", **sets)


@pytest.mark.parametrize(
    ("sets", "name"),
    [
        ({"train": _labelled(size=9, source="big")}, r"train \(big\) has \(3, 9, 9\)"),
        ({"ood": {"svhn": _labelled(channels=1, source="grey")}}, r"ood:svhn \(grey\) has \(1, 8, 8\)"),
    ],
)
def test_sets_of_another_shape_are_named(sets, name):
    with pytest.raises(DataError, match=rf"test images' shape \(3, 8, 8\) \(C, H, W\), but {name}\. .*--resize/--crop"):
        Benchmark("task", _labelled(), **sets)


@pytest.mark.parametrize(
    ("groups", "got"), [({"b": "far"}, "'b': 'far'"), ({"a": "nearish"}, "'a': 'nearish'"), ({"a": None}, "'a': None")]
)
def test_groups_are_of_sets_and_near_far_or_given(groups, got):
    with pytest.raises(
        DataError, match=rf"^Expected ood_groups to say near, far or given of \['a'\], but got {got}\.$"
    ):
        Benchmark("task", _labelled(), ood={"a": _labelled()}, ood_groups=groups)


def test_a_probe_set_stands_beside_the_sets_and_in_the_fingerprint():
    probe = open_probe("shapes", (3, 8, 8))
    with_probe, without = Benchmark("task", _labelled(), probe=probe), Benchmark("task", _labelled())

    assert list(with_probe.sets) == ["test"]
    assert with_probe.fingerprint_of("probe") == probe.fingerprint
    assert with_probe.fingerprint != without.fingerprint
    with pytest.raises(KeyError):
        without.fingerprint_of("probe")
    with pytest.raises(
        DataError, match=r"probe images \(shapes\) to have the test images' shape \(3, 8, 8\) .* \(3, 9, 8\)"
    ):
        Benchmark("task", _labelled(), probe=open_probe("shapes", (3, 9, 8)))


def test_the_fingerprint_follows_every_set_and_its_name():
    base = {"test": _labelled(), "ood": {"a": _labelled(5)}}
    variants = [
        base,
        {**base, "test": _labelled(3)},
        {**base, "train": _labelled(5)},
        {**base, "ood": {"b": _labelled(5)}},
        {**base, "ood": {}},
    ]

    assert len({Benchmark("task", **sets).fingerprint for sets in variants}) == len(variants)


def test_labels_beyond_the_models_outputs():
    benchmark = Benchmark("task", _labelled(4), _labelled(6, source="more"))

    benchmark.check_labels(6)
    with pytest.raises(
        DataError, match=r"more: expected labels 0–4 \(the model has 5 outputs\), but train image 5 has"
    ):
        benchmark.check_labels(5)
    with pytest.raises(
        DataError, match=r"x: expected labels 0–2 .*, but test image 3 has label 3. Is this the model's"
    ):
        benchmark.check_labels(3)


@settings(max_examples=100)
@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=120).map(np.array),
    size=st.none() | st.integers(1, 130),
    seed=st.integers(0, 50),
)
def test_a_stratified_sample_is_a_sorted_subset_with_fair_shares(labels, size, seed):
    picked = stratified_sample(labels, size, seed, "s")

    n = len(labels)
    wanted = n if size is None else min(size, n)
    assert len(picked) == len(set(picked.tolist())) == wanted
    assert (np.diff(picked) > 0).all()
    counts, taken = np.bincount(labels, minlength=6), np.bincount(labels[picked], minlength=6)
    # One common threshold t on the relative rank: each class gives its t-th part, rounded up or down.
    low = max((taken[counts > 0] - 1) / counts[counts > 0])
    high = min((taken[counts > 0] + 1) / counts[counts > 0])
    assert low < high
    for size_a, a in zip(counts, taken, strict=True):
        assert all(abs(a - b) <= 1 for size_b, b in zip(counts, taken, strict=True) if size_a == size_b)


@settings(max_examples=30)
@given(size=st.integers(1, 99), seed=st.integers(0, 50), classes=st.sampled_from([1, 2, 4, 10]))
def test_equal_classes_differ_by_at_most_one_image(size, seed, classes):
    labels = np.arange(100 // classes * classes) % classes
    taken = np.bincount(labels[stratified_sample(labels, size, seed, "s")], minlength=classes)

    assert taken.max() - taken.min() <= 1


def test_every_image_has_the_same_chance():
    labels = np.array([0] * 10 + [1] * 2)
    hits = np.zeros(12)
    for seed in range(3000):
        hits[stratified_sample(labels, 3, seed, "s")] += 1

    # Binomial with p = 1/4: standard deviation 24 around 750.
    assert np.abs(hits - 750).max() < 4.5 * 24


def test_the_sample_depends_on_seed_and_stream_alone():
    labels = np.arange(200) % 5

    assert np.array_equal(stratified_sample(labels, 50, 0, "a"), stratified_sample(labels, 50, 0, "a"))
    assert not np.array_equal(stratified_sample(labels, 50, 0, "a"), stratified_sample(labels, 50, 1, "a"))
    assert not np.array_equal(stratified_sample(labels, 50, 0, "a"), stratified_sample(labels, 50, 0, "b"))


def test_the_whole_set_is_taken_in_order():
    assert stratified_sample(np.array([2, 0, 1]), None, 0, "s").tolist() == [0, 1, 2]
    assert stratified_sample(np.array([2, 0, 1]), 3, 0, "s").tolist() == [0, 1, 2]


@pytest.mark.parametrize("outputs", [{"sea": (0, 1)}, {"noise": (1,)}, {"noise": (7, 8)}])
def test_outputs_of_a_set_need_the_set_and_test_images(small_benchmark, outputs):
    with pytest.raises(DataError, match=r"Expected ood_outputs to give a set of .* two or more of the classes"):
        dataclasses.replace(small_benchmark, ood_outputs=outputs)


def test_outputs_are_part_of_the_fingerprint(small_benchmark):
    changed = [
        dataclasses.replace(small_benchmark, ood_outputs={"noise": (0, 1)}),
        dataclasses.replace(small_benchmark, outputs=(0, 1, 2, 4)),
    ]
    assert len({one.fingerprint for one in (small_benchmark, *changed)}) == 3
