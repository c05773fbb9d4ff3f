"""Distributed checkpoints of torch: written by torch, read without running what is pickled in them."""

import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from click.testing import CliRunner
from published import halved, images, stirred, write_data
from torch import Tensor, nn

from sparsescope.architectures import resolve
from sparsescope.checkpoints import load_classifier
from sparsescope.checkpoints.layout import open_artefact
from sparsescope.checkpoints.read import read
from sparsescope.cli.group import sparsescope
from sparsescope.errors import ArtefactError


def saved(folder: Path, state: dict[str, Any]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it runs in one process
        dcp.save(state, checkpoint_id=folder, no_dist=True)
    return folder


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return stirred(resolve("resnet20s").build(num_classes=5))


@pytest.fixture
def folder(tmp_path: Path, network: nn.Module) -> Path:
    optimizer = {"state": {"0": {"exp_avg": torch.rand(3)}}, "param_groups": [{"lr": 0.1}]}
    return saved(tmp_path / "dcp", {"model": network.state_dict(), "optimizer": optimizer, "epoch": 3})


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"app": {"net": state, "step": 1}}])
def test_the_tensors_are_those_that_were_saved(tmp_path: Path, network: nn.Module, wrap: Any) -> None:
    artefact = open_artefact(saved(tmp_path / "dcp", wrap(network.state_dict())))
    assert_equal(artefact.tensors, network.state_dict())
    assert artefact.format == "torch distributed checkpoint" and len(artefact.sha256) == 64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.int64, torch.bool])
def test_every_type_of_tensor(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = torch.arange(6).view(2, 3).to(dtype)
    (found,) = read(saved(tmp_path / "dcp", {"a.weight": tensor})).value.values()  # type: ignore[attr-defined]
    assert found.dtype == dtype and torch.equal(found.float(), tensor.float())


def test_pieces_of_several_processes_are_put_together(tmp_path: Path) -> None:
    """As FSDP writes it: each process its rows."""
    whole, pieces = torch.rand(6, 4), {}
    from torch.distributed.checkpoint import metadata as about
    from torch.distributed.checkpoint.filesystem import _StorageInfo

    saved(tmp_path / "dcp", {"a.weight": whole[:2], "b.weight": whole[2:]})
    described = pickle.loads((tmp_path / "dcp" / ".metadata").read_bytes())
    stored = {index.fqn: info for index, info in described.storage_data.items()}
    assert all(isinstance(info, _StorageInfo) for info in stored.values())
    for number, name in enumerate("ab"):
        offset = torch.Size((2 * number, 0))
        pieces[about.MetadataIndex("net.weight", offset, number)] = stored[f"{name}.weight"]
    properties = described.state_dict_metadata["a.weight"].properties
    chunks = [
        about.ChunkStorageMetadata(torch.Size((0, 0)), torch.Size((2, 4))),
        about.ChunkStorageMetadata(torch.Size((2, 0)), torch.Size((4, 4))),
    ]
    sizes = {"net.weight": about.TensorStorageMetadata(properties, torch.Size((6, 4)), chunks)}
    content = about.Metadata(sizes, {"net.weight": ("net.weight",)}, pieces)
    (tmp_path / "dcp" / ".metadata").write_bytes(pickle.dumps(content))
    assert torch.equal(read(tmp_path / "dcp").value["net.weight"], whole)  # type: ignore[index]


def test_it_is_evaluated(folder: Path, tmp_path: Path, network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    sparse = resolve("resnet20s").build(num_classes=5)
    sparse.load_state_dict(network.state_dict())
    saved(tmp_path / "sparse", {"model": halved(sparse).state_dict()})
    call = ["evaluate", "dcp", "sparse", "--data", "npz:data.npz", "--metric", "accuracy", "--arch", "resnet20s"]
    done = CliRunner().invoke(sparsescope, [*call, "--no-cache", "--out", "report", "--quiet"])
    assert done.exit_code == 0 and "sparse" in done.output, done.output
    classifier = load_classifier("sparse", arch="resnet20s", mean=(0.0,), std=(1.0,))
    assert classifier.sparsity.prunable == pytest.approx(0.5, abs=0.02)
    with torch.no_grad(), classifier.prepared():
        assert torch.allclose(classifier(images() / 255), sparse.eval()(images() / 255), atol=1e-5)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", [".metadata", "__0_0.distcp"])
def test_truncated_files(folder: Path, name: str, keep: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ArtefactError, match=r"is a damaged or incomplete distributed checkpoint"):
        read(folder)


def test_lost_files_and_files_elsewhere(folder: Path) -> None:
    (folder / "__0_0.distcp").rename(folder.parent / "elsewhere")
    with pytest.raises(ArtefactError, match=r"lacks __0_0\.distcp, which its \.metadata names"):
        read(folder)
    content = (folder / ".metadata").read_bytes().replace(b"__0_0.distcp", b"../elsewhere")
    (folder / ".metadata").write_bytes(content)
    with pytest.raises(ArtefactError, match=r"names '\.\./elsewhere', which is no file in the folder"):
        read(folder)


class Command:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("value", [Command(), {"planner": [Command()]}, bytearray(3), print, Path("a"), ((),) * 3])
def test_nothing_of_it_is_run(folder: Path, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / ".metadata").write_bytes(pickle.dumps(value))
    with pytest.raises(ArtefactError):
        read(folder)
    assert not (folder / "ran").exists()


def test_objects_beside_the_tensors_are_not_read(tmp_path: Path, network: nn.Module) -> None:
    folder = saved(tmp_path / "dcp", {"model": network.state_dict(), "other": Command()})
    assert_equal(open_artefact(folder).tensors, network.state_dict())
    assert not Path("ran").exists()


def test_tensors_larger_than_their_files(tmp_path: Path) -> None:
    folder = saved(tmp_path / "dcp", {"a.weight": torch.zeros(2, 2)})
    described = pickle.loads((folder / ".metadata").read_bytes())
    described.state_dict_metadata["a.weight"].size = torch.Size((2**20, 2**20))
    (folder / ".metadata").write_bytes(pickle.dumps(described))
    with pytest.raises(ArtefactError, match="announces more tensors than its files can hold"):
        read(folder)


def test_folders_of_several_files(tmp_path: Path, network: nn.Module) -> None:
    for name in ("a.pt", "b.pt", "notes.txt"):
        torch.save(network.state_dict(), tmp_path / name)
    with pytest.raises(ArtefactError, match=r"holds several files of weights: a\.pt, b\.pt\. Give the one"):
        read(tmp_path)
    (tmp_path / "b.pt").unlink()
    assert_equal(open_artefact(tmp_path).tensors, network.state_dict())
    shutil.rmtree(tmp_path)
