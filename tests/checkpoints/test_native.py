"""Our own checkpoint: what is written is read again, and what a file says is checked."""

import copy
import resource
import signal
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from torch import nn

from sparsescope.architectures import resolve
from sparsescope.checkpoints import StoredTask, load_classifier, save_checkpoint, stored_task
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError
from sparsescope.mask import Mask, prunable_weights


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return resolve("digits_cnn").build(num_classes=5)


@pytest.fixture
def sparse(network: nn.Module) -> Classifier:
    mask = Mask({name: weight > 0 for name, weight in prunable_weights(network).items()}, method="omp")
    mask.apply(network)
    return Classifier(network, (0.2,), (0.4,), mask=mask)


def changed(path: Path, **entries: Any) -> Path:
    torch.save(torch.load(path, weights_only=True) | entries, path)
    return path


def test_round_trip(tmp_path: Path, sparse: Classifier) -> None:
    path = tmp_path / "sparse.pt"
    save_checkpoint(path, sparse, architecture="digits_cnn", task={"data": "digits"}, history=[{"epoch": 1}])
    assert sorted(item.name for item in tmp_path.iterdir()) == ["sparse.pt"]
    again = load_classifier(path)
    assert again.mask is not None and sparse.mask is not None
    assert {name: kept.tolist() for name, kept in again.mask.items()} == {
        name: kept.tolist() for name, kept in sparse.mask.items()
    }
    assert (tuple(again.mean), tuple(again.std), again.warnings) == ((0.2,), (0.4,), ())
    assert again.origin.architecture == "digits_cnn" and again.name == "sparse"
    for name, tensor in again.module.state_dict().items():
        assert torch.equal(tensor, sparse.module.state_dict()[name])
    assert stored_task(path).data == "digits"


def test_the_format_is_the_published_one(tmp_path: Path, sparse: Classifier) -> None:
    path = tmp_path / "sparse.pt"
    save_checkpoint(path, sparse, architecture="digits_cnn", size=32, task={"data": "digits", "classes": ("0", "1")})
    document = torch.load(path, weights_only=True)
    assert document["format"] == "sparsescope.checkpoint/1" and document["architecture"] == "digits_cnn"
    assert document["preprocessing"] == {"mean": [0.2], "std": [0.4], "size": 32}
    assert load_classifier(path).classes == ("0", "1")
    assert document["task"] == {"data": "digits", "classes": ["0", "1"]}
    assert all(kept.dtype == torch.bool for kept in document["mask"].values())
    assert set(document) == {
        "format", "architecture", "architecture_options", "state_dict", "mask", "preprocessing", "task", "history"
    }  # fmt: skip


