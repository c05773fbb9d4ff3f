"""Files of every kind, read safely; and one clear error for each that cannot be."""

import argparse
import io
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sparsescope.checkpoints.read import read
from sparsescope.errors import ArtefactError

TENSORS = {"a.weight": torch.tensor([[1.0, -2.0]]), "a.bias": torch.tensor([0.5])}


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


def saved(value: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_torch(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.anything"
    path.write_bytes(saved(TENSORS, _use_new_zipfile_serialization=zipped))
    content = read(path)
    assert content.format == "torch"
    assert isinstance(content.value, dict) and torch.equal(content.value["a.weight"], TENSORS["a.weight"])


def test_safetensors_with_its_metadata(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "weights.bin", {"format": "pt"})
    content = read(tmp_path / "weights.bin")
    assert content.format == "safetensors" and content.metadata == {"format": "pt"}
    assert isinstance(content.value, dict) and torch.equal(content.value["a.bias"], TENSORS["a.bias"])


def test_npz_in_either_byte_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", little=np.array([1.5], "<f4"), big=np.array([2.5, 3.0], ">f4"))
    content = read(tmp_path / "weights.npz")
    assert content.format == "npz" and isinstance(content.value, dict)
    assert content.value["little"].tolist() == [1.5] and content.value["big"].tolist() == [2.5, 3.0]


def test_plain_data_beside_the_weights_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save({"state_dict": TENSORS, "best": np.float64(91.5), "args": argparse.Namespace(lr=0.1)}, path)
    value = read(path).value
    assert isinstance(value, dict) and value["best"] == 91.5 and value["args"].lr == 0.1


def test_what_is_accepted_is_not_accepted_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save({"args": argparse.Namespace(lr=0.1)}, path)
    read(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("how", ["torch", "torch legacy", "pickle"])
def test_a_malicious_pickle_is_refused_and_never_run(tmp_path: Path, how: str) -> None:
    target, path = tmp_path / "owned", tmp_path / "evil.pt"
    payload = {"state_dict": TENSORS, "extra": Evil(target)}
    pickled = pickle.dumps(payload, protocol=2)
    path.write_bytes(pickled if how == "pickle" else saved(payload, _use_new_zipfile_serialization=how == "torch"))
    pickle.loads(pickled)
    assert target.exists(), "the payload must work, or this test shows nothing"
    target.unlink()
    with pytest.raises(ArtefactError, match=r"evil\.pt holds .* was not loaded: unpickling .* Save the weights alone"):
        read(path)
    assert not target.exists()


def test_a_malicious_object_array_is_refused_and_never_run(tmp_path: Path) -> None:
    target, path = tmp_path / "owned", tmp_path / "evil.npz"
    np.savez(path, weight=np.array([Evil(target)], dtype=object), allow_pickle=True)
    with pytest.raises(ArtefactError, match=r"evil\.npz could not be read as an npz file of numeric arrays"):
        read(path)
    assert not target.exists()


def test_a_whole_module_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "module.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ArtefactError, match=r"holds Python objects \(torch\.nn\.modules\.linear\.Linear\)"):
        read(path)


def test_missing_folder_and_empty(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"There is no file .*absent\.pt"):
        read(tmp_path / "absent.pt")
    with pytest.raises(ArtefactError, match=r"Expected .* to hold one file of weights"):
        read(tmp_path)
    (tmp_path / "empty.pt").touch()
    with pytest.raises(ArtefactError, match=r"empty\.pt is empty \(0 bytes\)"):
        read(tmp_path / "empty.pt")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["torch", "legacy", "safetensors", "npz"])
def test_truncated_files(tmp_path: Path, kind: str, fraction: float) -> None:
    tensors = {name: tensor.repeat(50, 1) for name, tensor in TENSORS.items()}
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file(tensors, path)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, **{name: tensor.numpy() for name, tensor in tensors.items()})
    else:
        path.write_bytes(saved(tensors, _use_new_zipfile_serialization=kind == "torch"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    with pytest.raises(ArtefactError, match=r"weights (is a damaged or truncated|holds more than plain tensors)"):
        read(path)


@pytest.mark.parametrize("text", [b"hello world this is text", b"<html>404</html>", b"\x89PNG\r\n\x1a\n0000", b"x"])
def test_files_of_another_kind(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "download.pt"
    path.write_bytes(text)
    with pytest.raises(
        ArtefactError, match=r"download\.pt is no checkpoint: .* begins with " + re.escape(repr(text[:9]))
    ):
        read(path)


def test_sparse_tensors_are_read_without_a_python_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({"a": TENSORS["a.weight"].to_sparse_csr()}, tmp_path / "sparse.pt")
    value = read(tmp_path / "sparse.pt").value
    assert isinstance(value, dict) and value["a"].layout == torch.sparse_csr


def test_a_flipped_bit_of_the_weights_is_noticed(tmp_path: Path) -> None:
    """torch itself does not compare checksums."""
    data = bytearray(saved(TENSORS))
    data[data.index(TENSORS["a.weight"].numpy().tobytes()) + 2] ^= 0x40
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    assert torch.load(path)["a.weight"].tolist() != TENSORS["a.weight"].tolist()
    with pytest.raises(ArtefactError, match=r"damaged or truncated torch or npz file \(Bad CRC-32 for file"):
        read(path)


def nested(depth: int, times: int) -> object:
    value: object = TENSORS["a.bias"]
    for _ in range(depth):
        value = [value] * times
    return value


@pytest.mark.parametrize(
    "value",
    [nested(150, 1), nested(40, 2), torch.ones(1).expand(10**12), [torch.ones(1).expand(2**26)] * 9],
    ids=["deep", "repeated", "expanded", "many times the same"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_small_file_with_a_huge_content(tmp_path: Path, value: object, zipped: bool) -> None:
    (tmp_path / "w.pt").write_bytes(saved({"a": value}, _use_new_zipfile_serialization=zipped))
    with pytest.raises(ArtefactError, match="holds more than a file of its size can"):
        read(tmp_path / "w.pt")


def test_tied_weights_and_long_histories_are_read(tmp_path: Path) -> None:
    weight = torch.zeros(1000, 1000)
    state = {"a": weight, "b": weight, "c": weight.t()}
    content = {"state_dict": state, "history": [0.5] * 10**5, "args": nested(50, 1)}
    (tmp_path / "w.pt").write_bytes(saved(content))
    assert isinstance(read(tmp_path / "w.pt").value, dict)


def test_sparse_tensors_with_wrong_indices_are_refused(tmp_path: Path) -> None:
    """Dense, they would be written beyond their memory."""
    wrong = torch.sparse_coo_tensor(torch.tensor([[5]]), torch.ones(1), (2,), check_invariants=False)
    (tmp_path / "w.pt").write_bytes(saved({"a": wrong}))
    with pytest.raises(ArtefactError, match="damaged"):
        read(tmp_path / "w.pt")


def test_an_encrypted_archive(tmp_path: Path) -> None:
    data = bytearray(saved(TENSORS))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(ArtefactError, match="is encrypted"):
        read(tmp_path / "w.pt")


def test_a_byte_array_of_any_length_is_not_made(tmp_path: Path) -> None:
    asked = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"data.pkl": asked, "version": b"3", "byteorder": b"little"}.items():
            archive.writestr(f"w/{name}", content)
    with pytest.raises(ArtefactError, match=r"holds Python objects \(builtins\.bytearray\), and was not loaded"):
        read(path)
    path.write_bytes(asked)
    with pytest.raises(ArtefactError, match=r"builtins\.bytearray"):
        read(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "key",
    [b")" + b"\x85" * 50_000, b")" + b"(l\x86" * 50_000, b")q\x00" + b"h\x00h\x00\x86q\x00" * 60],
    ids=["in each other", "with lists", "twice the same, sixty times"],
)
def test_tuples_whose_hash_has_no_end(tmp_path: Path, key: bytes, zipped: bool) -> None:
    """Unpickled, the first two would end the process and the third would take for ever."""
    path, asked = tmp_path / "w.pt", b"\x80\x02}" + key + b"K\x01s."
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {"data.pkl": asked, "version": b"3", "byteorder": b"little"}.items():
                archive.writestr(f"w/{name}", content)
    else:
        start = saved({}, _use_new_zipfile_serialization=False)
        path.write_bytes(start[: start.index(b"\x80\x02}q\x00.")] + asked)
    with pytest.raises(ArtefactError, match="holds tuples or lists that are nested beyond measure, and was not loaded"):
        read(path)


def test_tuples_of_ordinary_depth_are_read(tmp_path: Path) -> None:
    keys: dict[object, object] = {("a", (1, (2, (3,)))): torch.ones(1), (): 0}
    for number in range(5000):
        keys[number, "step"] = (number, [number], (1.5, None))
    for zipped in (True, False):
        (tmp_path / "w.pt").write_bytes(saved(keys, _use_new_zipfile_serialization=zipped))
        assert read(tmp_path / "w.pt").value == keys


def test_more_tensors_than_any_network_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsescope.checkpoints.read._MOST_TENSORS", 1)
    save_file(TENSORS, tmp_path / "w")
    with pytest.raises(ArtefactError, match=r"damaged or truncated safetensors file \(2 tensors\)"):
        read(tmp_path / "w")
