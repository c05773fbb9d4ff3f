"""`sparsescope prune`: tickets that the other commands read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from sparsescope.checkpoints import load_classifier
from sparsescope.cli.group import sparsescope
from sparsescope.datasets import SOURCES

UNTRAINED = ["--data", "npz:test.npz", "--train", "npz:train.npz", "--recipe", "digits", "--quiet"]
COMMON = [*UNTRAINED, "--epochs", "2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("test", "train"):
        np.savez(f"{name}.npz", images=rng.integers(0, 256, (24, 12, 12), dtype=np.uint8), labels=np.arange(24) % 3)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sparsescope, list(arguments))


def test_a_ticket_its_mask_and_its_dense_parent(folder: Path) -> None:
    wanted = ["prune", "omp", "--arch", "digits_cnn_small", *COMMON, "--sparsity", "0.75", "--rewind-epoch", "1"]
    result = run(*wanted, "--out", "made/ticket.pt", "--mask-out", "made/mask.safetensors")
    assert result.exit_code == 0, result.output
    assert "made/ticket.pt: omp, 75.00% of the prunable weights removed, " in result.stdout
    assert "trained for 1 epoch by the recipe digits, test accuracy " in result.stdout
    assert "dense network: made/ticket.runs/dense/checkpoint.pt" in result.stdout and result.stdout.count("\n") == 1
    document = torch.load("made/ticket.pt", weights_only=True)
    assert "training" not in document and document["task"]["data"] == "npz:test.npz"
    (described,) = json.loads(run("inspect", "made/ticket.pt", "--json").stdout)
    assert described["sparsity_prunable"] == pytest.approx(0.75, abs=1e-4)
    dense = "made/ticket.runs/dense/checkpoint.pt"
    for sparse in ("made/ticket.pt", "made/mask.safetensors"):
        done = run("evaluate", dense, sparse, "--metric", "accuracy", "--out", "report", "--quiet")
        assert done.exit_code == 0, done.output
    before = torch.load("made/ticket.pt", weights_only=True)["state_dict"]
    assert run(*wanted, "--out", "made/ticket.pt").exit_code == 0
    after = torch.load("made/ticket.pt", weights_only=True)["state_dict"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_ticket_remembers_the_size_of_its_images(folder: Path) -> None:
    wanted = ["prune", "omp", "--arch", "digits_cnn_small", *COMMON, "--sparsity", "0.5", "--rewind-epoch", "1"]
    assert run(*wanted, "--resize", "10", "--crop", "8", "--out", "t.pt").exit_code == 0
    dense = "t.runs/dense/checkpoint.pt"
    for more, size, warned in (([], 8, False), (["--resize", "12"], 12, True), (["--data", "npz:test.npz"], 12, True)):
        done = run("evaluate", dense, "t.pt", "--metric", "accuracy", "--out", "report", *more)
        assert done.exit_code == 0, done.output
        sets = json.loads(Path("report/evaluation.json").read_text())["benchmark"]["sets"]
        assert sets["test"]["shape"] == [1, size, size]
        assert (f"was trained on images of 8 px, but these have {size} px" in done.stderr) == warned
    again = ["--dense", dense, "--sparsity", "0.9", "--no-train", "--recipe", "digits", "--out", "u.pt"]
    refused = run("prune", "snip", *again)
    assert refused.exit_code == 2 and "has no training images" in refused.stderr  # of what the checkpoint names
    weights = run("prune", "omp", *again, "--mask-out", "mask.npz")  # looks at no image
    assert weights.exit_code == 0, weights.output
    with np.load("mask.npz") as arrays:
        mask = load_classifier("u.pt").mask
        assert mask is not None and {name: arrays[name].tolist() for name in arrays} == {
            name: kept.tolist() for name, kept in mask.items()
        }
    Path("test.npz").rename("elsewhere.npz")
    moved = run("evaluate", dense, "t.pt", "--metric", "accuracy", "--out", "report")
    assert moved.exit_code == 2
    assert f"({dense} says that npz:test.npz is its data: give --data if that is elsewhere.)" in moved.stderr


def test_a_common_folder_trains_the_dense_network_once(folder: Path) -> None:
    common = ["--arch", "digits_cnn_small", *COMMON, "--runs", "runs", "--sparsity", "0.5"]
    assert run("prune", "omp", *common, "--out", "a.pt").exit_code == 0
    written = (folder / "runs/dense/checkpoint.pt").stat().st_mtime_ns
    assert run("prune", "snip", *common, "--out", "b.pt", "--set", "batch_norm=running").exit_code == 0
    assert run("prune", "channels", *common, "--out", "c.pt").exit_code == 0
    assert (folder / "runs/dense/checkpoint.pt").stat().st_mtime_ns == written


def test_a_mask_alone_from_a_given_network(folder: Path) -> None:
    assert (
        run("prune", "random", "--arch", "digits_cnn_small", *COMMON, "--sparsity", "0.1", "--out", "a.pt").exit_code
        == 0
    )
    for switch in (["--no-train"], ["--epochs", "0"]):
        result = run("prune", "omp", "--dense", "a.pt", *UNTRAINED, "--sparsity", "0.6", "--out", "b.pt", *switch)
        assert result.exit_code == 0, result.output
        assert (
            "60.00% of the prunable weights removed" in result.stdout
            and "not trained; dense network: a.pt" in result.stdout
        )
    given, made = (torch.load(name, weights_only=True)["state_dict"] for name in ("a.pt", "b.pt"))
    assert all(torch.equal(made[name][made[name] != 0], given[name][made[name] != 0]) for name in given)
    assert not (folder / "b.runs").exists()


def test_progress_tells_of_every_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsescope.cli.progress.LINE_EVERY", 0.0)
    arguments = [
        "--arch",
        "digits_cnn_small",
        *[part for part in COMMON if part != "--quiet"],
        "--sparsity",
        "0.36",
        "--out",
        "a.pt",
    ]
    result = run("prune", "lth", *arguments)
    assert "dense: epoch 1/2, loss " in result.stderr and "lth-0.36: epoch 2/2, loss " in result.stderr
    assert "sparsity 36.0%, about " in result.stderr and " left" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["omp", "--arch", "digits_cnn"], "Expected --sparsity S: the fraction of the weights to remove"),
        (["omp", "--sparsity", "0.5"], "Expected --arch SPEC, such as resnet20s, or --dense FILE"),
        (["omp", "--arch", "digits_cnn", "--sparsity", "1"], "above 0 and below 1, but got 1"),
        (["lth", "--arch", "digits_cnn", "--sparsity", "0.5", "--no-train"], "lth cannot be left untrained"),
        (["omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--set", "heat=3"], "Method omp has no option 'heat'"),
        (["omp", "--arch", "digits_cn", "--sparsity", "0.5"], "Did you mean digits_cnn"),
        (["omp", "--dense", "none.pt", "--sparsity", "0.5"], "There is no file none.pt"),
        (
            ["omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--scope", "glob"],
            "or N:M such as '2:4', but got 'glob'",
        ),
        (["n_m", "--arch", "digits_cnn", "--sparsity", "0.7"], "Scope 2:4 removes 0.5 of the weights, not 0.7"),
        (["n_m", "--arch", "digits_cnn", "--scope", "erk"], "Expected a scope N:M for n_m, such as 2:4, but got 'erk'"),
        (["lth", "--arch", "digits_cnn", "--sparsity", "0.5", "--scope", "2:4"], "lth changes its mask as it trains"),
        (
            ["rigl", "--arch", "digits_cnn", "--sparsity", "0.5", "--set", "every"],
            "OPTION=VALUE, such as every=50, but got 'every'",
        ),
        (["rigl", "--arch", "digits_cnn", "--sparsity", "0.5", "--set", "every=a"], "every='a'"),
        (["random", "--arch", "digits_cnn", "--sparsity", "0.5", "--set", "seed=a"], "but got seed='a'"),
        (
            ["channels", "--arch", "digits_cnn", "--sparsity", "0.5", "--prune-head"],
            "prune_head cannot go with channels, which removes whole channels. Its own options: skip.",
        ),
        (
            ["omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--rewind-epoch", "2"],
            "to rewind to below the 2 of training, but it is 2",
        ),
        (["omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--runs", "test.npz/runs"], "cannot be made a folder"),
        (["omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--runs", "a.pt"], "--runs and --out both are a.pt"),
    ],
)
def test_errors_leave_nothing(folder: Path, arguments: list[str], message: str) -> None:
    before = sorted(folder.rglob("*"))
    result = run("prune", *arguments, *COMMON, "--out", "a.pt")
    assert result.exit_code == 2 and message in result.stderr
    assert sorted(folder.rglob("*")) == before


def test_a_folder_that_cannot_be_written_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root, as whom tests may run, can write anywhere
    result = run("prune", "omp", "--arch", "digits_cnn", *COMMON, "--sparsity", "0.5", "--out", "new/a.pt")
    assert result.exit_code == 2 and "--out new/a.pt cannot be written: no permission in new." in result.stderr
    assert not (folder / "new").exists()


def test_data_without_recipe_or_training_images(folder: Path) -> None:
    common = ["prune", "omp", "--arch", "digits_cnn", "--sparsity", "0.5", "--out", "a.pt", "--data", "npz:test.npz"]
    assert (
        "Expected --recipe for npz:test.npz: cifar, cifar-rigl, digits, imagenet or imagenet-rigl, or a TOML file"
        in run(*common).stderr
    )
    assert "npz:test.npz has no training images" in run(*common, "--recipe", "digits").stderr
    trained_here = [*common, "--train", "npz:test.npz", "--no-train"]
    assert "Expected --recipe for npz:test.npz" in run(*trained_here).stderr  # the dense network is trained
    trained_here[1] = "random"
    done = run(*trained_here)
    assert done.exit_code == 0 and "not trained" in done.stdout


def test_the_network_without_its_channels(folder: Path) -> None:
    common = ["--arch", "digits_cnn_small", *COMMON, "--runs", "runs", "--sparsity", "0.5"]
    result = run("prune", "channels", *common, "--out", "masked.pt", "--removed-out", "made/small.pt")
    assert result.exit_code == 0, result.output
    masked, small = (load_classifier(path) for path in ("masked.pt", "made/small.pt"))
    said = f"made/small.pt: the same without the removed channels, {small.sparsity.parameters:,} of "
    assert result.stdout.splitlines()[1] == f"{said}{masked.sparsity.parameters:,} parameters"
    images = torch.rand(5, 1, 12, 12)
    with masked.prepared(), small.prepared():
        torch.testing.assert_close(small(images), masked(images), rtol=1e-4, atol=1e-5)
    assert small.sparsity.parameters < 0.6 * masked.sparsity.parameters
    chosen = ["--metric", "nll", "--metric", "weight_trace", "--metric", "input_trace", "--preset", "quick", "--quiet"]
    done = run("evaluate", "runs/dense/checkpoint.pt", "masked.pt", "made/small.pt", *chosen, "--out", "report")
    assert done.exit_code == 0, done.output
    for metric in json.loads(Path("report/evaluation.json").read_text(encoding="utf-8"))["metrics"]:
        values = metric["values"]
        assert values["small"]["value"] == pytest.approx(values["masked"]["value"], rel=1e-3), metric["name"]
    again = ["prune", "omp", "--dense", "made/small.pt", *UNTRAINED, "--sparsity", "0.5", "--no-train", "--out", "c.pt"]
    assert run(*again).exit_code == 0
    assert load_classifier("c.pt").sparsity.parameters == small.sparsity.parameters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--removed-out", "b.pt"], "--removed-out goes with channels: omp removes single weights"),
        (["--mask-out", "a.pt"], "--out and --mask-out both are a.pt. Give each a place of its own."),
        (["--mask-out", "."], "Expected --mask-out to be a file, but . is a folder. Name a file in it."),
        (["--mask-out", "test.npz/b.pt"], "cannot be made a folder: "),
    ],
)
def test_places_that_cannot_be_written_are_found_before_any_work(
    folder: Path, arguments: list[str], message: str
) -> None:
    before = sorted(folder.rglob("*"))
    result = run("prune", "omp", "--arch", "digits_cnn", *COMMON, "--sparsity", "0.5", "--out", "a.pt", *arguments)
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_the_recipe_follows_data_and_method(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "npz", replace(SOURCES["npz"], recipe="cifar"))
    common = [*COMMON[:4], *COMMON[6:], "--arch", "digits_cnn_small", "--sparsity", "0.5", "--rewind-epoch", "0"]
    for method, chosen, recipe in (
        ("rigl", ["--set", "every=1"], "cifar-rigl"),
        ("random", [], "cifar"),
        ("rigl", ["--set", "every=1", "--recipe", "digits"], "digits"),
    ):
        result = run("prune", method, *common, *chosen, "--out", f"{method}-{recipe}.pt")
        assert result.exit_code == 0, result.output
        assert f"trained for 2 epochs by the recipe {recipe}, test accuracy " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["snip", "--rewind", "weights"], "--rewind has no effect: snip starts from initial weights, and"),
        (["rigl", "--rewind-epoch", "1"], "--rewind-epoch has no effect: rigl starts from initial weights"),
        (["omp", "--no-train", "--rewind", "weights"], "--rewind has no effect: the ticket is not trained"),
        (["omp", "--epochs", "0", "--rewind", "weights"], "--rewind has no effect: the ticket is not trained"),
        (["random", "--no-train", "--runs", "runs"], "--runs has no effect: nothing is trained."),
        (["random", "--no-train", "--epochs", "3"], "--epochs has no effect: nothing is trained"),
        (
            ["random", "--epochs", "0", "--workers", "1", "--precision", "float16"],
            "--precision, --workers has no",
        ),
        (
            ["omp", "--dense", "a.pt", "--no-train", "--rewind-epoch", "1"],
            "--rewind-epoch has no effect: nothing",
        ),
    ],
)
def test_options_without_effect(folder: Path, arguments: list[str], message: str) -> None:
    result = run("prune", *arguments, "--arch", "digits_cnn", *UNTRAINED, "--sparsity", "2", "--out", "made/b.pt")
    assert result.exit_code == 2  # for the sparsity: nothing has to be trained here
    assert f"Warning: {message}" in result.stderr


def test_the_dense_network_is_not_replaced(folder: Path) -> None:
    made = run(
        "prune", "random", "--arch", "digits_cnn", *UNTRAINED, "--sparsity", "0.1", "--no-train", "--out", "a.pt"
    )
    assert made.exit_code == 0, made.output
    before = (folder / "a.pt").read_bytes()
    for option, other in (("--out", "--mask-out"), ("--mask-out", "--out")):
        wanted = ["omp", "--dense", "./a.pt", *UNTRAINED, "--sparsity", "0.5", "--no-train", option, "a.pt", other, "b"]
        result = run("prune", *wanted)
        assert result.exit_code == 2
        assert f"{option} is a.pt, which is read and would be replaced. Choose another place." in result.stderr
    assert (folder / "a.pt").read_bytes() == before


def test_how_classes_are_matched_says_nothing_of_a_network_that_is_trained_here(folder: Path) -> None:
    common = [
        "prune",
        "random",
        "--arch",
        "digits_cnn_small",
        *COMMON,
        "--sparsity",
        "0.5",
        "--no-train",
        "--out",
        "t.pt",
    ]
    asked = run(*common, "--classes", "number")
    assert asked.exit_code == 0 and "--classes has no effect" in asked.stderr
    assert "--classes" not in run(*common).stderr