def test_a_dense_checkpoint_has_no_mask(tmp_path: Path, network: nn.Module) -> None:
    save_checkpoint(tmp_path / "dense.pt", Classifier(network), architecture="digits_cnn")
    assert "mask" not in torch.load(tmp_path / "dense.pt", weights_only=True)
    assert load_classifier(tmp_path / "dense.pt").sparsity.prunable == 0


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, sparse: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sparse.pt"
    save_checkpoint(path, sparse, architecture="digits_cnn")
    before = path.read_bytes()

    def full_disk(document: object, target: BinaryIO) -> None:
        target.write(b"half a fi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(InputError, match="No space left"):
        save_checkpoint(path, sparse, architecture="digits_cnn", history=["more"])
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["sparse.pt"]


@pytest.mark.parametrize("room", [1_000, 5_000, 10_000, 30_000])
def test_a_disk_that_fills_up_while_torch_writes(tmp_path: Path, sparse: Classifier, room: int) -> None:
    """A limit on the size of files stands for the full disk: torch itself would raise an error of its archive."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        with pytest.raises(InputError, match=r"Cannot write .*a.pt: File too large"):
            save_checkpoint(tmp_path / "a.pt", sparse, architecture="digits_cnn")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_only_json_values(tmp_path: Path, sparse: Classifier) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(tmp_path / "a.pt", sparse, architecture="digits_cnn", history={"loss": torch.ones(1)})
    assert list(tmp_path.iterdir()) == []


def test_weights_that_the_mask_removes_are_zeroed_and_counted(tmp_path: Path, sparse: Classifier) -> None:
    other = copy.deepcopy(sparse)
    weight = dict(other.module.named_parameters())["features.3.weight"]
    removed = ~other.mask["features.3.weight"]  # type: ignore[index]
    with torch.no_grad():
        weight[removed] = 0.5
    save_checkpoint(tmp_path / "a.pt", other, architecture="digits_cnn")
    again = load_classifier(tmp_path / "a.pt")
    assert torch.equal(
        dict(again.module.named_parameters())["features.3.weight"][removed], torch.zeros(int(removed.sum()))
    )
    (warning,) = again.warnings
    assert f"{int(removed.sum())} weights that the mask removes are not zero" in warning
    assert "features.3.weight" in warning


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"format": "sparsescope.checkpoint/2"}, r"has the format 'sparsescope\.checkpoint/2'.*Update sparsescope"),
        ({"architecture": 3}, r"expected 'architecture' to be a str, but got int"),
        ({"mask": [1]}, r"expected 'mask' to be a dict, but got list"),
        ({"state_dict": {}}, r"no tensors under 'state_dict'"),
        ({"preprocessing": {"mean": [0.5]}}, r"expected 'preprocessing' to hold mean, std"),
        ({"preprocessing": {"mean": [0.5], "std": [0.0]}}, r"expected 'preprocessing' to hold mean, std"),
        ({"preprocessing": {"mean": ["a"], "std": [1.0]}}, r"expected 'preprocessing' to hold mean, std"),
        ({"preprocessing": torch.zeros(2, 2)}, r"expected 'preprocessing' to hold mean, std"),
        ({"architecture": "digits_cn"}, r"no architecture 'digits_cn'\. Did you mean digits_cnn"),
    ],
)
def test_damaged_fields(tmp_path: Path, sparse: Classifier, entries: dict[str, Any], text: str) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, sparse, architecture="digits_cnn")
    with pytest.raises(InputError, match=text):
        load_classifier(changed(path, **entries))


def test_code_that_a_file_names_is_not_run(tmp_path: Path, sparse: Classifier) -> None:
    target = tmp_path / "owned"
    (tmp_path / "evil.py").write_text(f"import pathlib\npathlib.Path({str(target)!r}).touch()\n")
    path, spec = tmp_path / "a.pt", f"{tmp_path / 'evil.py'}:net"
    save_checkpoint(path, sparse, architecture=spec, task={"data": spec})
    with pytest.raises(ArtefactError, match=r"its architecture is .*evil\.py:net, .* not run unasked.*give --arch"):
        load_classifier(path)
    assert stored_task(path).data == spec
    changed(path, architecture="os:system", architecture_options={"command": f"touch {target}"})
    with pytest.raises(ArtefactError, match=r"its architecture is os:system"):
        load_classifier(path)
    assert not target.exists()


def test_options_of_the_users_own_architecture_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def net(width=2, num_classes=3):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(4, width), nn.Linear(width, num_classes))\n"
    )
    spec = f"{tmp_path / 'mine.py'}:net"
    module = resolve(spec).build(width=5, num_classes=4)
    save_checkpoint(tmp_path / "a.pt", Classifier(module), architecture=spec, architecture_options={"width": 5})
    assert load_classifier(tmp_path / "a.pt", arch=spec).module[1].weight.shape == (5, 4)


def test_no_data_is_stored(tmp_path: Path, sparse: Classifier) -> None:
    save_checkpoint(tmp_path / "a.pt", sparse, architecture="digits_cnn")
    torch.save(sparse.module.state_dict(), tmp_path / "b.pt")
    assert stored_task(tmp_path / "a.pt") == stored_task(tmp_path / "b.pt") == StoredTask()


@pytest.mark.parametrize("size", [0, -3, "32", True, 2.5])
def test_a_size_that_is_none(tmp_path: Path, sparse: Classifier, size: Any) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, sparse, architecture="digits_cnn", task={"data": "digits", "resize": size})
    with pytest.raises(ArtefactError, match="expected the task's resize to be a number of pixels, but got"):
        stored_task(path)
