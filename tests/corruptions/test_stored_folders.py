"""Reading stored sets in the layout of ImageNet-C."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sparsescope.corruptions.stored import open_corrupted
from sparsescope.datasets import open_images
from sparsescope.errors import DataError

FILES = ("cat/a.png", "cat/b.png", "dog/a.png")


def write(path: Path, value: int, size: tuple[int, int] = (12, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 2 * value, 0)).save(path)


def write_set(folder: Path, *, groups: bool) -> Path:
    """Clean images in val/, and fog and snow at severities 1 and 5, each of a colour of its own."""
    for file in FILES:
        write(folder / "val" / file, 1)
    for c, name in enumerate(("fog", "snow")):
        for severity in (1, 5):
            place = folder / "c" / ("weather" if groups else "") / name / str(severity)
            for i, file in enumerate(FILES):
                write(place / file, 50 * c + 5 * severity + i)
            write(place / "dog" / "not_in_the_test_set.png", 0)
    return folder / "c"


@pytest.mark.parametrize("groups", [False, True])
def test_images_are_found_by_class_and_name(tmp_path: Path, groups: bool) -> None:
    folder = write_set(tmp_path, groups=groups)
    stored = open_corrupted(f"imagenet-c:{folder}", open_images(f"folder:{tmp_path}/val"))
    assert dict(stored.cells) == {"snow": (1, 5), "fog": (1, 5)}
    assert stored.shape == (3, 10, 12)
    images = pickle.loads(pickle.dumps(stored)).read("snow", 5, np.array([2, 0]))
    assert images.shape == (2, 10, 12, 3) and images.dtype == np.uint8
    assert images[:, 0, 0].tolist() == [[77, 154, 0], [75, 150, 0]]
    with pytest.raises(DataError, match="fog at severity 3"):
        stored.require(("fog",), (1, 3))


def test_never_resized(tmp_path: Path) -> None:
    """Test images may be resized and cropped to the size of the stored ones; these stay as they are."""
    folder = write_set(tmp_path, groups=True)
    for file in FILES:
        write(tmp_path / "val" / file, 1, (40, 30))
    same = open_images(f"folder:{tmp_path}/val", resize=12, crop=10)
    with pytest.raises(DataError, match=r"fog/1: .* expected images of 10 x 10 pixels.* has 10 x 12"):
        open_corrupted(f"imagenet-c:{folder}", same)


def test_every_missing_image_folder_is_listed(tmp_path: Path) -> None:
    folder = write_set(tmp_path, groups=False)
    (folder / "fog" / "1" / "cat" / "b.png").unlink()
    for file in (folder / "snow" / "5" / "dog").iterdir():
        file.unlink()
    (folder / "snow" / "1" / "cat" / "a.png").write_text("no image")
    with pytest.raises(DataError) as caught:
        open_corrupted(f"imagenet-c:{folder}", open_images(f"folder:{tmp_path}/val"))
    for text in (
        "fog/1 lacks 1 of 3 images, first cat/b.png",
        "snow/5 lacks 1 of 3 images, first dog/a.png",
        "snow/1: .*cannot be read as an image",
    ):
        assert re.search(text, str(caught.value)), (text, caught.value)
    assert "fog/5" not in str(caught.value)


def test_what_cannot_be_matched(tmp_path: Path) -> None:
    folder = write_set(tmp_path, groups=False)
    np.savez(tmp_path / "t.npz", images=np.zeros((3, 10, 12, 3), np.uint8), labels=[0, 0, 1])
    with pytest.raises(DataError, match=r"expected the clean test images as folder:DIR or imagenet:DIR.* got npz"):
        open_corrupted(f"imagenet-c:{folder}", open_images(f"npz:{tmp_path}/t.npz"))
    with pytest.raises(DataError, match="found no folder with the name of a corruption"):
        open_corrupted(f"imagenet-c:{tmp_path}/val", open_images(f"folder:{tmp_path}/val"))


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    folder = write_set(tmp_path, groups=False)
    test = open_images(f"folder:{tmp_path}/val")

    def seen() -> str:
        return open_corrupted(f"imagenet-c:{folder}", test).fingerprint

    first = seen()
    assert seen() == first
    write(folder / "fog" / "5" / "dog" / "a.png", 3)
    assert seen() != first
