import numpy as np
import pytest
from sklearn.datasets import load_digits

from sparsescope.datasets import open_benchmark
from sparsescope.datasets.digits import digits
from sparsescope.datasets.grey_levels import upsample


def _pixels(images):
    return images.read(np.arange(len(images))).numpy()


def test_sizes_classes_and_range():
    benchmark = open_benchmark("digits")

    assert benchmark.name == "digits"
    assert benchmark.classes == tuple("0123456789")
    assert (len(benchmark.test), len(benchmark.train)) == (800, 997)
    assert benchmark.test.shape == benchmark.train.shape == (1, 32, 32)
    assert list(benchmark.ood) == ["letters"]
    pixels = _pixels(benchmark.test)
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert (benchmark.test.source, benchmark.train.source) == ("digits", "digits (train)")


def test_the_split_is_a_partition_of_the_embedded_digits():
    whole = load_digits()
    shown = [
        _key(image, label)
        for split in ("test", "train")
        for image, label in zip(_pixels(digits(split)), digits(split).labels, strict=True)
    ]

    # Upsampling is injective, so the images can be compared in either size; this one shows them as they are used.
    assert sorted(shown) == sorted(_key(*pair) for pair in zip(upsample(whole.images), whole.target, strict=True))


def _key(image, label):
    return int(label), image.astype(np.float32).tobytes()


@pytest.mark.parametrize("split", ["test", "train"])
def test_every_class_has_its_share(split):
    counts = np.bincount(digits(split).labels, minlength=10)
    share = np.bincount(load_digits().target) * len(digits(split)) / 1797

    assert np.abs(counts - share).max() < 1


def test_the_fixed_split_and_its_pixels_never_change():
    # Exact arithmetic on scikit-learn's embedded file: no library may move these.
    assert digits("test").fingerprint == "93f5e2bca7cf240343a4dc6186ccc1139d0580fbd2aebddd7a3d5d09f74ad9c3"
    assert digits("train").fingerprint == "ce06e3de299e4a7d849639b5d9e69d226d33c8687d7ecaa1838a1ed1a2272405"


def test_every_class_can_be_told_apart_by_a_nearest_neighbour():
    train, test = digits("train"), digits("test")
    a, b = _pixels(train).reshape(997, -1), _pixels(test).reshape(800, -1)
    distances = (a**2).sum(1)[None] - 2 * b @ a.T

    assert (train.labels[distances.argmin(1)] == test.labels).mean() > 0.97
