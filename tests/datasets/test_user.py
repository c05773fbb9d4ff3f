import sys
from dataclasses import fields

import numpy as np
import pytest

from sparsescope.benchmark import Benchmark
from sparsescope.datasets import open_benchmark, open_images
from sparsescope.errors import DataError, InputError
from sparsescope.userfiles import load_object

_SOURCE = """
import numpy as np
import torch
from sparsescope.benchmark import ArrayImages, Benchmark, ImageSet
from sparsescope.benchmark import CorruptedSet
from sparsescope.benchmark import ProbeSet

rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
labels = np.arange(6) % 3


class Noise(ImageSet):
    source, shape, labels, fingerprint = "noise", (3, 8, 8), None, "f"
    value = 0.5
    def __len__(self):
        return 4
    def read(self, indices):
        return torch.full((len(indices), *self.shape), self.value)

class Bright(Noise):
    value = 1.5

class Doubled(Noise):
    def read(self, indices):
        return super().read(indices).double()

class Misshapen(Noise):
    shape = (3, 8, 8)
    def read(self, indices):
        return torch.zeros(len(indices), 8, 8, 3)

class Empty(Noise):
    def __len__(self):
        return 0

def whole():
    test, train = ArrayImages(pixels, labels), ArrayImages(pixels[:3], labels[:3])
    return Benchmark("mine", test, train, {"noise": Noise()}, ("a", "b", "c"), {"noise": "near"})

class Stored(CorruptedSet):
    source, shape, labels, cells, fingerprint = "stored", (3, 8, 8), labels, {"fog": (1, 2)}, "g"
    def read(self, corruption, severity, indices):
        return pixels[indices]

class Scenes(ProbeSet):
    source, shape, label_shape, concepts, fingerprint = "scenes", (3, 8, 8), (8, 8), (), "p"
    def __len__(self):
        return 6
    def read(self, indices):
        raise NotImplementedError
    def labels(self, index):
        raise NotImplementedError

def task():
    return Benchmark(
        "task", ArrayImages(pixels, labels), ArrayImages(pixels, labels), {"noise": Noise()}, ("a", "b", "c"),
        {"noise": "near"}, Stored(), outputs=(4, 5, 6), ood_outputs={"noise": (0, 2)}, probe=Scenes(),
    )

def bright():
    return Benchmark("mine", ArrayImages(pixels, labels), None, {"too bright": Bright()})

def pair():
    return pixels, labels

def tensors():
    return torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 0, 1, 0])

def lists():
    return pixels, list(range(6))

def unlabelled():
    return pixels, None

def nothing():
    pass

def triple():
    return pixels, labels, 3

def raises():
    return {}["photos"]

def wants(size):
    return pixels

def negative():
    return pixels.astype(float).transpose(0, 3, 1, 2) - 1, labels

constant = 3
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "mydata.py"
    path.write_text(_SOURCE)
    return path


def test_a_benchmark(file):
    benchmark = open_benchmark(f"{file}:whole")

    assert benchmark.name == "mine"
    assert benchmark.classes == ("a", "b", "c")
    assert benchmark.ood_groups == {"noise": "near"}
    assert {name: len(images) for name, images in benchmark.sets.items()} == {"test": 6, "train": 3, "ood:noise": 4}


def test_a_benchmark_loses_nothing(file):
    returned, opened = load_object(f"{file}:task")(), open_benchmark(f"{file}:task")

    for field in fields(Benchmark):
        value = getattr(opened, field.name)
        if field.name not in ("test", "train", "ood", "corrupted", "probe"):
            assert value == getattr(returned, field.name), field.name
        assert value is not None and value != () and value != {}, f"{field.name} is empty: give the example one"
    assert opened.fingerprint == returned.fingerprint
    assert (type(opened.corrupted).__name__, type(opened.probe).__name__) == ("Stored", "Scenes")


def test_what_belongs_to_its_ood_sets_goes_with_them(file):
    other = open_benchmark(f"{file}:task", ood=[f"{file}:unlabelled"])

    assert (other.ood_groups, other.ood_outputs, other.outputs) == ({"unlabelled": "given"}, {}, (4, 5, 6))
    assert other.corrupted is not None


def test_stored_corruptions_are_never_resized(file):
    with pytest.raises(DataError, match=r"corrupted images of stored .* of shape \(3, 16, 16\).* \(3, 8, 8\)"):
        open_benchmark(f"{file}:task", resize=16)


def test_a_benchmark_is_resized_throughout(file):
    benchmark = open_benchmark(f"{file}:whole", resize=16, crop=12)

    assert {images.shape for images in benchmark.sets.values()} == {(3, 12, 12)}


def test_other_ood_sets_replace_its_own(file):
    assert list(open_benchmark(f"{file}:whole", ood=[f"{file}:unlabelled", f"{file}:Noise"]).ood) == [
        "unlabelled",
        "Noise",
    ]


def test_pairs_of_arrays_tensors_and_lists(file):
    pair = open_benchmark(f"{file}:pair")
    assert (pair.name, pair.test.source, pair.classes) == ("pair", f"{file}:pair", ())
    assert pair.test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    tensors = open_benchmark(f"{file}:tensors")
    assert tensors.test.shape == (1, 8, 8)
    assert tensors.test.labels.tolist() == [0, 1, 0, 1, 0]
    assert open_images(f"{file}:lists").labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_an_image_set(file):
    assert open_images(f"{file}:Noise").read([0, 1]).shape == (2, 3, 8, 8)


def test_a_module(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)

    assert len(open_images("mydata:pair")) == 6
    assert np.array_equal(open_images("mydata:pair").read([3]), open_images(f"{file}:pair").read([3]))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nothing", r"expected it to return a Benchmark, an ImageSet or \(images, labels\), but got a NoneType\."),
        ("triple", r"or \(images, labels\), but got a tuple of 3\."),
        ("raises", "mydata.py:raises raised KeyError: 'photos'"),
        ("wants", "raised TypeError: wants.. missing 1 required positional argument: 'size'"),
        ("constant", "expected a function without arguments, but it is a int"),
        ("negative", r"mydata.py:negative: expected float images in \[0, 1\], but they reach from -1"),
        ("Bright", r"expected images in \[0, 1\], but the first of 'noise' reaches from 1.5 to 1.5\. Give pixels"),
        (
            "Doubled",
            r"expected read\(\[0\]\) to return float32 \(1, \*\(3, 8, 8\)\), but got torch.float64 \(1, 3, 8, 8\)",
        ),
        ("Misshapen", r"but got torch.float32 \(1, 8, 8, 3\)"),
        ("bright", r"expected images in \[0, 1\], but the first of 'noise' reaches from 1.5 to 1.5"),
        ("Empty", "expected at least one image, but the set 'noise' is empty"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_cause(file, name, text):
    with pytest.raises(DataError, match=text) as caught:
        open_images(f"{file}:{name}")
    assert str(file) in str(caught.value)


def test_a_name_that_is_not_there(file):
    with pytest.raises(InputError, match=r"mydata\.py has no 'pairs'\. Did you mean 'pair'"):
        open_images(f"{file}:pairs")
