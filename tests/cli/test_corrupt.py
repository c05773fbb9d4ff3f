"""`sparsescope corrupt`, and the set it writes in `sparsescope evaluate`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from sparsescope.cli.group import sparsescope
from sparsescope.corruptions import STANDARD


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    np.savez("test.npz", images=rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8), labels=np.arange(8) % 3)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sparsescope, list(arguments))


def test_all_nineteen_and_the_fifteen(folder: Path) -> None:
    assert run("corrupt", "npz:test.npz", "--out", "all", "--all", "--severity", "2").exit_code == 0
    assert len(list((folder / "all").glob("*.npy"))) == 20
    result = run("corrupt", "npz:test.npz", "--out", "set")
    assert result.exit_code == 0, result.output
    assert {path.stem for path in (folder / "set").glob("*.npy")} == {*STANDARD, "labels"}
    assert "15 corruptions of 8 images in set. To use them: --corrupted cifar-c:set" in result.stdout


def test_evaluate_reads_what_corrupt_writes(folder: Path) -> None:
    """The same numbers from the stored set as on the fly."""
    (folder / "net.py").write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(768, 3))\n"
    )
    torch.manual_seed(0)
    for name in ("dense", "sparse"):
        torch.save(nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).state_dict(), f"{name}.pt")
    wanted = ["--corruption", "fog", "--corruption", "shot_noise"]
    assert run("corrupt", "npz:test.npz", "--out", "set", *wanted, "--seed", "2", "--quiet").exit_code == 0
    common = ["evaluate", "dense.pt", "sparse.pt", "--arch", "net.py:build", "--data", "npz:test.npz", "--seed", "2"]
    common += ["--metric", "corruption_error", "--set", "corruption_error.corruptions=['fog', 'shot_noise']"]
    found = []
    for out, more in (("made", []), ("read", ["--corrupted", "cifar-c:set"]), ("bare", ["--corrupted", "set"])):
        result = run(*common, *more, "--out", out)
        assert result.exit_code == 0, result.output
        found.append(json.loads((folder / out / "evaluation.json").read_text()))
    assert found[0]["metrics"] == found[1]["metrics"] == found[2]["metrics"]
    assert found[1]["benchmark"]["sets"]["corrupted"]["source"] == "cifar-c:set"
    assert "cifar-c:set" in (folder / "read" / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--corruption", "foggy"], "Did you mean fog"),
        (["--all", "--corruption", "fog"], "Expected --all or --corruption"),
        (["--severity", "6"], "6 is not in the range"),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], text: str) -> None:
    result = run("corrupt", "npz:test.npz", "--out", "set", *arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert not (folder / "set").exists()


def test_a_second_seed_needs_a_folder_of_its_own(folder: Path) -> None:
    assert run("corrupt", "npz:test.npz", "--out", "set", "--corruption", "fog").exit_code == 0
    result = run("corrupt", "npz:test.npz", "--out", "set", "--corruption", "fog", "--seed", "1")
    assert result.exit_code == 2
    assert "another corrupted set" in result.stderr
