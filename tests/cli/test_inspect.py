"""`sparsescope inspect`: what people and programs see."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sparsescope.architectures import resolve
from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.inspect import inspect
from sparsescope.errors import ArtefactError
from sparsescope.mask import Mask, prunable_weights


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = resolve("digits_cnn").build()
    mask = Mask(
        {name: torch.arange(w.numel()).reshape(w.shape) % 4 == 0 for name, w in prunable_weights(module).items()}
    )
    mask.apply(module)
    save_checkpoint(
        tmp_path / "sparse[1].pt", Classifier(module, mask=mask), architecture="digits_cnn", history=["pruned"]
    )
    mask.save(tmp_path / "mask.safetensors")
    return tmp_path / "sparse[1].pt", tmp_path / "mask.safetensors"


def test_for_people(files: tuple[Path, Path]) -> None:
    result = CliRunner().invoke(inspect, [str(file) for file in files])
    assert result.exit_code == 0, result.output
    model, _, mask = result.output.partition("mask.safetensors")
    lines = [" ".join(line.split()) for line in model.splitlines()]
    assert any(line.endswith("sparse[1].pt") for line in lines)
    assert "kind sparsescope checkpoint (torch)" in lines
    assert "architecture digits_cnn" in lines
    assert "sparsity 75.0% of the prunable weights, 72.9% of all parameters" in lines
    assert "mask in the file" in lines
    assert "normalization mean (0), std (1), from the checkpoint" in lines
    assert "history pruned" in lines
    assert "features.3.weight 32 × 16 × 3 × 3 75.0%" in lines
    assert "kind mask (safetensors)" in " ".join(mask.split())
    assert "entries 32,400, of which 8,100 kept" in " ".join(mask.split())


def test_for_programs(files: tuple[Path, Path]) -> None:
    result = CliRunner().invoke(inspect, ["--json", *(str(file) for file in files)])
    assert result.exit_code == 0, result.output
    model, mask = json.loads(result.output)
    assert model["architecture"] == "digits_cnn" and model["sparsity_prunable"] == pytest.approx(0.75)
    assert model["path"] == str(files[0]) and mask["kind"] == "mask" and mask["nonzero"] == 8100


def test_warnings_are_shown(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.full((2, 2), 2.0)}, tmp_path / "odd.pt")
    output = " ".join(CliRunner().invoke(inspect, [str(tmp_path / "odd.pt")]).output.split())
    assert "architecture unknown" in output and "normalization unknown" in output
    assert "warning" in output and "has the names and shapes of no built-in or torchvision architecture" in output


def test_the_architecture_asked_for(files: tuple[Path, Path]) -> None:
    result = CliRunner().invoke(inspect, ["--arch", "resnet20s", str(files[0])])
    assert isinstance(result.exception, ArtefactError)
    assert "does not fit the architecture resnet20s" in str(result.exception)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(inspect, [str(tmp_path / "absent.pt")])
    assert isinstance(result.exception, ArtefactError) and "There is no file" in str(result.exception)


def test_no_file_is_wrong_usage() -> None:
    assert CliRunner().invoke(inspect, []).exit_code == 2
