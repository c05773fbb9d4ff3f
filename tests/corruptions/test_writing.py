"""Writing stored sets: the same pixels as on the fly, whole files only, no set overwritten or mixed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparsescope.benchmark import ArrayImages
from sparsescope.corruptions import corrupt, writing
from sparsescope.corruptions.stored import open_corrupted
from sparsescope.corruptions.writing import write_corrupted
from sparsescope.errors import DataError, InputError, OptionError

N = 9
NAMES = ("gaussian_noise", "brightness")


@pytest.fixture
def images() -> ArrayImages:
    rng = np.random.default_rng(0)
    return ArrayImages(rng.integers(0, 256, (N, 16, 16, 3), dtype=np.uint8), rng.integers(0, 4, N), "some")


def pixels(images: ArrayImages) -> np.ndarray:
    return images.read_uint8(range(len(images)))


@pytest.mark.parametrize("chunk", [1, 16 * 16 * 3 * 4, 1 << 22])
def test_files_hold_what_corrupt_gives(
    tmp_path: Path, images: ArrayImages, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(writing, "CHUNK_VALUES", chunk)
    told: list[tuple[float, float, str]] = []
    paths = write_corrupted(
        images, tmp_path / "new" / "set", corruptions=NAMES, seed=3, progress=lambda *step: told.append(step)
    )
    assert [path.name for path in paths] == ["gaussian_noise.npy", "brightness.npy"]
    for name, path in zip(NAMES, paths, strict=True):
        stored = np.load(path)
        assert stored.shape == (5 * N, 16, 16, 3) and stored.dtype == np.uint8
        for severity in range(1, 6):
            expected = corrupt(pixels(images), name, severity, seed=3)
            np.testing.assert_array_equal(stored[(severity - 1) * N : severity * N], expected)
    np.testing.assert_array_equal(np.load(paths[0].parent / "labels.npy"), np.tile(images.labels, 5))
    assert sorted(path.name for path in paths[0].parent.iterdir()) == [
        "brightness.npy", "gaussian_noise.npy", "labels.npy", "sparsescope.json"
    ]  # fmt: skip
    assert told[-1] == (90, 90, "brightness")
    assert [step[0] for step in told] == sorted({step[0] for step in told})


def test_grey_images_keep_their_shape(tmp_path: Path) -> None:
    grey = ArrayImages(np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8), np.arange(3))
    write_corrupted(grey, tmp_path, corruptions=["fog"])
    assert open_corrupted(str(tmp_path), grey).read("fog", 5, np.array([2])).shape == (1, 16, 16, 1)


class Counting(ArrayImages):
    """Remembers what was read."""

    reads = 0

    def read(self, indices: Sequence[int] | Any) -> Any:
        self.reads += len(indices)
        return super().read(indices)


def counting(images: ArrayImages) -> Counting:
    assert images.labels is not None
    return Counting(pixels(images), images.labels, "some")


def test_an_interrupted_run_goes_on(tmp_path: Path, images: ArrayImages) -> None:
    def stop(done: float, total: float, name: str) -> None:
        if name == "brightness":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corrupted(images, tmp_path, corruptions=NAMES, progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gaussian_noise.npy", "labels.npy", "sparsescope.json"]
    before = (tmp_path / "gaussian_noise.npy").stat().st_mtime_ns
    again, told = counting(images), []
    write_corrupted(again, tmp_path, corruptions=NAMES, progress=lambda *step: told.append(step))
    assert again.reads == N  # one corruption's worth
    assert told[-1] == (5 * N, 5 * N, "brightness")
    assert (tmp_path / "gaussian_noise.npy").stat().st_mtime_ns == before
    third = counting(images)
    write_corrupted(third, tmp_path, corruptions=NAMES)
    assert third.reads == 0


def test_damaged_and_unlisted_files_are_made_again(tmp_path: Path, images: ArrayImages) -> None:
    write_corrupted(images, tmp_path, corruptions=NAMES)
    whole = (tmp_path / "brightness.npy").read_bytes()
    (tmp_path / "brightness.npy").write_bytes(whole[:-5])
    np.save(tmp_path / "fog.npy", np.zeros((5 * N, 16, 16, 3), np.uint8))
    write_corrupted(images, tmp_path, corruptions=(*NAMES, "fog"))
    assert (tmp_path / "brightness.npy").read_bytes() == whole
    np.testing.assert_array_equal(np.load(tmp_path / "fog.npy")[:N], corrupt(pixels(images), "fog", 1))


def test_severities_add_up_and_the_others_are_refused(tmp_path: Path, images: ArrayImages) -> None:
    write_corrupted(images, tmp_path, corruptions=["brightness"], severities=(2, 4))
    stored = open_corrupted(str(tmp_path), images)
    assert dict(stored.cells) == {"brightness": (2, 4)}
    with pytest.raises(DataError, match="brightness at severity 5"):
        stored.require(("brightness",), (4, 5))
    write_corrupted(images, tmp_path, corruptions=["brightness"], severities=(5,))
    stored = open_corrupted(str(tmp_path), images)
    assert dict(stored.cells) == {"brightness": (2, 4, 5)}
    for severity in (2, 4, 5):
        expected = corrupt(pixels(images), "brightness", severity)
        np.testing.assert_array_equal(stored.read("brightness", severity, np.arange(N)), expected)


def test_another_set_in_the_folder_is_left_alone(tmp_path: Path, images: ArrayImages) -> None:
    write_corrupted(images, tmp_path, corruptions=NAMES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"already holds another corrupted set: expected seed 1, but .* says seed 0"):
        write_corrupted(images, tmp_path, corruptions=NAMES, seed=1)
    other = ArrayImages(pixels(images)[::-1], images.labels, "other")
    with pytest.raises(InputError, match=r"another corrupted set: expected data '\w+', but .* Choose another folder"):
        write_corrupted(other, tmp_path, corruptions=NAMES)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_published_files_are_never_overwritten(tmp_path: Path, images: ArrayImages) -> None:
    np.save(tmp_path / "fog.npy", np.zeros(3))
    np.save(tmp_path / "labels.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"already holds labels.npy, fog.npy, and no sparsescope.json"):
        write_corrupted(images, tmp_path, corruptions=["snow"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fog.npy", "labels.npy"]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"corruptions": ["foggy"]}, OptionError, "Did you mean fog"),
        ({"corruptions": []}, OptionError, "at least one corruption"),
        ({"severities": [6]}, OptionError, "severity of 1, 2, 3, 4 or 5"),
        ({"seed": -1}, OptionError, "non-negative"),
    ],
)
def test_wrong_options_write_nothing(
    tmp_path: Path, images: ArrayImages, options: dict[str, Any], error: type[InputError], text: str
) -> None:
    with pytest.raises(error, match=text):
        write_corrupted(images, tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()


def test_images_without_labels_a_full_disk_and_a_file_in_the_way(
    tmp_path: Path, images: ArrayImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="has no labels"):
        write_corrupted(ArrayImages(pixels(images)), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write a corrupted set to"):
        write_corrupted(images, tmp_path / "file")
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match="free space"):
        write_corrupted(images, tmp_path / "set")
    assert not list((tmp_path / "set").glob("*.npy"))


def test_the_manifest_names_what_it_was_made_of(tmp_path: Path, images: ArrayImages) -> None:
    write_corrupted(images, tmp_path, corruptions=["fog"], seed=5)
    manifest = json.loads((tmp_path / "sparsescope.json").read_text())
    assert (manifest["seed"], manifest["data"], manifest["n"]) == (5, images.fingerprint, N)
    assert manifest["files"] == {"fog.npy": {"severities": [1, 2, 3, 4, 5]}}
