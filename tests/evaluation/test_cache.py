"""The cache: hits are exact, everything doubtful is a miss, and it never gets in the way."""

from pathlib import Path

import numpy as np
import pytest

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.errors import SparsescopeWarning
from sparsescope.evaluation.cache import Cache, default_directory, measurement_key
from sparsescope.evaluation.parts import Part
from sparsescope.evaluation.plan import Shard
from sparsescope.identity import Identity
from sparsescope.measurements.predictions import Predictions

ARRAYS = {"logits": np.arange(6, dtype=np.float32).reshape(3, 2), "label": np.array([0, 1, 1])}
SHARD = Shard(4, np.array([0, 5, 9]), np.array([10, 15, 19]))
MODEL = Identity("m")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def stored_file(cache: Cache) -> Path:
    assert cache.directory is not None
    (path,) = cache.directory.rglob("*.part")
    return path


def test_round_trip(cache: Cache) -> None:
    assert cache.load("ab12", SHARD) is None
    cache.store("ab12", SHARD, ARRAYS)
    loaded = cache.load("ab12", SHARD)
    assert loaded is not None
    assert loaded.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype
    assert cache.load("ab12", Shard(0, SHARD.rows, SHARD.ids)) is None
    assert cache.load("ab12", Shard(4, np.array([0, 5]), SHARD.ids[:2])) is None
    assert cache.load("ab13", SHARD) is None


def test_a_part_of_other_units_at_the_same_place_is_another_part(cache: Cache) -> None:
    """Also one that was written before units had an order of their own: its name said nothing of them."""
    cache.store("ab12", SHARD, ARRAYS)
    assert cache.load("ab12", Shard(4, SHARD.rows, SHARD.ids + 1)) is None
    stored_file(cache).rename(stored_file(cache).with_name("4-7.part"))
    assert cache.load("ab12", SHARD) is None


@pytest.mark.parametrize("damage", ["truncated", "longer", "empty", "foreign", "archive", "of another part"])
def test_a_damaged_file_is_a_miss_and_removed(cache: Cache, damage: str) -> None:
    cache.store("ab12", SHARD, ARRAYS)
    path = stored_file(cache)
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-40])
    elif damage == "longer":
        path.write_bytes(content + b"\0")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        path.write_text("not an archive")
    elif damage == "archive":  # as earlier versions wrote it, without a digest
        with path.open("wb") as file:
            np.savez(file, logits=np.zeros((3, 2)))
    else:
        cache.store("ab13", SHARD, ARRAYS)
        assert cache.directory is not None
        (other,) = cache.directory.rglob("ab13/*.part")
        other.replace(path)
    assert cache.load("ab12", SHARD) is None
    assert not path.exists()
    cache.store("ab12", SHARD, ARRAYS)
    assert cache.load("ab12", SHARD) is not None


def test_arrays_of_another_length_are_a_miss(cache: Cache) -> None:
    cache.store("ab12", SHARD, {"logits": np.zeros((2, 2))})
    assert cache.load("ab12", SHARD) is None
    assert cache.directory is not None
    assert not list(cache.directory.rglob("*.part"))


def test_every_flipped_bit_is_a_miss(cache: Cache) -> None:
    cache.store("ab12", SHARD, {"logits": ARRAYS["logits"]})
    path = stored_file(cache)
    part, content = Part(path.parents[2], "ab12", path.stem), path.read_bytes()
    assert part.is_sound()
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            assert part.decoded(bytes(flipped)) is None, (place, bit)


def test_python_objects_are_not_kept(cache: Cache) -> None:
    folder = cache.directory
    with pytest.warns(SparsescopeWarning, match="Python objects"):
        cache.store("ab12", SHARD, {"logits": np.array([object()] * 3)})
    assert folder is not None
    assert not list(folder.rglob("*"))


def test_a_full_disk_warns_once_and_leaves_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    folder = cache.directory
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(SparsescopeWarning, match="Cannot write .*No space left on device.*without a cache"):
        cache.store("ab12", SHARD, ARRAYS)
    cache.store("ab12", SHARD, ARRAYS)
    assert folder is not None
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_without_a_folder_nothing_is_kept() -> None:
    cache = Cache(None)
    cache.store("ab12", SHARD, ARRAYS)
    assert cache.load("ab12", SHARD) is None


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path))
    assert default_directory() == tmp_path
    monkeypatch.delenv("SPARSESCOPE_CACHE")
    assert default_directory().name == "sparsescope"


def test_the_key_depends_on_everything_that_decides_the_numbers(small_benchmark: Benchmark) -> None:
    base = measurement_key(Predictions("test"), small_benchmark, 0, (MODEL,))
    assert measurement_key(Predictions("test"), small_benchmark, 0, (MODEL,)) == base
    others = {
        measurement_key(Predictions("train"), small_benchmark, 0, (MODEL,)),
        measurement_key(Predictions("test", 10), small_benchmark, 0, (MODEL,)),
        measurement_key(Predictions("test"), small_benchmark, 1, (MODEL,)),
        measurement_key(Predictions("test"), small_benchmark, 0, (Identity("n"),)),
        measurement_key(Predictions("test"), small_benchmark, 0, (MODEL, Identity("n"))),
        measurement_key(Predictions("test"), _changed(small_benchmark), 0, (MODEL,)),
    }
    assert base not in others
    assert len(others) == 6


def test_sets_that_a_measurement_does_not_read_do_not_matter(small_benchmark: Benchmark) -> None:
    without = Benchmark("small", small_benchmark.test)
    assert measurement_key(Predictions("test"), without, 0, (MODEL,)) == measurement_key(
        Predictions("test"), small_benchmark, 0, (MODEL,)
    )


def _changed(benchmark: Benchmark) -> Benchmark:
    pixels = (benchmark.test.read(range(len(benchmark.test))).numpy() * 255).round().astype(np.uint8)
    pixels[3, 0, 0, 0] ^= 1
    return Benchmark("small", ArrayImages(pixels.transpose(0, 2, 3, 1), benchmark.test.labels))
