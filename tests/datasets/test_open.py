from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sparsescope.datasets import SOURCES, open_benchmark, open_images
from sparsescope.errors import DataError, OptionError

_FORMS = f"Expected one of: {', '.join(SOURCES.forms())}"


def _npz(path, n=4, shape=(8, 8, 3), **others):
    np.savez(path, images=np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8), **others)
    return f"npz:{path}"


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("digit", "Did you mean digits"),
        ("cifra10:data", "Did you mean cifar10:DIR"),
        ("cifar-10:/data/x", "Did you mean cifar10:DIR"),
        ("CIFAR10:data/x", "Did you mean cifar10:DIR"),
        ("nzp:a.npz", "Did you mean npz:FILE"),
        ("foldr:photos", "Did you mean folder:DIR"),
        ("data/set.npz", "Did you mean npz:data/set.npz"),
        ("mine.py", "Did you mean mine.py:function, with the function's name"),
        ("", ""),
        ("???", ""),
    ],
)
def test_unknown_forms_get_the_list_and_what_is_close(spec, hint):
    with pytest.raises(OptionError) as caught:
        open_images(spec)
    assert str(caught.value).startswith(f"Unknown data {spec!r}. {hint}")
    assert _FORMS in str(caught.value)


def test_a_bare_folder(tmp_path):
    with pytest.raises(OptionError, match=f"Did you mean folder:{tmp_path}"):
        open_images(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "form"),
    [
        ("cifar10", "cifar10:DIR"),
        ("npz:", "npz:FILE"),
        ("folder", "folder:DIR"),
        ("digits:7", "digits"),
        ("letters:A", "letters"),
    ],
)
def test_an_argument_too_few_or_too_many(spec, form):
    with pytest.raises(OptionError, match=f"^Expected {form}, but got '{spec}'.$"):
        open_images(spec)


def test_a_module_that_is_not_there():
    with pytest.raises(ValueError, match=r"The module no_such_module could not be imported: ModuleNotFoundError"):
        open_images("no_such_module:function")


def test_one_set_serves_as_either_split(tmp_path):
    spec = _npz(tmp_path / "a.npz")

    assert torch.equal(open_images(spec, split="train").read([0]), open_images(spec, split="test").read([0]))
    assert len(open_images("digits", split="train")) == 997


def test_ood_names_are_unique(tmp_path):
    (tmp_path / "other").mkdir()
    data = _npz(tmp_path / "test.npz", labels=[0, 1, 0, 1])
    sets = [_npz(tmp_path / "svhn.npz", 5), _npz(tmp_path / "other" / "svhn.npz", 6), _npz(tmp_path / "svhn-2.npz", 7)]

    benchmark = open_benchmark(data, ood=sets)

    assert {name: len(images) for name, images in benchmark.ood.items()} == {"svhn": 5, "svhn-2": 6, "svhn-2-2": 7}


def test_ood_replaces_the_letters(tmp_path):
    spec = _npz(tmp_path / "grey.npz", shape=(32, 32, 1))

    assert list(open_benchmark("digits", ood=[spec]).ood) == ["grey"]
    assert list(open_benchmark("digits", ood=[spec, "letters"]).ood) == ["grey", "letters"]


def test_data_without_sets_of_its_own_gets_far_ones_in_its_shape(tmp_path):
    benchmark = open_benchmark(_npz(tmp_path / "a.npz", shape=(12, 10, 3), labels=[0, 1, 0, 1]), resize=20)

    assert list(benchmark.ood) == ["uniform_noise", "gaussian_noise", "textures"]
    assert {images.shape for images in benchmark.sets.values()} == {(3, 24, 20)}
    assert set(benchmark.ood_groups.values()) == {"far"}
    assert [images.source for images in benchmark.ood.values()] == ["noise:uniform", "noise:gaussian", "textures"]


def test_groups_of_sets(tmp_path):
    spec = _npz(tmp_path / "grey.npz", shape=(32, 32, 1))

    assert open_benchmark("digits").ood_groups == {"letters": "near"}
    benchmark = open_benchmark("digits", ood=[spec, "letters", "textures", "noise:uniform"])
    assert benchmark.ood_groups == {"grey": "given", "letters": "given", "textures": "far", "uniform_noise": "far"}
    assert benchmark.ood["textures"].shape == (1, 32, 32)


def test_drawn_images_have_no_labels_to_test_with():
    with pytest.raises(DataError, match=r"^textures has no labels, and they are needed here"):
        open_benchmark("textures")


def test_resizing_reaches_every_set(tmp_path):
    benchmark = open_benchmark("digits", ood=["letters"], resize=40, crop=36)
    assert {images.shape for images in benchmark.sets.values()} == {(1, 36, 36)}

    spec = _npz(tmp_path / "a.npz", shape=(48, 36, 3), labels=[0, 1, 2, 3])
    assert open_benchmark(spec, train=spec, resize=24).train.shape == (3, 32, 24)


def test_training_images_of_another_spec(tmp_path):
    data = _npz(tmp_path / "test.npz", 4, labels=[0, 1, 0, 1])
    train = _npz(tmp_path / "train.npz", 9, labels=np.arange(9) % 2)

    assert open_benchmark(data).train is None
    assert len(open_benchmark(data, train=train).train) == 9
    assert len(open_benchmark("digits", train="digits").train) == 997


def test_training_images_need_labels(tmp_path):
    data = _npz(tmp_path / "test.npz", 4, labels=[0, 1, 0, 1])
    with pytest.raises(DataError, match=r"train\.npz has no labels"):
        open_benchmark(data, train=_npz(tmp_path / "train.npz"))


def test_classes_in_another_order(tmp_path):
    data = _npz(tmp_path / "test.npz", 2, labels=[0, 1], classes=["cat", "dog"])
    train = _npz(tmp_path / "train.npz", 2, labels=[0, 1], classes=["dog", "cat"])
    with pytest.raises(DataError) as caught:
        open_benchmark(data, train=train)
    assert str(caught.value) == (
        f"Expected {data} and {train} to number their classes alike, but 'cat' has label 0 in the first "
        "and 1 in the second."
    )


def test_classes_by_another_name_are_no_contradiction(tmp_path):
    data = _npz(tmp_path / "test.npz", 2, labels=[0, 1], classes=["cat", "car"])
    train = _npz(tmp_path / "train.npz", 2, labels=[0, 1], classes=["cat", "automobile"])

    assert open_benchmark(data, train=train).classes == ("cat", "car")


def test_sets_of_another_shape_or_without_labels_are_refused(tmp_path):
    data = _npz(tmp_path / "test.npz", 4, labels=[0, 1, 0, 1])
    with pytest.raises(DataError, match=r"test images' shape \(3, 8, 8\) \(C, H, W\), but ood:large .*has \(3, 9, 9\)"):
        open_benchmark(data, ood=[_npz(tmp_path / "large.npz", shape=(9, 9, 3))])
    with pytest.raises(DataError, match=r"shape \(1, 32, 32\) \(C, H, W\), but ood:test .*has \(3, 8, 8\)"):
        open_benchmark("digits", ood=[data])
    with pytest.raises(DataError, match="letters has no labels"):
        open_benchmark("letters")


def test_one_out_of_distribution_set_need_not_be_in_a_list(tmp_path: Path) -> None:
    assert list(open_benchmark("digits", ood="textures").ood) == ["textures"]
    path: Any = tmp_path
    with pytest.raises(OptionError, match=r"Expected data as a text, one of: digits, .* but got .*Path"):
        open_benchmark("digits", ood=[path])
