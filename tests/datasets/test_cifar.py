"""Tiny folders in the published format, byte for byte as Python 2's cPickle and an old numpy wrote it."""

import hashlib
import pickle
import struct
import warnings

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from sparsescope.datasets import open_benchmark, open_images
from sparsescope.errors import DataError

_KINDS = {"cifar10": CIFAR10, "cifar100": CIFAR100}
_NAMES10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def _string(text):
    return b"U" + bytes([len(text)]) + text.encode()


def _list(items):
    return b"](" + b"".join(items) + b"e"


def _array(array):
    raw = array.tobytes()
    return b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01" + b"".join(b"M" + struct.pack("<H", n) for n in array.shape) + b"\x86",
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb",
        ]
    )


def _pickled(entries):
    return b"\x80\x02}(" + b"".join(_string(key) + value for key, value in entries.items()) + b"u."


def _batch(key, images, labels):
    flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return _pickled({"data": _array(flat), key: _list(b"K" + bytes([label]) for label in labels)})


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Both tiny folders under one root; torchvision expects their real MD5 sums. Returns root and what is in them."""
    rng = np.random.default_rng(0)
    contents = {}
    for scheme, kind in _KINDS.items():
        folder = tmp_path / kind.base_folder
        folder.mkdir()
        classes = _NAMES10 if scheme == "cifar10" else [f"class {i}" for i in range(100)]
        sums = {}

        def write(name, data, folder=folder, sums=sums):
            (folder / name).write_bytes(data)
            sums[name] = hashlib.md5(data).hexdigest()

        for name, _ in (*kind.test_list, *kind.train_list):
            images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
            labels = rng.integers(0, len(classes), 4)
            write(name, _batch("labels" if scheme == "cifar10" else "fine_labels", images, labels))
            contents[scheme, name] = images, labels
        write(kind.meta["filename"], _pickled({kind.meta["key"]: _list(_string(name) for name in classes)}))
        for attribute in ("test_list", "train_list"):
            monkeypatch.setattr(kind, attribute, [[name, sums[name]] for name, _ in getattr(kind, attribute)])
        monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": sums[kind.meta["filename"]]})
    return tmp_path, contents


@pytest.mark.parametrize("inside", [False, True])
def test_cifar10_has_both_splits_in_order(folders, inside):
    root, contents = folders
    folder = root / "cifar-10-batches-py" if inside else root

    benchmark = open_benchmark(f"cifar10:{folder}")

    images, labels = contents["cifar10", "test_batch"]
    assert benchmark.classes == tuple(_NAMES10)
    assert benchmark.name == "cifar10"
    assert benchmark.test.shape == (3, 32, 32)
    assert np.array_equal(benchmark.test.labels, labels)
    shown = benchmark.test.read([0, 1, 2, 3]).numpy()
    assert np.array_equal(shown, images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    assert len(benchmark.train) == 20
    images, labels = contents["cifar10", "data_batch_3"]
    assert np.array_equal(benchmark.train.read([9]).numpy()[0], images[1].transpose(2, 0, 1).astype(np.float32) / 255)
    assert np.array_equal(benchmark.train.labels[8:12], labels)
    assert (benchmark.test.source, benchmark.train.source) == (f"cifar10:{folder}", f"cifar10:{folder} (train)")


def test_cifar100_has_fine_labels(folders):
    root, contents = folders

    benchmark = open_benchmark(f"cifar100:{root}", ood=[f"cifar10:{root}"])

    assert len(benchmark.classes) == 100
    assert np.array_equal(benchmark.test.labels, contents["cifar100", "test"][1])
    assert len(benchmark.train) == 4
    assert list(benchmark.ood) == ["cifar10"]


def test_resizing_applies_to_both_splits(folders):
    root, _ = folders

    assert open_images(f"cifar10:{root}", split="train", resize=40, crop=36).shape == (3, 36, 36)


def test_numpy_may_complain_of_the_old_format(folders, monkeypatch):
    """Numpy 2.4.0 warns of such files; users can do nothing about it, and warnings are errors in these tests."""
    root, _ = folders
    load = pickle.load

    def complaining(file, **options):
        warnings.warn(
            "dtype(): align should be passed as boolean", np.exceptions.VisibleDeprecationWarning, stacklevel=2
        )
        return load(file, **options)

    monkeypatch.setattr("torchvision.datasets.cifar.pickle.load", complaining)

    assert len(open_images(f"cifar10:{root}")) == 4


def test_a_missing_folder(tmp_path):
    with pytest.raises(DataError) as caught:
        open_images(f"cifar10:{tmp_path}/nowhere")

    text = str(caught.value)
    assert f"expected the folder {tmp_path}/nowhere/cifar-10-batches-py with the files test_batch, data_batch_1" in text
    assert "but there is none of them. Unpack cifar-10-python.tar.gz in" in text
    assert f"torchvision.datasets.CIFAR10('{tmp_path}/nowhere', download=True)" in text


def test_a_missing_file(folders):
    root, _ = folders
    (root / "cifar-100-python" / "meta").unlink()

    with pytest.raises(DataError, match=r"cifar-100-python with the files test, train, meta, but meta is missing\."):
        open_images(f"cifar100:{root}")


def test_a_damaged_file(folders):
    root, _ = folders
    path = root / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(DataError, match=r"but the MD5 of data_batch_2 is another\. Unpack cifar-10-python\.tar\.gz"):
        open_images(f"cifar10:{root}")


def test_a_foreign_pickle_is_never_opened(folders):
    root, _ = folders
    trap = root / "trap"
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(b"cos\nmkdir\n(V" + str(trap).encode() + b"\ntR.")

    with pytest.raises(DataError, match="the MD5 of test_batch is another"):
        open_images(f"cifar10:{root}")
    assert not trap.exists()
