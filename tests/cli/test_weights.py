"""`--weights`: every command that opens files of weights takes it, and none measures other weights than are meant."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sparsescope.architectures import resolve
from sparsescope.cli.group import sparsescope
from sparsescope.evaluation import DataOptions, ModelOptions, evaluate, open_models, open_task

DATA = ["--data", "npz:data.npz"]
COMMANDS = {
    "evaluate": ["both.pt", "one.pt", "--metric", "accuracy", "--no-cache", "--out", "report", *DATA],
    "explain": ["both.pt", "--image", "0", "--samples", "8", "--superpixels", "grid", "--out", "a.png", *DATA],
    "crosscheck": ["both.pt", "--images", "4", *DATA],
    "dissect": ["both.pt", "--length", "1", "--out", "dissection", "--size", "16", "--probe", "shapes"],
    "inspect": ["both.pt"],
    "prune": ["omp", "--dense", "both.pt", "--no-train", "--recipe", "digits", "--sparsity", "0.5", "--out", "t.pt"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype=np.uint8)
    np.savez("data.npz", images=images, labels=np.arange(40) % 10)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = resolve("digits_cnn").build().state_dict()
    torch.save(weights, "one.pt")
    torch.save({"model": weights, "ema": {name: tensor * 2 for name, tensor in weights.items()}}, "both.pt")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_the_weights_are_chosen(folder: Path, command: str) -> None:
    call = [command, *COMMANDS[command], "--arch", "digits_cnn"]
    call += ["--train", DATA[1], *DATA] if command == "prune" else []
    refused = CliRunner().invoke(sparsescope, call)
    assert refused.exit_code == 2 and "both.pt holds several sets of weights" in " ".join(refused.stderr.split())
    missing = CliRunner().invoke(sparsescope, [*call, "--weights", "emma"])
    assert missing.exit_code == 2 and "has no weights under 'emma'" in " ".join(missing.stderr.split())
    done = CliRunner().invoke(sparsescope, [*call, "--weights", "ema"])
    assert done.exit_code in ((0, 1) if command == "crosscheck" else (0,)), done.output


def test_files_without_the_weights_asked_for_get_a_word(folder: Path) -> None:
    dense, sparse = open_models("both.pt", ["one.pt"], ModelOptions(arch="digits_cnn", weights="ema"))
    note = "the file has no weights under 'ema': those that it has were used."
    assert note in sparse.warnings and note not in dense.warnings
    first, second = (next(iter(model.module.parameters())) for model in (dense, sparse))
    assert torch.equal(first, second * 2)


def test_weights_without_a_dense_file(folder: Path) -> None:
    call = ["prune", "omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--out", "t.pt", "--weights", "ema", *DATA]
    refused = CliRunner().invoke(sparsescope, call)
    assert refused.exit_code == 2 and "--weights says which weights of the --dense FILE are meant" in refused.stderr


@pytest.mark.parametrize("key", ["mask", "keep_masks", "pruner.masks"])
def test_masks_are_measured_and_not_the_dense_weights(folder: Path, key: str) -> None:
    """A gate never lets the dense weights pass as the sparse ones."""
    weights: dict[str, Any] = torch.load("one.pt", weights_only=True)
    masks = [(w.abs() > w.abs().median()).float() for w in weights.values() if w.ndim == 4]
    torch.save({"state_dict": weights, key: masks}, "sparse.pt")
    call = ["evaluate", "one.pt", "sparse.pt", "--metric", "accuracy", "--no-cache", "--out", "report", *DATA]
    done = CliRunner().invoke(sparsescope, [*call, "--gate", "fail"])
    assert done.exit_code in (0, 1), done.output
    models = json.loads((folder / "report" / "evaluation.json").read_text())["models"]
    assert models[1]["sparsity"]["prunable"] == pytest.approx(0.5, abs=0.01)
    torch.save({"state_dict": weights, key: masks[:1] + masks[:1]}, "sparse.pt")
    refused = CliRunner().invoke(sparsescope, [*call, "--gate", "fail"])
    assert refused.exit_code == 2 and "looks like masks" in " ".join(refused.stderr.split())


def test_a_guess_and_the_source_of_the_normalization_are_in_the_results(folder: Path) -> None:
    call = ["evaluate", "one.pt", "one.pt", "--metric", "accuracy", "--no-cache", "--out", "report", *DATA]
    done = CliRunner().invoke(sparsescope, call)
    assert "architecture is a guess from names and shapes: digits_cnn" in " ".join(done.stderr.split())
    dense, candidate = json.loads((folder / "report" / "evaluation.json").read_text())["models"]
    assert dense["architecture_guessed"] and candidate["architecture_guessed"]
    assert dense["normalization"] == {"mean": [0.305], "std": [0.324], "source": "digits_cnn, assumed"}
    page = (folder / "report" / "report.html").read_text()
    assert "digits_cnn (a guess)" in page and "from the dense network one" in page
    stated = evaluate("one.pt", ["one.pt"], DATA[1], arch="digits_cnn", metrics=["accuracy"], cache=False)
    assert not stated.dense.architecture_guessed and not any("guess" in text for text in stated.dense.warnings)


def test_photographs_are_sized_as_the_publisher_states(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    from PIL import Image

    spec = "timm:mobilenetv3_small_050.lamb_in1k"
    record = timm.get_pretrained_cfg(spec.partition(":")[2])
    assert (record.input_size[-1], record.crop_pct, record.interpolation) == (224, 0.875, "bicubic")
    (tmp_path / "pictures" / "n01440764").mkdir(parents=True)
    picture = tmp_path / "pictures" / "n01440764" / "1.png"
    pixels = np.random.default_rng(0).integers(0, 256, (14, 15, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    Image.fromarray(pixels).save(picture)
    torch.save(resolve(spec).build().state_dict(), tmp_path / "net.pt")
    data, options = f"imagenet:{tmp_path / 'pictures'}", ModelOptions(spec)
    task = open_task(tmp_path / "net.pt", data=data, models=options)
    assert task.benchmark.test.shape == (3, 224, 224)
    assert task.dense.warnings == (
        f"images are resized to 256 px (bicubic) and cropped to 224 px, as timm's pretrained_cfg of {spec[5:]} states",
    )
    transform = timm.data.create_transform(**timm.data.resolve_data_config(record.to_dict()), normalize=False)
    with Image.open(picture) as opened:
        shown = transform(opened)
    assert (task.benchmark.test.read([0])[0] * 255).round().to(torch.uint8).equal(shown)
    small = open_task(tmp_path / "net.pt", data=data, models=options, images=DataOptions(resize=200, crop=192))
    assert (
        len(small.dense.warnings) == 1
        and "was trained on images of 224 px, but these have 192 px" in small.dense.warnings[0]
    )
