"""Archives that are damaged, encrypted or lie about their sizes are refused before anything is unpacked."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from sparsescope.archives import ObjectArrayError, check_archive, most_bytes, read_arrays

MIB = 2**20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.npz"


def patched(path: Path, signature: bytes, offset: int, value: int, width: int) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(signature) + offset
    data[start : start + width] = value.to_bytes(width, "little")
    path.write_bytes(data)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data(), st.booleans(), st.booleans())
def test_arrays_are_those_that_numpy_reads(path: Path, data: st.DataObject, compressed: bool, fortran: bool) -> None:
    array = data.draw(arrays(scalar_dtypes(), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
    array = np.asfortranarray(array) if fortran else array
    (np.savez_compressed if compressed else np.savez)(path, a=array, text=np.array(["x", "yz"]))
    found = read_arrays(path)
    with np.load(path) as expected:
        for name in ("a", "text"):
            assert found[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(found[name], expected[name])
    assert list(read_arrays(path, ["text"])) == ["text"]
    found["a"][...] = found["a"]  # can be written to, as torch wants it


def test_objects_are_never_unpickled(path: Path) -> None:
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ObjectArrayError):
        read_arrays(path)


def test_a_bomb_is_not_unpacked(path: Path) -> None:
    np.savez_compressed(path, a=np.zeros(MIB))
    patched(path, b"PK\x01\x02", 24, 600 * MIB, 4)
    with pytest.raises(ValueError, match=r"unpacks to 600 MiB from 0\.0"):
        check_archive(path)


def test_large_files_may_unpack_to_more(path: Path) -> None:
    path.write_bytes(b"x")
    assert most_bytes(path) == 512 * MIB
    with path.open("wb") as file:
        file.truncate(100 * MIB)
    assert most_bytes(path) == 2000 * MIB


def test_a_header_that_announces_more_than_is_there(path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", buffer.getvalue() + bytes(8))
    with pytest.raises(ValueError, match=r"announces 8,000,000,000,000 bytes, shape .*, but 8 are there"):
        read_arrays(path)


@pytest.mark.parametrize(
    ("offset", "value", "width", "said"),
    [
        (8, 1, 2, "is encrypted"),
        (10, 12, 2, "by a method that neither"),
        (24, 10**9, 4, "contradict each other"),
        (16, 1, 4, "Bad CRC-32"),
    ],
)
def test_lies_of_the_list_of_members(path: Path, offset: int, value: int, width: int, said: str) -> None:
    np.savez(path, a=np.arange(4))
    patched(path, b"PK\x01\x02", offset, value, width)
    with pytest.raises(ValueError, match=said):
        check_archive(path, checksums=True)


def test_two_members_of_one_name(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", "x")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", "y")
    with pytest.raises(ValueError, match=r"two of its members are called a\.npy"):
        check_archive(path)


def test_members_that_share_their_bytes(path: Path) -> None:
    """Fifield's bombs list one member's bytes many times."""
    np.savez(path, a=np.zeros(1000))
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry, tail = data[start:end], bytearray(data[end:])
    entries = b"".join(entry.replace(b"a.npy", f"{k}.npy".encode()) for k in range(9))
    tail[8:20] = struct.pack("<HHLL", 9, 9, len(entries), start)
    path.write_bytes(data[:start] + entries + tail)
    with pytest.raises(ValueError, match="larger than the file"):
        check_archive(path)


def test_cut_short(path: Path) -> None:
    np.savez(path, a=np.arange(100))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="not a zip file"):
        check_archive(path)
