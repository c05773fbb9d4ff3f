import zipfile

import numpy as np
import pytest

from sparsescope.datasets import open_benchmark, open_images
from sparsescope.errors import DataError

_RNG = np.random.default_rng(0)
_IMAGES = _RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


def _save(path, **arrays):
    np.savez_compressed(path, **arrays)
    return f"npz:{path}"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.npz"


def test_uint8_images(path):
    spec = _save(path, images=_IMAGES, labels=np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8), classes=["a", "b", "c"])

    benchmark = open_benchmark(spec)

    assert benchmark.name == "set"
    assert benchmark.classes == ("a", "b", "c")
    assert benchmark.train is None
    assert list(benchmark.ood) == ["uniform_noise", "gaussian_noise", "textures"]
    assert benchmark.test.shape == (3, 5, 4)
    assert benchmark.test.source == spec
    assert benchmark.test.labels.dtype == np.int64
    assert np.array_equal(benchmark.test.read([4, 1]).numpy(), np.float32(_IMAGES[[4, 1]].transpose(0, 3, 1, 2)) / 255)


def test_float_images_and_byte_string_classes(path):
    images = _RNG.random((3, 1, 4, 4))
    spec = _save(path, images=images, labels=[0, 1, 1], classes=np.array([b"x", b"y"]))

    benchmark = open_benchmark(spec)

    assert benchmark.classes == ("x", "y")
    assert np.array_equal(benchmark.test.read([2]).numpy()[0], images[2].astype(np.float32))


def test_labels_may_be_missing_where_they_are_not_used(path):
    assert open_images(_save(path, images=_IMAGES)).labels is None


def test_test_images_need_labels(path):
    spec = _save(path, images=_IMAGES)
    with pytest.raises(DataError, match=r"set\.npz has no labels, and they are needed here"):
        open_benchmark(spec)


def test_missing_images_lists_the_keys(path):
    with pytest.raises(DataError, match=r"expected an array 'images', but it holds only: x_test, y_test\."):
        open_images(_save(path, x_test=_IMAGES, y_test=np.zeros(6)))


@pytest.mark.parametrize("key", ["images", "labels", "classes"])
def test_object_arrays_are_refused(path, key):
    arrays = {"images": _IMAGES, "labels": np.zeros(6, int), "classes": ["a"]}
    arrays[key] = np.array([{}, 1, 2, 3, 4, 5], dtype=object)
    with pytest.raises(DataError, match=r"one is an object array, which is never unpickled\. Save the images"):
        open_images(_save(path, **arrays))


def test_an_object_array_that_is_not_used_does_no_harm(path):
    assert len(open_images(_save(path, images=_IMAGES, notes=np.array([{}], dtype=object)))) == 6


def test_no_file_or_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"no\.npz does not exist"):
        open_images(f"npz:{tmp_path}/no.npz")
    with pytest.raises(DataError, match=r"expected a file, but .* is a folder"):
        open_images(f"npz:{tmp_path}")


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"\x80\x04K\x01."])
def test_another_format(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected an archive as numpy\.savez writes it, but this is another format"):
        open_images(f"npz:{path}")


def test_a_bare_npy_file(path):
    with path.open("wb") as file:
        np.save(file, _IMAGES)
    with pytest.raises(DataError, match="this is another format"):
        open_images(f"npz:{path}")


def test_a_truncated_file(path):
    _save(path, images=_IMAGES)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="its end is missing: the file was cut short"):
        open_images(f"npz:{path}")


def test_damaged_contents(path):
    _save(path, images=_RNG.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8))
    data = bytearray(path.read_bytes())
    data[2000:2100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"the file is damaged \(.+\)\. Copy or write it again"):
        open_images(f"npz:{path}")


def test_a_member_that_is_no_array(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", "hello")
    with pytest.raises(DataError, match=r"expected an array .images., but it holds only: images"):
        open_images(f"npz:{path}")


def test_a_label_without_a_class(path):
    spec = _save(path, images=_IMAGES, labels=[0, 1, 2, 3, 0, 0], classes=["a", "b", "c"])
    with pytest.raises(DataError, match=r"expected labels 0–2 \(it has 3 classes\), but image 3 has label 3"):
        open_images(spec)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (_IMAGES[:0], "is empty"),
        (_IMAGES.transpose(0, 3, 1, 2), r"expected uint8 images \(N, H, W, C\) with 1 or 3 channels, but got shape"),
        (np.zeros((2, 4, 4, 4), np.uint8), "with 1 or 3 channels"),
        (_IMAGES.astype(np.float32), r"expected float images \(N, C, H, W\) with 1 or 3 channels"),
        (np.full((2, 3, 4, 4), 1.5), r"expected float images in \[0, 1\], but they reach from 1.5 to 1.5"),
        (_IMAGES.astype(np.int64), "type uint8 or float, but got int64"),
    ],
)
def test_unfit_images_are_refused_by_name(path, images, text):
    with pytest.raises(DataError, match=text) as caught:
        open_images(_save(path, images=images))
    assert str(caught.value).startswith(f"npz:{path}")


def test_names_of_classes_that_are_no_text(path):
    names = np.frombuffer(np.array([0x61, 0x7FFFFFFF, 0x62], dtype="<u4").tobytes(), dtype="<U1")
    with pytest.raises(DataError, match="some of them are no text"):
        open_benchmark(_save(path, images=_IMAGES, labels=np.arange(6) % 3, classes=names))


def test_real_files(shared_data):
    cifar = shared_data / "cifar10"

    benchmark = open_benchmark(
        f"npz:{cifar}/test1000.npz",
        train=f"npz:{cifar}/train4000.npz",
        ood=[f"npz:{shared_data}/ood/dtd10_1200.npz", f"npz:{shared_data}/ood/tinyimagenet4000.npz"],
    )

    assert benchmark.name == "test1000"
    assert benchmark.classes[:3] == ("airplane", "automobile", "bird")
    sizes = {name: len(images) for name, images in benchmark.sets.items()}
    assert sizes == {"test": 1000, "train": 4000, "ood:dtd10_1200": 1200, "ood:tinyimagenet4000": 4000}
    assert {images.shape for images in benchmark.sets.values()} == {(3, 32, 32)}
    benchmark.check_labels(10)
    with np.load(cifar / "test1000.npz") as archive:
        assert np.array_equal((benchmark.test.read([7])[0] * 255).numpy().transpose(1, 2, 0), archive["images"][7])
    with pytest.raises(DataError, match=r"expected labels 0–4 \(the model has 5 outputs\)"):
        benchmark.check_labels(5)
