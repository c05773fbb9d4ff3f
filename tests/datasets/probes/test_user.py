"""Probe sets from the user's own code."""

import pytest

from sparsescope.datasets import open_benchmark, open_probe
from sparsescope.errors import DataError

SOURCE = """
import numpy as np
import torch
from sparsescope import ArrayImages, Benchmark, Concept, ProbeSet

class Halves(ProbeSet):
    source, label_shape, fingerprint = "halves", (2, 2), "f"
    concepts = (Concept("left", "position"), Concept("right", "position"))
    indices, masks, value, count = [0, 1], [[[1, 0], [1, 0]], [[0, 1], [0, 1]]], 0.5, 3
    def __init__(self, shape=(3, 8, 8), **changed):
        self.shape = shape
        self.__dict__.update(changed)
    def __len__(self):
        return self.count
    def read(self, indices):
        return torch.full((len(indices), *self.shape), self.value)
    def labels(self, index):
        return np.array(self.indices), np.array(self.masks, dtype=bool)

def fixed(): return Halves()
def fitting(shape): return Halves(shape)
def optional(value=0.25): return Halves(value=value)
def wrong(): return 5
def raising(): return 1 / 0
def empty(): return Halves(count=0)
def same(): return Halves(concepts=(Concept("left", "a"), Concept("left", "b")))
def bright(): return Halves(value=1.5)
def descending(): return Halves(indices=[1, 0])
def foreign(): return Halves(indices=[0, 2])
def misshapen(): return Halves(label_shape=(3, 3))
def breaking(): return Halves(masks=5, indices=None)
def bare():
    probe = Halves()
    del probe.shape
    return probe
class Broken(Halves):
    def labels(self, index):
        return 7
class Doubled(Halves):
    def read(self, indices):
        return super().read(indices).double()
NUMBER = 5

def whole():
    images = ArrayImages(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4))
    return Benchmark("mine", images, probe=Halves())
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "probes.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("name", "shape", "value"),
    [("fixed", (3, 8, 8), 0.5), ("fitting", (1, 5, 7), 0.5), ("optional", (3, 8, 8), 0.25)],
)
def test_what_the_function_returns(file, name, shape, value):
    probe = open_probe(f"{file}:{name}", shape)
    assert (probe.source, probe.shape, len(probe)) == ("halves", shape, 3)
    assert probe.read([0]).unique().tolist() == [value]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wrong", "expected it to return a ProbeSet, but got a int"),
        ("raising", "raised ZeroDivisionError: division by zero"),
        ("NUMBER", "expected a function, but it is a int"),
        ("empty", "expected images and concepts, but got 0 and 2"),
        ("same", "expected concepts with names of their own, but 'left' comes again"),
        ("bright", r"expected images in \[0, 1\], but the first reaches from 1\.5 to 1\.5"),
        ("Doubled", r"to return float32 \(1, 3, 8, 8\), but got torch\.float64"),
        ("breaking", r"ascending indices \(p,\) of its 2 concepts"),
        ("descending", r"ascending indices \(p,\) of its 2 concepts"),
        ("Broken", "its first image cannot be read: TypeError: 'int' object is not iterable"),
        ("bare", r"but it lacks \['shape'\]"),
        ("foreign", r"ascending indices \(p,\) of its 2 concepts"),
        ("misshapen", r"bool masks \(p, 3, 3\), but got int64 \(2,\) and bool \(2, 2, 2\)"),
    ],
)
def test_what_is_refused(file, name, text):
    with pytest.raises(DataError, match=text):
        open_probe(f"{file}:{name}", (3, 8, 8))


def test_another_shape_is_refused(file):
    with pytest.raises(
        DataError, match=r"model's input shape \(3, 9, 9\) .* but got \(3, 8, 8\)\. A function that needs"
    ):
        open_probe(f"{file}:fixed", (3, 9, 9))


def test_a_benchmark_keeps_the_probe_set_it_holds(file):
    assert open_benchmark(f"{file}:whole").probe.source == "halves"
    assert open_benchmark(f"{file}:whole", probe="shapes").probe.source == "shapes"
    with pytest.raises(DataError, match=r"probe images \(halves\) to have the test images' shape \(3, 6, 6\)"):
        open_benchmark(f"{file}:whole", resize=6)
