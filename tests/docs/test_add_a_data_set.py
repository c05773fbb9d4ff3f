"""MNIST from local files is one file and one line, those of the how-to page, and works wherever data is named."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from forms_page import add_file, check_table, code_blocks

from sparsescope import datasets, evaluate, open_images
from sparsescope.architectures import resolve
from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.datasets import SOURCES
from sparsescope.errors import DataError, OptionError
from sparsescope.evaluation.task import stored_data
from sparsescope.pruning import prune

PAGE = "add-a-data-set.md"
SIZES = {"t10k": 40, "train": 60}


def write_idx(path: Path, array: np.ndarray, zipped: bool) -> None:
    content = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    (path.with_name(f"{path.name}.gz") if zipped else path).write_bytes(gzip.compress(content) if zipped else content)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST is a source of data; `data/` holds some of it, and dense.pt and sparse.pt were trained on it."""
    code, line = code_blocks(PAGE)
    (tmp_path / "source").mkdir()
    add_file(monkeypatch, tmp_path / "source", "sparsescope.datasets.mnist", code)
    (entry,) = eval("{" + line + "}", vars(datasets)).values()
    monkeypatch.setitem(SOURCES, "mnist", entry)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for part, n in SIZES.items():
        pixels, labels = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n).astype(np.uint8)
        write_idx(tmp_path / f"data/{part}-images-idx3-ubyte", pixels, zipped=part == "train")
        write_idx(tmp_path / f"data/{part}-labels-idx1-ubyte", labels, zipped=part == "train")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = resolve("digits_cnn").build()
    for name, mask in (("dense", None), ("sparse", prune("omp", network, sparsity=0.5))):
        if mask is not None:
            mask.apply(network)
        classifier = Classifier(network, (0.3,), (0.3,), mask=mask)
        save_checkpoint(tmp_path / f"{name}.pt", classifier, architecture="digits_cnn", task={"data": "mnist:data"})
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sparsescope, arguments, env={"COLUMNS": "300"})


def test_the_page_lists_the_sources() -> None:
    check_table(PAGE, SOURCES.values())


def test_files_are_read_zipped_or_not(folder: Path) -> None:
    test, train = (open_images("mnist:data", split=split) for split in ("test", "train"))
    raw = (folder / "data/t10k-images-idx3-ubyte").read_bytes()[16:]
    assert (len(test), len(train), test.shape) == (40, 60, (1, 28, 28))
    assert (test.read([39]) * 255).numpy().astype(np.uint8).tobytes() == raw[-784:]
    assert open_images("mnist:data", resize=14).shape == (1, 14, 14)


def test_what_is_wrong_is_said(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"Unknown data 'mnst:data'\. Did you mean mnist:DIR\? .*mnist:DIR"):
        open_images("mnst:data")
    (folder / "data/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        DataError, match=r"mnist:data: expected an IDX file .*, or t10k-labels-idx1-ubyte\.gz beside it"
    ):
        open_images("mnist:data")
    (folder / "data/t10k-images-idx3-ubyte").write_bytes(b"\0\0\10\3\0\0\0\1")
    with pytest.raises(DataError, match=r"expected an IDX file .*images-idx3-ubyte.*buffer"):
        open_images("mnist:data")


def test_evaluate_in_python(folder: Path) -> None:
    evaluation = evaluate(
        "dense.pt", "sparse.pt", "mnist:data", metrics=["accuracy", "generalization_gap", "ood_auroc"]
    )
    assert evaluation.benchmark.name == "mnist" and evaluation.benchmark.classes == tuple("0123456789")
    assert evaluation.benchmark.sets["train"].source == "mnist:data (train)"
    assert {metric.values["sparse"].status for metric in evaluation.metrics} == {"measured"}
    assert evaluation["accuracy"].values["dense"].n == 40


def test_evaluate_on_the_command_line_with_and_without_data(folder: Path) -> None:
    few = ("evaluate", "dense.pt", "sparse.pt", "--metric", "accuracy", "--out")
    for out, more in (("named", ("--data", "mnist:data")), ("remembered", ())):
        result = run(*few, out, *more)
        assert result.exit_code == 0, result.output
    contents = [json.loads((folder / out / "evaluation.json").read_text()) for out in ("named", "remembered")]
    assert contents[0]["metrics"] == contents[1]["metrics"]
    assert contents[1]["benchmark"]["sets"]["test"]["source"] == "mnist:data"


def test_prune_takes_its_recipe_from_the_entry(folder: Path) -> None:
    arguments = ("--arch", "digits_cnn", "--sparsity", "0.5", "--no-train", "--out", "ticket.pt")
    result = run("prune", "random", "--data", "mnist:data", *arguments)
    assert result.exit_code == 0, result.output
    assert stored_data("ticket.pt") == "mnist:data"


def test_sweep_takes_it(folder: Path) -> None:
    result = run("sweep", "digits-mini", "--data", "mnist:data", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "mnist:data: 60 training and 40 test images" in result.output


@pytest.mark.parametrize("command", ["evaluate", "explain", "crosscheck", "dissect"])
def test_help_lists_it(folder: Path, command: str) -> None:
    assert "mnist:DIR" in run(command, "--help").output
