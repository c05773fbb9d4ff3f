import os
import pickle
import shutil
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from sparsescope.datasets import open_benchmark, open_images
from sparsescope.errors import DataError, SparsescopeWarning


def _write(path, size=(6, 5), seed=0, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes of PNG and JPEG files, 6 pixels wide and 5 high."""
    for seed, name in enumerate(["dog/2.png", "cat/b.png", "cat/a.jpg", "dog/1.PNG", "dog/10.jpeg"]):
        _write(tmp_path / name, seed=seed)
    return tmp_path


def test_classes_order_and_pixels(folder):
    benchmark = open_benchmark(f"folder:{folder}")

    assert benchmark.classes == ("cat", "dog")
    assert benchmark.name == folder.name
    assert benchmark.train is None
    assert benchmark.test.shape == (3, 5, 6)
    assert benchmark.test.labels.tolist() == [0, 0, 1, 1, 1]
    with Image.open(folder / "cat" / "b.png") as image:
        expected = np.asarray(image).transpose(2, 0, 1)
    assert np.array_equal((benchmark.test.read([1])[0] * 255).numpy(), expected)


@pytest.mark.parametrize(("resize", "crop"), [(None, None), (12, None), (9, 8), (None, 4), (4, 3)])
def test_pixels_and_labels_are_torchvisions(folder, resize, crop):
    steps = ([transforms.Resize(resize)] if resize else []) + ([transforms.CenterCrop(crop)] if crop else [])
    reference = ImageFolder(folder, transforms.Compose([*steps, transforms.ToTensor()]))

    images = open_images(f"folder:{folder}", resize=resize, crop=crop)

    assert torch.equal(images.read(range(5)), torch.stack([image for image, _ in reference]))
    assert images.labels.tolist() == reference.targets
    assert torch.equal(images.read([3, 0]), images.read(range(5))[[3, 0]])


def test_grey_images(folder):
    _write(folder / "dog" / "3.png", seed=9, mode="L")
    colour, grey = (open_images(f"folder:{folder}", grey=grey) for grey in (False, True))

    assert grey.shape == (1, 5, 6) and grey.read_uint8(range(6)).shape == (6, 5, 6, 1)
    with Image.open(folder / "dog" / "3.png") as image:
        assert np.array_equal(grey.read_uint8([5])[0, ..., 0], np.asarray(image)), "a grey file keeps its levels"
    luma = (colour.read(range(6)) * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    assert torch.allclose(grey.read(range(6)), luma, atol=1 / 255)
    assert grey.fingerprint != colour.fingerprint
    resized = open_benchmark(f"folder:{folder}", ood=[f"folder:{folder}", "textures"], resize=8, crop=8, grey=True)
    assert {images.shape for images in resized.sets.values()} == {(1, 8, 8)}


def test_pictures_side_by_side_are_a_set_without_labels(folder, tmp_path):
    flat = tmp_path / "holiday"
    for seed, name in enumerate(["b.png", "a.JPG", ".hidden.png"]):
        _write(flat / name, seed=seed)
    (flat / "notes.txt").write_text("not an image")

    benchmark = open_benchmark(f"folder:{folder}", ood=[f"folder:{flat}"])

    images = benchmark.ood["holiday"]
    assert images.files == ("a.JPG", "b.png") and images.labels is None
    with Image.open(flat / "b.png") as image:
        assert np.array_equal(images.read_uint8([1])[0], np.asarray(image))
    copied = tmp_path / "copied"
    shutil.copytree(flat, copied)
    assert open_images(f"folder:{copied}").fingerprint == images.fingerprint
    with pytest.raises(DataError, match=r"one sub-folder of images per class.*side by side: .* serve as --ood alone"):
        open_benchmark(f"folder:{flat}")
    (flat / "more").mkdir()
    _write(flat / "more" / "c.png")
    with pytest.warns(SparsescopeWarning, match=r"images beside the sub-folders are not read \(2, such as a\.JPG\)"):
        assert len(open_images(f"folder:{flat}")) == 1


def test_nested_splits(tmp_path):
    for seed, name in enumerate(["test/x/1.png", "test/y/1.png", "train/x/1.png", "train/y/1.png", "train/y/2.png"]):
        _write(tmp_path / name, seed=seed)
    _write(tmp_path / "notes" / "1.png")

    benchmark = open_benchmark(f"folder:{tmp_path}")

    assert benchmark.classes == ("x", "y")
    assert (benchmark.test.labels.tolist(), benchmark.train.labels.tolist()) == ([0, 1], [0, 1, 1])
    assert benchmark.test.source == f"folder:{tmp_path}"
    assert benchmark.train.source == f"folder:{tmp_path} (train)"
    assert torch.equal(open_images(f"folder:{tmp_path}", split="train").read([2]), benchmark.train.read([2]))


def test_val_is_the_test_split_unless_there_is_a_test_folder(tmp_path):
    _write(tmp_path / "val" / "x" / "1.png", size=(4, 4))
    assert open_images(f"folder:{tmp_path}").shape == (3, 4, 4)
    _write(tmp_path / "test" / "x" / "1.png", size=(7, 7))
    assert open_images(f"folder:{tmp_path}").shape == (3, 7, 7)


def test_a_class_may_be_called_test(folder):
    _write(folder / "test" / "1.png")

    assert open_benchmark(f"folder:{folder}").classes == ("cat", "dog", "test")


def test_only_training_images(tmp_path):
    _write(tmp_path / "train" / "x" / "1.png")
    with pytest.raises(DataError, match=r"has no test images, only: train\. Choose another SPEC for them\."):
        open_benchmark(f"folder:{tmp_path}")


def test_splits_with_different_classes(tmp_path):
    for name in ["test/x/1.png", "train/x/1.png", "train/y/1.png"]:
        _write(tmp_path / name)
    with pytest.raises(DataError, match=r"the same classes in test and train, .* but only one of them has: y\."):
        open_benchmark(f"folder:{tmp_path}")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "LA", "CMYK"])
def test_every_file_becomes_rgb(tmp_path, mode):
    path = tmp_path / "x" / ("1.tif" if mode == "CMYK" else "1.png")
    _write(path, mode=mode)

    shown = open_images(f"folder:{tmp_path}").read([0])

    with Image.open(path) as image:
        assert np.array_equal((shown[0] * 255).round().numpy(), np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    if mode == "L":
        assert torch.equal(shown[:, 0], shown[:, 2])


def test_sixteen_bits_are_refused_not_cut_off(tmp_path):
    _write(tmp_path / "x" / "1.png")
    Image.fromarray(np.full((5, 6), 40000, dtype=np.uint16)).save(tmp_path / "x" / "2.png")
    with pytest.raises(
        DataError, match=r"of 8 bits per channel, but .*2\.png cannot be read \(its pixels have mode I;16\)"
    ):
        open_images(f"folder:{tmp_path}").read([0, 1])


def test_a_truncated_file_is_named_when_it_is_read(folder):
    path = folder / "cat" / "b.png"
    path.write_bytes(path.read_bytes()[:-60])
    images = open_images(f"folder:{folder}")

    assert len(images.read([0, 2, 3, 4])) == 4
    with pytest.raises(DataError, match=r"but .*cat/b\.png cannot be read \(.+\)\. Replace it or take it out"):
        images.read([0, 1])


def test_a_file_that_changed_or_vanished_since_is_named(folder):
    images = open_images(f"folder:{folder}")
    _write(folder / "cat" / "b.png", size=(9, 9))
    (folder / "dog" / "2.png").unlink()

    with pytest.raises(DataError, match=r"cat/b\.png has changed its size since the folder was opened"):
        images.read([1])
    with pytest.raises(DataError, match=r"dog/2\.png cannot be read \(.*No such file"):
        images.read([4])


def test_a_file_that_is_no_image_is_named(folder):
    (folder / "dog" / "3.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"dog/3\.jpg cannot be read"):
        open_images(f"folder:{folder}")


def test_different_sizes_name_two_files(folder):
    _write(folder / "dog" / "large.png", size=(60, 40))
    with pytest.raises(DataError) as caught:
        open_images(f"folder:{folder}")
    assert (
        "expected images of one size, but cat/a.jpg has 5 x 6 and dog/large.png has 40 x 60 (height x width). "
        "Bring them to one size with --resize and --crop." in str(caught.value)
    )
    assert open_images(f"folder:{folder}", resize=8, crop=8).read(range(6)).shape == (6, 3, 8, 8)
    with pytest.raises(DataError, match=r"has 20 x 24 and dog/large\.png has 20 x 30 \(height x width, resized\)"):
        open_images(f"folder:{folder}", resize=20)


def test_an_image_smaller_than_the_crop_is_named(folder):
    _write(folder / "dog" / "small.png", size=(3, 4))
    images = open_images(f"folder:{folder}", crop=5)
    with pytest.raises(DataError, match=r"at least 5 x 5 pixels to crop, but .*, dog/small\.png has 4 x 3"):
        images.read(range(6))


def test_fingerprint_follows_files_and_resizing(folder):
    spec = f"folder:{folder}"
    before = open_images(spec).fingerprint

    assert open_images(spec).fingerprint == before
    prints = {before, open_images(spec, resize=9).fingerprint, open_images(spec, crop=4).fingerprint}
    os.utime(folder / "cat" / "b.png", (1, 1))
    assert open_images(spec).fingerprint == before  # a copy of the folder is the same data
    Image.open(folder / "cat" / "b.png").rotate(180).save(folder / "cat" / "b.png")
    prints.add(open_images(spec).fingerprint)
    (folder / "cat" / "b.png").rename(folder / "dog" / "b.png")
    prints.add(open_images(spec).fingerprint)
    assert len(prints) == 5


def test_only_images_count(folder):
    (folder / "cat" / "readme.txt").write_text("hello")
    (folder / "cat" / "._a.jpg").write_text("left by another system")
    (folder / ".cache").mkdir()
    _write(folder / "cat" / "deeper" / "z.png")

    benchmark = open_benchmark(f"folder:{folder}")

    assert benchmark.classes == ("cat", "dog")
    assert benchmark.test.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_class_without_images_keeps_its_label(folder):
    (folder / "cow").mkdir()
    with pytest.warns(SparsescopeWarning, match="no images in cow; the label stays reserved"):
        images = open_images(f"folder:{folder}")
    assert images.labels.tolist() == [0, 0, 2, 2, 2]


def test_no_folder_no_classes_no_images(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder, but .*nowhere does not exist"):
        open_images(f"folder:{tmp_path}/nowhere")
    with pytest.raises(DataError, match=r"one sub-folder of images per class in .*, but it has no sub-folders"):
        open_images(f"folder:{tmp_path}")
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError, match=r"but found none. Read are: \.jpg \.jpeg"):
        open_images(f"folder:{tmp_path}")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is a file"):
        open_images(f"folder:{tmp_path}/file")


def test_another_process_reads_the_same(folder):
    images = open_images(f"folder:{folder}", resize=8, crop=8)
    copy = pickle.loads(pickle.dumps(images))

    assert copy.fingerprint == images.fingerprint
    assert torch.equal(copy.read([1, 4]), images.read([1, 4]))


def test_real_files(shared_data, tmp_path):
    taken = []
    with tarfile.open(shared_data / "cifar10" / "test_jpeg.tar.xz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(("0000.jpg", "0001.jpg")):
                archive.extract(member, tmp_path, filter="data")
                taken.append(member.name)

    benchmark = open_benchmark(f"folder:{tmp_path}", ood=[f"npz:{shared_data}/ood/dtd10_1200.npz"])

    assert len(taken) == len(benchmark.test) == 20
    assert benchmark.classes[0] == "airplane"
    assert benchmark.test.shape == (3, 32, 32)
    assert benchmark.test.labels.tolist() == [label for label in range(10) for _ in range(2)]
    reference = ImageFolder(tmp_path / "test", transforms.ToTensor())
    assert torch.equal(benchmark.test.read(range(20)), torch.stack([image for image, _ in reference]))
