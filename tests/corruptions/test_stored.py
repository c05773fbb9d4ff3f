"""Reading stored sets in the layout of CIFAR-C, and refusing what does not fit, all at once."""

import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from sparsescope.benchmark import ArrayImages
from sparsescope.corruptions import STANDARD, STORED_SETS
from sparsescope.corruptions.stored import CifarC, open_corrupted
from sparsescope.errors import DataError, OptionError
from sparsescope.specs import Entry

N = 7


@pytest.fixture
def test_set() -> ArrayImages:
    rng = np.random.default_rng(0)
    return ArrayImages(rng.integers(0, 256, (N, 10, 12, 3), dtype=np.uint8), np.arange(N) % 3, "npz:test.npz")


def write_set(folder: Path, names: tuple[str, ...] = STANDARD) -> dict[str, np.ndarray]:
    """Write a folder as the published ones are, of random pixels."""
    rng = np.random.default_rng(1)
    content = {name: rng.integers(0, 256, (5 * N, 10, 12, 3), dtype=np.uint8) for name in names}
    for name, images in content.items():
        np.save(folder / f"{name}.npy", images)
    np.save(folder / "labels.npy", np.tile(np.arange(N) % 3, 5).astype(np.uint8))
    return content


@pytest.mark.parametrize("prefix", ["cifar-c:", ""])
def test_reads_the_block_of_a_severity(tmp_path: Path, test_set: ArrayImages, prefix: str) -> None:
    content = write_set(tmp_path, (*STANDARD, "saturate"))
    stored = open_corrupted(f"{prefix}{tmp_path}", test_set)
    assert list(stored.cells) == [*STANDARD, "saturate"]
    assert set(stored.cells.values()) == {(1, 2, 3, 4, 5)}
    ids = np.array([6, 0, 3])
    for name in ("fog", "saturate"):
        blocks = content[name].reshape(5, N, 10, 12, 3)
        for severity in (1, 4, 5):
            found = stored.read(name, severity, ids)
            assert found.dtype == np.uint8 and not isinstance(found, np.memmap)
            np.testing.assert_array_equal(found, blocks[severity - 1][ids])
    assert stored.shape == (3, 10, 12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stored)).read("fog", 2, ids), stored.read("fog", 2, ids))


def test_every_problem_is_listed_at_once(tmp_path: Path, test_set: ArrayImages) -> None:
    content = write_set(tmp_path)
    (tmp_path / "snow.npy").unlink()
    (tmp_path / "frost.npy").unlink()
    np.save(tmp_path / "fog.npy", content["fog"][:-1])
    np.save(tmp_path / "contrast.npy", content["contrast"][:, 1:])
    np.save(tmp_path / "pixelate.npy", content["pixelate"] / 255)
    np.save(tmp_path / "glass_blur.npy", np.array([None, "x"]), allow_pickle=True)
    cut = (tmp_path / "zoom_blur.npy").read_bytes()[:-10]
    (tmp_path / "zoom_blur.npy").write_bytes(cut)
    (tmp_path / "motion_blur.npy").write_bytes(b"")
    labels = np.tile(np.arange(N) % 3, 5)
    labels[[8, 20]] = 9
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(DataError) as caught:
        open_corrupted(f"cifar-c:{tmp_path}", test_set)
    text = str(caught.value)
    for expected in (
        r"for the 7 images of npz:test.npz",
        r"missing: snow.npy, frost.npy\n",
        r"fog.npy has 34 images instead of 35",
        r"contrast.npy has shape \(35, 9, 12, 3\)",
        r"pixelate.npy has type float64",
        r"glass_blur.npy cannot be read",
        r"zoom_blur.npy cannot be read",
        r"motion_blur.npy cannot be read",
        r"labels.npy .* 2 of 35 differ, first number 8, which is 9 instead of 1",
    ):
        assert re.search(expected, text), (expected, text)
    assert "brightness" not in text


def test_labels_that_are_absent_or_of_another_kind(tmp_path: Path, test_set: ArrayImages) -> None:
    write_set(tmp_path)
    np.save(tmp_path / "labels.npy", np.arange(N) % 3)
    with pytest.raises(DataError, match=r"labels.npy has type int64 and shape \(7,\) instead of integers \(35,\)"):
        open_corrupted(str(tmp_path), test_set)
    (tmp_path / "labels.npy").unlink()
    with pytest.raises(DataError, match=r"labels.npy is missing"):
        open_corrupted(str(tmp_path), test_set)


def test_images_in_another_order_are_refused(tmp_path: Path, test_set: ArrayImages) -> None:
    write_set(tmp_path)
    other = ArrayImages(test_set.read_uint8(range(N))[::-1], test_set.required_labels()[::-1].copy() + 1, "other")
    with pytest.raises(DataError, match="same order"):
        open_corrupted(str(tmp_path), other)


def test_no_folder_and_no_set(tmp_path: Path, test_set: ArrayImages) -> None:
    with pytest.raises(DataError, match=r"expected a folder, but .*absent is none"):
        open_corrupted(f"cifar-c:{tmp_path}/absent", test_set)
    with pytest.raises(OptionError, match=r"There is no folder 'absent'\. Expected one of: cifar-c:DIR, imagenet"):
        open_corrupted("absent", test_set)
    with pytest.raises(OptionError, match=r"Unknown corrupted set 'cifar-d:absent'\. Did you mean cifar-c:DIR\?"):
        open_corrupted("cifar-d:absent", test_set)
    with pytest.raises(OptionError, match="Expected imagenet-c:DIR, but got 'imagenet-c:'"):
        open_corrupted("imagenet-c:", test_set)
    np.save(tmp_path / "labels.npy", np.tile(np.arange(N) % 3, 5))
    with pytest.raises(DataError, match=r"missing: gaussian_noise.npy, shot_noise.npy"):
        open_corrupted(str(tmp_path), test_set)


def test_what_is_lacking_is_an_error_where_it_is_asked_for(tmp_path: Path, test_set: ArrayImages) -> None:
    write_set(tmp_path, ("fog", "snow"))
    stored = open_corrupted(str(tmp_path), test_set)
    stored.require(("snow", "fog"), (1, 5))
    with pytest.raises(DataError, match="lacks 2 of the 3 corruptions to measure: frost; saturate"):
        stored.require(("frost", "fog", "saturate"), (1, 5))


def test_a_manifest_says_which_severities_are_there(tmp_path: Path, test_set: ArrayImages) -> None:
    write_set(tmp_path, ("fog", "snow"))
    manifest = {"files": {"fog.npy": {"severities": [2, 3]}, "snow.npy": {"severities": [1, 2, 3, 4, 5]}}}
    (tmp_path / "sparsescope.json").write_text(json.dumps(manifest))
    stored = open_corrupted(str(tmp_path), test_set)
    assert dict(stored.cells) == {"snow": (1, 2, 3, 4, 5), "fog": (2, 3)}
    with pytest.raises(DataError, match="fog at severity 1, 4"):
        stored.require(("fog", "snow"), (1, 3, 4))
    del manifest["files"]["snow.npy"]
    (tmp_path / "sparsescope.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"snow.npy is not listed in sparsescope.json"):
        open_corrupted(str(tmp_path), test_set)
    (tmp_path / "sparsescope.json").write_text("[]")
    with pytest.raises(DataError, match=r"sparsescope.json cannot be read"):
        open_corrupted(str(tmp_path), test_set)


def test_the_fingerprint_follows_files_and_labels(tmp_path: Path, test_set: ArrayImages) -> None:
    content = write_set(tmp_path, ("fog", "snow"))

    def seen(images: ArrayImages = test_set) -> str:
        return CifarC(tmp_path, images, "set").fingerprint

    first = seen()
    assert seen() == first
    status = (tmp_path / "fog.npy").stat()
    np.save(tmp_path / "fog.npy", content["snow"])
    os.utime(tmp_path / "fog.npy", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seen() != first  # same size and time, other pixels
    np.save(tmp_path / "fog.npy", content["fog"])
    os.utime(tmp_path / "fog.npy", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seen() == first
    os.utime(tmp_path / "fog.npy", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert seen() != first
    os.utime(tmp_path / "fog.npy", ns=(status.st_atime_ns, status.st_mtime_ns))
    np.save(tmp_path / "saturate.npy", content["fog"])
    assert seen() != first


def test_another_layout_is_one_entry(tmp_path: Path, test_set: ArrayImages, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    write_set(tmp_path / "inner", ("fog",))
    (tmp_path / "nested_layout.py").write_text(
        "from sparsescope.corruptions.stored import CifarC\n\n\n"
        "def nested(folder, test, source):\n    return CifarC(f'{folder}/inner', test, source)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(STORED_SETS, "nested", Entry("nested:DIR", "nested_layout:nested", "a folder in a folder"))
    stored = open_corrupted(f"nested:{tmp_path}", test_set)
    assert (stored.source, list(stored.cells)) == (f"nested:{tmp_path}", ["fog"])


@pytest.mark.parametrize("severities", [[0], [6], [10**30], ["1"], [[1]], 1, None])
def test_a_manifest_of_other_severities(tmp_path: Path, test_set: ArrayImages, severities: object) -> None:
    write_set(tmp_path)
    files = {f"{name}.npy": {"severities": severities} for name in STANDARD}
    (tmp_path / "sparsescope.json").write_text(json.dumps({"files": files}))
    with pytest.raises(DataError, match=r"sparsescope\.json cannot be read"):
        open_corrupted(f"cifar-c:{tmp_path}", test_set)
